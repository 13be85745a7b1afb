"""The tables of readers' reviews and of records; images are those of the service's own tables."""

from sqlalchemy import (
    Boolean,
    Column,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from ribsight.deployment.service import tables

_ID = 64
_NAME = 64

reviews = Table(
    "triage_reviews",
    tables.metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("review", String(36), nullable=False, unique=True),
    Column("image", ForeignKey("images.id"), nullable=False),
    Column("reader", String(_NAME), nullable=False),
    Column("number", Integer, nullable=False),
    Column("model_sha256", String(_ID), nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Column("saved_at", Float, nullable=False),
    UniqueConstraint("image", "reader", "number"),
    Index("triage_reviews_by_reader", "reader", "image"),
    sqlite_autoincrement=True,
)
"""Every review that was ever saved; rows are added, never changed. Of one image and reader the row
with the largest `number` counts: 1, 2, ... in the order of saving, so that of two saved at the same
moment the database refuses one. `review` is the page's own id, `document` a `review.Review`."""

records = Table(
    "triage_records",
    tables.metadata,
    Column("by", String(16), primary_key=True),
    Column("key", String(_ID), primary_key=True),
    Column("finding", String(_NAME), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("acuity", String(16), nullable=False),
    Column("side", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("imported_at", Float, nullable=False),
)
"""What records say. `by` is `image`, `study` or `accession`; `key` is the keyed hash of that
identifier, or the SHA-256 of an image's file."""


def prepare(engine: Engine) -> None:
    """Make these tables where they are missing."""
    tables.metadata.create_all(engine, tables=[reviews, records])
