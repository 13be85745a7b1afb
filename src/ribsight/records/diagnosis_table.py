"""A CSV of image-level diagnoses, one row an image, with a mapping of its columns."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ribsight.csv_rows import filled_rows
from ribsight.errors import RibsightError, nearest
from ribsight.findings import (
    Acuity,
    DiagnosisState,
    NamedRib,
    Side,
    check_finding_name,
    read_ribs,
)

_SEPARATORS = ",;\t"
_STATES = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "positive"), DiagnosisState.POSITIVE),
    **dict.fromkeys(("0", "0.0", "false", "no", "negative"), DiagnosisState.NEGATIVE),
    **dict.fromkeys(("-1", "-1.0", "uncertain"), DiagnosisState.UNCERTAIN),
    **dict.fromkeys(("", "unknown"), DiagnosisState.UNKNOWN),
}


@dataclass(frozen=True)
class ColumnMapping:
    """Which column of the table holds what.

    Attributes:
        image: the image's file name, with or without folder and ending.
        findings: the column of each finding, by the finding's name.
        patient: the patient, if the table knows it.
        group: what a split must keep together, if not the patient.
        keep: further columns to keep as text.

    Raises:
        RibsightError: no finding, or a name that cannot name a finding.
    """

    image: str
    findings: Mapping[str, str]
    patient: str | None = None
    group: str | None = None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.findings:
            raise RibsightError(
                "no finding is mapped to a column: give one, like fracture=fractured"
            )
        for name in self.findings:
            check_finding_name(name)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns the table must have."""
        optional = [one for one in (self.patient, self.group) if one is not None]
        return (self.image, *optional, *self.findings.values(), *self.keep)


@dataclass(frozen=True)
class DiagnosisRow:
    """One row of the table.

    Attributes:
        row: its number as a spreadsheet shows it; the header is row 1.
        image: the image as the table names it.
        states: what the row says of each finding.
        patient: None if blank or not mapped.
        group: None if blank or not mapped.
        kept: the further columns, by name.
        acuities, sides, ribs, evidence: of each finding whose columns the table has, see
            `read_diagnosis_table`.
    """

    row: int
    image: str
    states: Mapping[str, DiagnosisState]
    patient: str | None = None
    group: str | None = None
    kept: Mapping[str, str] = field(default_factory=dict)
    acuities: Mapping[str, Acuity] = field(default_factory=dict)
    sides: Mapping[str, Side] = field(default_factory=dict)
    ribs: Mapping[str, tuple[NamedRib, ...]] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DiagnosisTable:
    """All rows of one file, in its order."""

    path: Path
    mapping: ColumnMapping
    rows: tuple[DiagnosisRow, ...]

    def evidence(self, row: DiagnosisRow, finding: str) -> str:
        """Return where the table says so: file, row and column, and what it says it rests on."""
        place = f"{self.path.name}, row {row.row}, column {self.mapping.findings[finding]}"
        rests_on = row.evidence.get(finding)
        return f"{place}: {rests_on}" if rests_on else place


def read_diagnosis_table(path: Path, mapping: ColumnMapping) -> DiagnosisTable:
    """Read a CSV separated by commas, semicolons or tabs.

    Cells of findings, in any case: 1/0, true/false, yes/no, positive/negative; -1 or uncertain;
    blank or unknown. A finding of column C takes its acuity, side, ribs (`left 4; left 5`) and
    evidence from the columns `C_acuity`, `C_side`, `C_ribs` and `C_evidence`, if there are such;
    `ribsight label` writes them.

    Raises:
        RibsightError: no such file, not UTF-8, empty, a missing or doubled column, a cell that
            says none of these, a row of another length than the header, or an image in two rows.
    """
    header, records = read_cells(path)
    check_header(path, header, mapping)
    rows = []
    first: dict[str, int] = {}
    for number, cells in records:
        row = diagnosis_row(path, number, dict(zip(header, cells, strict=True)), mapping)
        if row.image in first:
            raise RibsightError(
                f"{path}: rows {first[row.image]} and {number} are both about {row.image}; keep one"
            )
        first[row.image] = number
        rows.append(row)
    if not rows:
        raise RibsightError(f"{path} has a header but no row")
    return DiagnosisTable(path, mapping, tuple(rows))


def read_cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header's cells, and (row number, cells) of every row that is not blank.

    Raises:
        RibsightError: not readable, not UTF-8, empty, a row longer or shorter than the header, or a
            quotation that does not end.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RibsightError(
            f"{path} is not UTF-8 text: save it as 'CSV UTF-8' ({error.reason})"
        ) from error
    if not text.strip():
        raise RibsightError(f"{path} is empty")
    first_line = text.lstrip().splitlines()[0]
    separator = max(_SEPARATORS, key=first_line.count)
    filled = filled_rows(io.StringIO(text, newline=""), separator, path)
    try:
        _, header = next(filled)
    except StopIteration:
        raise RibsightError(f"{path} is empty") from None
    return header, list(filled)


def check_header(path: Path, header: Sequence[str], mapping: ColumnMapping) -> None:
    """Check that every column the mapping names is there once.

    Raises:
        RibsightError: naming the column that is missing or doubled.
    """
    for column in mapping.columns:
        if column not in header:
            raise RibsightError(
                f"{path} has no column '{column}'{nearest(column, header)}; "
                f"its columns are: {', '.join(header)}"
            )
        if header.count(column) > 1:
            raise RibsightError(f"{path} has {header.count(column)} columns named '{column}'")


def diagnosis_row(
    path: Path, number: int, cells: Mapping[str, str], mapping: ColumnMapping
) -> DiagnosisRow:
    """Read what one row says.

    Args:
        path: of the table, for messages.
        number: of the row in the file.
        cells: by column.
        mapping: which columns mean what.

    Raises:
        RibsightError: naming row and column that say nothing known.
    """
    if not cells[mapping.image]:
        raise RibsightError(f"{path}, row {number} names no image in column '{mapping.image}'")
    return DiagnosisRow(
        row=number,
        image=cells[mapping.image],
        states={
            finding: _state(path, number, column, cells[column])
            for finding, column in mapping.findings.items()
        },
        patient=cells[mapping.patient] or None if mapping.patient else None,
        group=cells[mapping.group] or None if mapping.group else None,
        kept={column: cells[column] for column in mapping.keep},
        acuities=_details(path, number, cells, mapping, "acuity", Acuity),
        sides=_details(path, number, cells, mapping, "side", Side),
        ribs=_ribs(path, number, cells, mapping),
        evidence={
            finding: cells[f"{column}_evidence"]
            for finding, column in mapping.findings.items()
            if cells.get(f"{column}_evidence")
        },
    )


_DetailT = TypeVar("_DetailT", Acuity, Side)


def _details(
    path: Path,
    number: int,
    cells: Mapping[str, str],
    mapping: ColumnMapping,
    detail: str,
    kind: type[_DetailT],
) -> dict[str, _DetailT]:
    found = {}
    for finding, column in mapping.findings.items():
        cell = cells.get(f"{column}_{detail}", "").lower()
        if not cell:
            continue
        try:
            found[finding] = kind(cell)
        except ValueError:
            raise RibsightError(
                f"{path}, row {number}, column '{column}_{detail}' is none of {', '.join(kind)}"
            ) from None
    return found


def _ribs(
    path: Path, number: int, cells: Mapping[str, str], mapping: ColumnMapping
) -> dict[str, tuple[NamedRib, ...]]:
    found = {}
    for finding, column in mapping.findings.items():
        cell = cells.get(f"{column}_ribs", "")
        try:
            ribs = read_ribs(cell)
        except ValueError as error:
            raise RibsightError(f"{path}, row {number}, column '{column}_ribs': {error}") from None
        if ribs:
            found[finding] = ribs
    return found


def _state(path: Path, number: int, column: str, cell: str) -> DiagnosisState:
    try:
        return _STATES[cell.lower()]
    except KeyError:
        raise RibsightError(
            f"{path}, row {number}, column '{column}' says '{cell}'; use 1, 0, "
            "-1 (uncertain) or leave it blank (unknown)"
        ) from None
