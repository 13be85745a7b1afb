"""A table of trainings: which method learned from how many regions, and where its marks are."""

from dataclasses import dataclass
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.evaluation.inputs.csv_table import read_csv, require


@dataclass(frozen=True)
class RunRow:
    """One training: its method, the number of drawn regions it had, the file of its marks."""

    method: str
    regions: float
    marks: Path


def read_runs(path: Path) -> list[RunRow]:
    """Read a CSV with the columns `method`, `regions` and `marks`; others are left aside.

    Paths are relative to the table's folder.

    Raises:
        RibsightError: no such file or column, no row, a method without a name, a number of regions
            below 0, a file of marks that is not there or is listed twice; with the row.
    """
    table = read_csv(path)
    require(table, "method", "regions", "marks")
    rows: list[RunRow] = []
    for row, cells in enumerate(table.rows):
        regions = table.number(row, "regions")
        marks = path.parent / cells["marks"]
        if not cells["method"]:
            raise RibsightError(f"{table.where(row)}: no method is named")
        if regions < 0:
            raise RibsightError(f"{table.where(row)}: regions is {regions:g}, below 0")
        if not marks.is_file():
            raise RibsightError(f"{table.where(row)}: there is no file of marks {marks}")
        if any(one.marks == marks for one in rows):
            raise RibsightError(f"{table.where(row)}: {cells['marks']} is listed twice")
        rows.append(RunRow(cells["method"], regions, marks))
    if not rows:
        raise RibsightError(f"{path} lists no training")
    return rows
