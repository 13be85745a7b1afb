"""What the columns of a table mean, and what may stay in each.

Every column is accounted for: by its name, by what its cells are, or by the user. One that is not
stops the run, so that no column passes because nobody thought of it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ribsight.deidentification.values import is_date_like
from ribsight.errors import RibsightError, nearest


class Kind(StrEnum):
    """What a column holds."""

    PATIENT = "patient"
    STUDY = "study"
    ACCESSION = "accession"
    UID = "uid"
    IMAGE = "image"
    DATE = "date"
    AGE = "age"
    KEEP = "keep"
    DROP = "drop"


DECLARED = tuple(kind for kind in Kind if kind not in (Kind.KEEP, Kind.DROP))

_BY_NAME = {
    **dict.fromkeys(("patient_id", "patient"), Kind.PATIENT),
    **dict.fromkeys(("study_id", "study"), Kind.STUDY),
    **dict.fromkeys(("accession_number", "accession"), Kind.ACCESSION),
    **dict.fromkeys(
        ("study_uid", "series_uid", "sop_instance_uid", "StudyInstanceUID", "SeriesInstanceUID",
         "SOPInstanceUID"),
        Kind.UID,
    ),
    **dict.fromkeys(("image_id", "image", "radiograph"), Kind.IMAGE),
    **dict.fromkeys(("study_date", "encounter_date", "date"), Kind.DATE),
    **dict.fromkeys(("age", "patient_age"), Kind.AGE),
}  # fmt: skip
_TEXT = frozenset({"report", "findings", "impression", "text", "evidence", "comment", "comments"})
_WORDS = frozenset(
    {"", "0", "1", "-1", "0.0", "1.0", "-1.0", "true", "false", "yes", "no",
     "positive", "negative", "uncertain", "unknown", "acute", "healing", "old", "left", "right",
     "both", "bilateral", "none", "train", "val", "test", "m", "f", "o", "u",
     "pa", "ap", "ll", "rl", "lld", "rld", "llo", "rlo", "lao", "rao", "lpo", "rpo", "lateral",
     "frontal", "oblique", "posteroanterior", "anteroposterior", "cr", "dx",
     "icd-10-cm", "icd-9-cm", "icd-10-who", "icd-10-gm"}
)  # fmt: skip
_CODE = re.compile(r"[A-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,5})?|[EV]?\d{2,3}(\.\d{1,2})?", re.IGNORECASE)
_CODES_APART = re.compile(r"[;,|\s]+")
_LONGEST = 40
_MOST_WORDS = 4


@dataclass(frozen=True)
class Declared:
    """What the user says about columns, by name, of all tables that have them.

    Attributes:
        kinds: what columns hold.
        keep: columns that stay as they are.
        drop: columns that go.
    """

    kinds: Mapping[str, Kind]
    keep: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()

    @property
    def names(self) -> set[str]:
        """All columns that are named."""
        return {*self.kinds, *self.keep, *self.drop}


def kinds_of(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], declared: Declared
) -> list[Kind]:
    """Return what each column of a table holds.

    Raises:
        RibsightError: columns that nobody has accounted for, or kept ones that hold free text,
            dates or identifiers of their row.
    """
    kinds: list[Kind | None] = []
    for index, name in enumerate(header):
        kinds.append(_kind(name, (row[index] for row in rows), declared))
    open_ones = [name for name, kind in zip(header, kinds, strict=True) if kind is None]
    if open_ones:
        texts = [name for name in open_ones if _is_text(name)]
        about = (
            f"; free text such as '{texts[0]}' is not de-identified: label it first with "
            "`ribsight label`, then drop it"
            if texts
            else ""
        )
        raise RibsightError(
            f"{path}: what may stay of the columns {', '.join(open_ones)} is not known: give each "
            f"--drop-column, --keep-column or --column KIND=NAME ({', '.join(DECLARED)}){about}"
        )
    settled = [kind for kind in kinds if kind is not None]
    _check_kept(path, header, rows, settled)
    return settled


def _kind(name: str, cells: Iterable[str], declared: Declared) -> Kind | None:
    if name in declared.drop:
        return Kind.DROP
    if name in declared.keep:
        return Kind.KEEP
    known = declared.kinds.get(name, _BY_NAME.get(name))
    if known is not None or _is_text(name):
        return known
    if name in ("code", "codes"):
        are_known = all(
            _CODE.fullmatch(one) for cell in cells for one in _CODES_APART.split(cell) if one
        )
    else:
        are_known = all(cell.lower() in _WORDS for cell in cells)
    return Kind.KEEP if are_known else None


def _is_text(name: str) -> bool:
    return name.lower().rpartition("_")[2] in _TEXT


def _check_kept(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], kinds: Sequence[Kind]
) -> None:
    """Refuse kept cells that look like what has to go; a message never quotes a cell."""
    keyed = [
        index
        for index, kind in enumerate(kinds)
        if kind in (Kind.PATIENT, Kind.STUDY, Kind.ACCESSION, Kind.UID, Kind.IMAGE)
    ]
    identifiers = {row[index] for row in rows for index in keyed if len(row[index]) > 2}
    for number, row in enumerate(rows, start=2):
        for index, kind in enumerate(kinds):
            cell = row[index]
            if kind is not Kind.KEEP or cell.lower() in _WORDS:
                continue
            what = (
                "free text"
                if len(cell) > _LONGEST or len(cell.split()) > _MOST_WORDS
                else "a date"
                if is_date_like(cell)
                else "an identifier that other columns hold"
                if cell in identifiers
                else ""
            )
            if what:
                raise RibsightError(
                    f"{path}, row {number}, column '{header[index]}' is to be kept and holds what "
                    f"looks like {what}: drop the column, or say what it is with --column"
                )


def parse_kinds(pairs: Iterable[tuple[str, str]]) -> dict[str, Kind]:
    """Return kinds by column from (kind, column).

    Raises:
        RibsightError: no such kind, or a column of two kinds.
    """
    kinds: dict[str, Kind] = {}
    for kind, column in pairs:
        if kind not in DECLARED:
            raise RibsightError(
                f"--column {kind}={column}: a column is one of {', '.join(DECLARED)}"
                f"{nearest(kind, DECLARED)}"
            )
        if kinds.setdefault(column, Kind(kind)) != kind:
            raise RibsightError(f"--column says twice what {column} is")
    return kinds
