"""Cells of a cohort that name ribs: checked where a cohort is loaded, for people edit tables."""

from pathlib import Path

import polars as pl

from ribsight.errors import RibsightError
from ribsight.findings import read_ribs


def check_ribs(diagnoses: pl.DataFrame, path: Path) -> None:
    """Refuse a table of diagnoses whose column `ribs` holds what names no rib.

    Args:
        diagnoses: with the column `ribs`, null where no rib is named.
        path: of the table, for messages.

    Raises:
        RibsightError: naming the file, the row and the cell.
    """
    if diagnoses.schema["ribs"] not in (pl.String, pl.Null):
        raise RibsightError(
            f"{path}, column 'ribs' is of type {diagnoses.schema['ribs']}, not text like 'left 4'"
        )
    for text in diagnoses["ribs"].drop_nulls().unique(maintain_order=True):
        try:
            read_ribs(text)
        except ValueError as error:
            row = diagnoses["ribs"].to_list().index(text)
            radiograph, finding = diagnoses.select("radiograph", "finding").row(row)
            raise RibsightError(
                f"{path}, radiograph {radiograph}, {finding} (row {row}, the first is row 0), "
                f"column 'ribs': {error}"
            ) from None
