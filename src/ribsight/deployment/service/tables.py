"""The tables of the service. They name no patient: identifiers are keyed hashes.

Times are seconds since 1970. States are those of DICOM's unified procedure steps (PS3.4 CC.1.1).
"""

from enum import StrEnum

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA = "1"
"""Counts up when a table changes; a database of another schema is refused."""

_ID = 64
_NAME = 64
_KEYED = 16

metadata = MetaData()


class State(StrEnum):
    """Where a job or a delivery is."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


class Kind(StrEnum):
    """What a result says."""

    FINDINGS = "findings"
    """The image was scored; there may be no mark."""
    NOT_PROCESSED = "not processed"
    """It was not, and `reason` says why."""


facts = Table(
    "facts",
    metadata,
    Column("name", String(_NAME), primary_key=True),
    Column("value", String(_ID), nullable=False),
)
"""`schema`, and `folder`: the data folder that the database belongs to."""

images = Table(
    "images",
    metadata,
    Column("id", String(_ID), primary_key=True),
    Column("received_at", Float, nullable=False),
    Column("way", String(8), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("instance", String(_KEYED)),
    Column("study", String(_KEYED)),
    Column("accession", String(_KEYED)),
    Column("patient", String(_KEYED)),
    Column("view", String(16)),
    Column("rows", Integer),
    Column("columns", Integer),
    Column("kept", Boolean, nullable=False, default=True),
    Index("images_received", "received_at"),
    Index("images_study", "study"),
    Index("images_instance", "instance"),
)
"""Accepted images. `id` is the SHA-256 of the received file, `way` is `dicom` or `stow`.
`instance`, `study`, `accession` and `patient` are keyed hashes, known once the header was read.
`kept` is false once the file was deleted for its age."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("image", ForeignKey("images.id"), nullable=False, unique=True),
    Column("state", String(16), nullable=False, default=State.SCHEDULED),
    Column("attempts", Integer, nullable=False, default=0),
    Column("not_before", Float, nullable=False, default=0.0),
    Column("owner", String(_NAME)),
    Column("lease_until", Float),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("reason", Text),
    Index("jobs_waiting", "state", "id"),
    sqlite_autoincrement=True,
)
"""One job an image. A worker that claims one is its `owner` until `lease_until`; each claim counts
as an attempt. A CANCELED job's image is quarantined, with `reason`."""

results = Table(
    "results",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("image", ForeignKey("images.id"), nullable=False),
    Column("is_current", Boolean, nullable=False, default=True),
    Column("model_sha256", String(_ID), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("reason", Text),
    Column("document", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Index(
        "results_one_current",
        "image",
        unique=True,
        sqlite_where=text("is_current"),
        postgresql_where=text("is_current"),
    ),
    sqlite_autoincrement=True,
)
"""What became of an image: the database itself allows one current result each. `document` is the
image's entry of `docs/predictions.schema.json`, or `{}` if it was not processed."""

scores = Table(
    "scores",
    metadata,
    Column("result", ForeignKey("results.id"), primary_key=True),
    Column("finding", String(_NAME), primary_key=True),
    Column("score", Float, nullable=False),
    Column("probability", Float),
    Column("certainty", String(16)),
    Index("scores_by_finding", "finding", "score"),
)
"""The image scores of a result, to sort and filter by; `certainty` is null below both levels."""

objects = Table(
    "objects",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("result", ForeignKey("results.id"), nullable=False),
    Column("sop_class", String(_ID), nullable=False),
    Column("instance_uid", String(_ID), nullable=False),
    Column("series_uid", String(_ID), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("sha256", String(_ID), nullable=False),
    Index("objects_result", "result"),
    Index("objects_instance", "instance_uid"),
    sqlite_autoincrement=True,
)
"""The DICOM objects of a result; their UIDs are ribsight's own."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("object", ForeignKey("objects.id"), nullable=False),
    Column("destination", String(_NAME), nullable=False),
    Column("state", String(16), nullable=False, default=State.SCHEDULED),
    Column("attempts", Integer, nullable=False, default=0),
    Column("reason", Text),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    UniqueConstraint("object", "destination"),
    Index("deliveries_waiting", "destination", "state", "id"),
    sqlite_autoincrement=True,
)
"""One object to one destination; each destination gets them in the order of `id`."""

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("event", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Events on their way to the audit log: written with what they tell of, taken away once there."""
