"""The rows of a CSV with their numbers, as people who mend them see them in a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from ribsight.errors import RibsightError


def filled_rows(
    lines: Iterable[str], separator: str, path: Path, first: int = 1, width: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield number and stripped cells of every row that is not blank; blank rows are counted.

    Args:
        lines: of the table.
        separator: of its cells.
        path: for messages.
        first: number of the first of these rows.
        width: cells of a row; 0: as many as the first row has.

    Raises:
        RibsightError: a quotation that does not end or goes on behind its end, or a row of another
            width.
    """
    reader = csv.reader(lines, delimiter=separator, strict=True)
    number = first
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            # The row itself may name a patient.
            raise RibsightError(
                f"{path}, row {number} cannot be read ({error}): a quotation mark there may be "
                "missing or too many"
            ) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            width = width or len(cells)
            if len(cells) != width:
                raise RibsightError(
                    f"{path}, row {number} has {len(cells)} cells, the header has {width}"
                )
            yield number, [cell.strip() for cell in cells]
        number += 1
