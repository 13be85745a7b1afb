"""What records say of images that the service has or will have."""

import string
import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, tuple_

from ribsight.cohort.columns import read_columns
from ribsight.cohort.join_rule import JoinBy, JoinRule
from ribsight.cohort.linking import read_records
from ribsight.deployment.service.store import Store
from ribsight.deployment.service.triage.tables import records
from ribsight.findings import Acuity, DiagnosisState, Side
from ribsight.records import ColumnMapping, DiagnosisRow, DiagnosisTable
from ribsight.regions import KnownImages

RANKS = {
    DiagnosisState.UNKNOWN: 0,
    DiagnosisState.NEGATIVE: 1,
    DiagnosisState.UNCERTAIN: 2,
    DiagnosisState.POSITIVE: 3,
}
"""Of several records of one image the one with the highest rank counts."""

_SHA256 = 64
_AT_ONCE = 200

Keyed = Callable[[str, str], str]
"""(purpose, identifier) -> its keyed hash."""


class By(StrEnum):
    """What a row of the table is about."""

    IMAGE = "image"
    """An image: its SOP instance UID, or the SHA-256 of its file."""
    STUDY = "study"
    """All images of a StudyInstanceUID."""
    ACCESSION = "accession"
    """All images of an order."""


_PURPOSE = {By.IMAGE: "instance", By.STUDY: "study", By.ACCESSION: "accession"}


def read_table(
    path: Path, by: By, column: str | None, findings: Mapping[str, str]
) -> DiagnosisTable:
    """Read a table of diagnoses, or the folder that `ribsight label` wrote.

    Args:
        path: CSV or folder.
        by: what its rows are about.
        column: that names it; None for the word itself.
        findings: the column of each finding; not needed for a folder.

    Raises:
        RibsightError: no such file, or no such table.
    """
    if path.is_dir():
        mapping = read_columns(path / "columns.toml").mapping()
        path = path / "diagnoses.csv"
    else:
        mapping = ColumnMapping(column or "image", findings)
    return read_records(path, mapping, JoinRule(JoinBy(by.value), key=column or by.value))


def import_records(
    store: Store, table: DiagnosisTable, by: By, keyed: Keyed, images: KnownImages | None = None
) -> int:
    """Keep what a table says; what was kept of the same images and findings before goes.

    Images may come later than their records. Identifiers are kept as keyed hashes. Of several rows
    about one study or order the strongest state counts.

    Args:
        store: of the service.
        table: rows about images, studies or orders.
        by: which of these the table's image column names.
        keyed: the service's keyed hashes.
        images: files by whose names the table calls images, with their SOP instance UIDs.

    Returns:
        How many images, studies or orders it says something of.
    """
    strongest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in table.rows:
        key = _key(row.image, by, keyed, images)
        for one in _rows(table, row):
            place = key, str(one["finding"])
            before = strongest.get(place)
            if before is None or _rank(one) > _rank(before):
                strongest[place] = {**one, "by": by.value, "key": key, "imported_at": time.time()}
    rows = list(strongest.values())
    with store.writing() as connection:
        for start in range(0, len(rows), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            keys = [(one["by"], one["key"], one["finding"]) for one in part]
            known = tuple_(records.c.by, records.c.key, records.c.finding)
            connection.execute(delete(records).where(known.in_(keys)))
            connection.execute(insert(records), part)
    return len({one["key"] for one in rows if one["state"] != DiagnosisState.UNKNOWN})


def _rank(row: Mapping[str, Any]) -> int:
    return RANKS[DiagnosisState(row["state"])]


def _key(name: str, by: By, keyed: Keyed, images: KnownImages | None) -> str:
    if by is not By.IMAGE:
        return keyed(_PURPOSE[by], name)
    known = images.find(name) if images else None
    name = (known.uid if known else None) or name
    is_hash = len(name) == _SHA256 and set(name) <= set(string.hexdigits)
    return name.lower() if is_hash else keyed(_PURPOSE[by], name)


def _rows(table: DiagnosisTable, row: DiagnosisRow) -> Iterable[dict[str, Any]]:
    for finding, state in row.states.items():
        yield {
            "finding": finding,
            "state": state.value,
            "acuity": row.acuities.get(finding, Acuity.UNKNOWN).value,
            "side": row.sides.get(finding, Side.UNKNOWN).value,
            # What a record rests on may quote a report: only the place is kept.
            "source": f"{table.path.name}, row {row.row}",
        }
