"""A CSV as text with known column names and row numbers, so that every complaint can name its row.

Column names are compared without regard to case; the names of well-known data sets are understood.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ribsight.csv_rows import filled_rows
from ribsight.errors import RibsightError

_SAME = {
    "image": ("image_id", "image_index", "radiograph", "sopinstanceuid", "file_name", "patientid"),
    "finding": ("class_name", "finding_label", "label", "category"),
    "x0": ("x_min", "xmin"),
    "y0": ("y_min", "ymin"),
    "x1": ("x_max", "xmax"),
    "y1": ("y_max", "ymax"),
    "reader": ("rad_id", "annotator"),
    "patient": ("patient_id",),
    "state": ("target",),
    "spacing": ("mm_per_px", "mm_per_pixel", "pixel_spacing", "spacing_mm"),
    "score": ("confidence", "probability"),
}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EMPTY = "{path} is empty: it needs a row of column names"
TRUE, FALSE = {"1", "true", "yes"}, {"0", "false", "no", ""}


@dataclass(frozen=True, eq=False)
class CsvTable:
    """Rows as text by known column name; empty text where a cell is empty.

    Attributes:
        path: of the file.
        columns: in order.
        rows: one mapping a row of the file; blank rows are left out.
        numbers: of each of these rows in the file, where the header is 1 and blank rows count.
        decimal_comma: whether 0,5 is a half, as in files that part cells by semicolons.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    numbers: tuple[int, ...]
    decimal_comma: bool = False

    def where(self, row: int) -> str:
        """Return file and row for a message."""
        return f"{self.path.name}, row {self.numbers[row]}"

    def number(self, row: int, column: str) -> float:
        """Return a cell as a finite number.

        Raises:
            RibsightError: it is empty, text, NaN or infinite.
        """
        text = self.rows[row].get(column, "")
        try:
            value = float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise RibsightError(
                f"{self.where(row)}: {column} is '{text}', which is no finite number"
            )
        return value

    def box(self, row: int) -> tuple[float, float, float, float] | None:
        """Return the row's box as x0, y0, x1, y1, or None if it has none.

        Raises:
            RibsightError: a corner is missing or no number, or the box has no area.
        """
        names = ("x0", "y0", "x1", "y1")
        if "x0" not in self.columns and "box_width" in self.columns:
            names = ("x", "y", "box_width", "box_height")
        if not any(self.rows[row].get(name) for name in names):
            return None
        a, b, c, d = (self.number(row, name) for name in names)
        x0, y0, x1, y1 = (a, b, c, d) if names[0] == "x0" else (a, b, a + c, b + d)
        if not (x1 > x0 and y1 > y0):
            raise RibsightError(
                f"{self.where(row)}: the box {x0:g}, {y0:g}, {x1:g}, {y1:g} has no area; corners "
                "are x0, y0 (top left) and x1, y1 (bottom right)"
            )
        return x0, y0, x1, y1


def read_csv(path: Path) -> CsvTable:
    """Read a CSV, as text; cells may be parted by commas, semicolons or tabs.

    Raises:
        RibsightError: no such file, no text in UTF-8, no CSV, no header, or two columns of one
            meaning.
    """
    try:
        content = path.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror or error}") from error
    separator = _separator(path, content)
    text = io.StringIO(content.decode("utf-8"), newline="")
    filled = list(filled_rows(text, separator, path))
    if not filled:
        raise RibsightError(_EMPTY.format(path=path))
    columns = filled.pop(0)[1]
    names = [_known(name, columns) for name in columns]
    for name in names:
        if names.count(name) > 1:
            twice = [own for own, known in zip(columns, names, strict=True) if known == name]
            raise RibsightError(
                f"{path}: the columns {', '.join(twice)} both mean '{name}': rename one of them"
            )
    rows = tuple(dict(zip(names, cells, strict=True)) for _, cells in filled)
    numbers = tuple(number for number, _ in filled)
    return CsvTable(path, tuple(names), rows, numbers, decimal_comma=separator == ";")


def _separator(path: Path, content: bytes) -> str:
    """Return what parts the cells of the header: the one there is most of."""
    if not content.strip():
        raise RibsightError(_EMPTY.format(path=path))
    if b"\0" in content[:1000]:
        raise RibsightError(f"{path} is no text: save it as CSV in UTF-8")
    try:
        header = content.decode("utf-8").lstrip().splitlines()[0]
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RibsightError(f"{path}, row {line} is not in UTF-8: save it as UTF-8") from error
    if header.startswith(("{", "[")):
        raise RibsightError(f"{path} holds JSON, not CSV: give its name the ending .json")
    return max(",;\t", key=header.count)


def require(table: CsvTable, *columns: str) -> None:
    """Hold that the columns are there. Raises RibsightError naming the first that is not."""
    for name in columns:
        if name not in table.columns:
            raise RibsightError(
                f"{table.path} has no column '{name}'; it has {', '.join(table.columns)}"
            )


def _known(name: str, all_names: list[str]) -> str:
    plain = [one.strip().lower().replace(" ", "_") for one in all_names]
    own = name.strip().lower().replace(" ", "_")
    for known, others in _SAME.items():
        if own in others and known not in plain and _first(plain, others) == own:
            return known
    # x, y, width, height is a box; beside corners, width and height are the image's.
    corners = any(one in plain for one in ("x0", *_SAME["x0"]))
    if own in {"width", "height"}:
        return f"image_{own}" if corners or "x" not in plain else f"box_{own}"
    return own


def _first(plain: list[str], others: tuple[str, ...]) -> str:
    return next(one for one in others if one in plain)
