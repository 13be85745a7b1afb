"""Rows of a user's CSV, one at a time: columns by name, dates, and errors that name the row.

Cells never stand in a message: where columns are shifted, any cell may hold a report's text.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from ribsight.csv_rows import filled_rows
from ribsight.errors import RibsightError, nearest

_SEPARATORS = ",;\t|"
_LONGEST_CELL = 16 * 1024 * 1024
_ISO = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ].*)?")
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class TableFormat:
    """How a user's tables are written.

    Attributes:
        encoding: of the text.
        date_formats: further formats of dates, as `strptime` has them (`%d/%m/%Y`); ISO 8601 and
            yyyymmdd are always understood.
        columns: the user's names of columns, by ours (`report`, or `reports.report`).
    """

    encoding: str = "utf-8-sig"
    date_formats: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number as a spreadsheet shows it (the header is 1), and its cells."""

    number: int
    cells: Mapping[str, str]


def read_rows(
    path: Path, table: str, required: Sequence[str], optional: Sequence[str], form: TableFormat
) -> Iterator[Row]:
    """Yield the rows of a CSV that are not blank, with the cells of our columns, stripped.

    Optional columns that the file does not have are blank.

    Raises:
        RibsightError: no such file, another encoding, a missing or doubled column, a row of
            another length than the header, a quotation that does not end, or no row.
    """
    _check_encoding_name(form.encoding)
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding=form.encoding, newline="") as stream:
            yield from _rows(path, table, stream, required, optional, form)
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeError:
        # The error itself would quote bytes of the row.
        raise RibsightError(_not_this_encoding(path, form.encoding)) from None


def _rows(
    path: Path,
    table: str,
    stream: Iterator[str],
    required: Sequence[str],
    optional: Sequence[str],
    form: TableFormat,
) -> Iterator[Row]:
    first_line = next(stream, "")
    while first_line and not first_line.strip():
        first_line = next(stream, "")
    if not first_line.strip():
        raise RibsightError(f"{path} is empty")
    separator = max(_SEPARATORS, key=first_line.count)
    (header,) = csv.reader([first_line], delimiter=separator)
    header = [cell.strip().strip("\ufeff") for cell in header]
    places = _places(path, table, header, required, optional, form)
    is_empty = True
    for number, cells in filled_rows(stream, separator, path, first=2, width=len(header)):
        is_empty = False
        yield Row(
            number,
            {name: "" if place is None else cells[place] for name, place in places.items()},
        )
    if is_empty:
        raise RibsightError(f"{path} has a header but no row")


def _places(
    path: Path,
    table: str,
    header: Sequence[str],
    required: Sequence[str],
    optional: Sequence[str],
    form: TableFormat,
) -> dict[str, int | None]:
    places: dict[str, int | None] = {}
    for name in (*required, *optional):
        given = form.columns.get(f"{table}.{name}", form.columns.get(name))
        column = given or name
        if header.count(column) > 1:
            raise RibsightError(f"{path} has {header.count(column)} columns named '{column}'")
        if column in header:
            places[name] = header.index(column)
        elif name in optional and f"{table}.{name}" not in form.columns:
            places[name] = None
        else:
            raise RibsightError(
                f"{path} has no column '{column}'{nearest(column, header)}; its columns are: "
                f"{', '.join(header)}; name yours with --column {table}.{name}=YOURS"
            )
    return places


def day_of(cell: str, path: Path, row: int, column: str, form: TableFormat) -> int | None:
    """Return the day of a cell as a number (of the proleptic calendar), None if it is blank.

    Raises:
        RibsightError: it is no date of a known format; the message masks the cell.
    """
    if not cell:
        return None
    match = _ISO.fullmatch(cell)
    if match:
        with suppress(ValueError):
            return date(int(match[1]), int(match[2]), int(match[3])).toordinal()
    for one in form.date_formats:
        with suppress(ValueError):
            return datetime.strptime(cell, one).toordinal()
    raise RibsightError(
        f"{path}, row {row}, column '{column}' is no date of the form yyyy-mm-dd or yyyymmdd, but "
        f"of the form {masked(cell)}; declare others with --date-format, like %d/%m/%Y"
    )


def masked(cell: str) -> str:
    """Return the shape of a cell (`99/99/9999`), so that no message quotes what it holds."""
    shape = "".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in cell[:12])
    return shape + ("..." if len(cell) > len(shape) else "")


def _check_encoding_name(encoding: str) -> None:
    try:
        "".encode(encoding)
    except LookupError:
        raise RibsightError(
            f"'{encoding}' is no encoding; use utf-8, cp1252, latin-1 or utf-16"
        ) from None


def _not_this_encoding(path: Path, encoding: str) -> str:
    content = path.open("rb")
    with content:
        mark = content.read(2)
        content.seek(0)
        if mark in _BYTE_ORDER_MARKS:
            return f"{path} is UTF-16: give --encoding utf-16"
        number = 0
        for one in content:
            number += 1
            try:
                one.decode(encoding)
            except UnicodeError:
                break
    name = encoding.removesuffix("-sig").upper()
    return f"{path}, line {number} is not {name}: give --encoding cp1252, or save as 'CSV UTF-8'"
