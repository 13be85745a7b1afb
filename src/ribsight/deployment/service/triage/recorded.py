"""Which imported records speak of an image, and what they say together.

The list, the view of one image and the exported feedback must mean the same by "the record".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, and_, case, or_, select

from ribsight.deployment.service import tables as service
from ribsight.deployment.service.triage.records import RANKS
from ribsight.deployment.service.triage.tables import records
from ribsight.findings import Acuity, DiagnosisState, Side


@dataclass(frozen=True)
class Recorded:
    """What records say of one finding of an image."""

    state: DiagnosisState
    acuity: Acuity
    side: Side


def is_about(images: Table) -> ColumnElement[bool]:
    """Say that a record is about an image: by its file, instance, study or accession number."""
    return or_(
        and_(records.c.by == "image", records.c.key.in_([images.c.id, images.c.instance])),
        and_(records.c.by == "study", records.c.key == images.c.study),
        and_(records.c.by == "accession", records.c.key == images.c.accession),
    )


def records_of(connection: Connection, images: Sequence[str]) -> dict[str, dict[str, Recorded]]:
    """Return what records say of images and findings.

    Of several records of one finding the strongest state counts: positive, uncertain, negative.
    """
    query = (
        select(service.images.c.id, records)
        .select_from(service.images)
        .join(records, is_about(service.images))
        .where(service.images.c.id.in_(images))
        .order_by(state_rank())
    )
    known: dict[str, dict[str, Recorded]] = {}
    for row in connection.execute(query).mappings():
        state, acuity, side = (row[name] for name in ("state", "acuity", "side"))
        said = Recorded(DiagnosisState(state), Acuity(acuity), Side(side))
        known.setdefault(row["id"], {})[row["finding"]] = said
    return known


def state_rank() -> ColumnElement[int]:
    """Return how strong a record's state is, to compare records of one finding."""
    return case({state.value: rank for state, rank in RANKS.items()}, value=records.c.state)
