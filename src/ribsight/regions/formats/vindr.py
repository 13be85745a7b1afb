"""The CSV of VinDr-CXR and VinBigData: one row a box and reader, or "No finding".

image_id, class_name, class_id, rad_id, x_min, y_min, x_max, y_max; the order is free, class_id and
rad_id may be missing, width and height may be there. Corners are continuous: x_max - x_min is the
width. Source: https://physionet.org/content/vindr-cxr/1.0.0/.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.files import write_text
from ribsight.regions.annotations import Annotations, Collector, Fault, UnusableError
from ribsight.regions.formats.format import Format, Holds, ReadOptions, csv_number
from ribsight.regions.geometry import checked_box, number
from ribsight.regions.image_sizes import KnownImages
from ribsight.regions.source import Source

NO_FINDING = "No finding"
_CORNERS = ("x_min", "y_min", "x_max", "y_max")
_NEEDED = ("image_id", "class_name", *_CORNERS)
_COLUMNS = ["image_id", "class_name", "class_id", "rad_id", *_CORNERS]


def recognises(source: Source) -> bool:
    """Whether the header has VinDr's columns."""
    return set(_NEEDED) <= set(source.header)


def read(source: Source, options: ReadOptions) -> Annotations:  # noqa: ARG001
    """Read the rows; a class without a box is a label of the whole image."""
    collector = Collector(source.name)
    table = source.table(_NEEDED)
    for category in _by_class_id(row for _, row in table):
        collector.category(category)
    for where, row in table:
        name, category, reader = row["image_id"], row["class_name"], row.get("rad_id", "")
        if not name:
            raise RibsightError(f"{where}: no image_id")
        with collector.entry(where):
            collector.image(name, _size(row), reader=reader, where=where)
            corners = [row[one] for one in _CORNERS]
            is_blank = not any(corners)
            if category.casefold() == NO_FINDING.casefold():
                # The 2nd stage of VinBigData gives "No finding" a box of one pixel.
                if not is_blank and [number(one, NO_FINDING) for one in corners] != [0, 0, 1, 1]:
                    raise UnusableError(Fault.REFERENCE, f"{NO_FINDING} with a box")
            elif not category:
                raise UnusableError(Fault.REFERENCE, "no class_name")
            elif is_blank:
                collector.image(name, reader=reader, label=category)
            else:
                values = [number(row[one], one) for one in _CORNERS]
                x0, y0, x1, y1 = values
                collector.box(name, category, checked_box(x0, y0, x1, y1), where, reader=reader)
    return collector.done()


def _by_class_id(rows: Iterable[dict[str, str]]) -> list[str]:
    """Return the classes in the order of their numbers, so that these stay what they are."""
    number_of = {row["class_name"]: row.get("class_id", "") for row in rows}
    named = [one for one in number_of if one and one.casefold() != NO_FINDING.casefold()]
    if all(number_of[one].isdecimal() for one in named):
        named.sort(key=lambda one: int(number_of[one]))
    return named


def _size(row: dict[str, str]) -> tuple[int, int] | None:
    try:
        return int(float(row["width"])), int(float(row["height"]))
    except (KeyError, ValueError, OverflowError):
        return None


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:  # noqa: ARG001
    """Write one row a box, and "No finding" for every reader of an image who drew nothing."""
    number_of = {name: str(index) for index, name in enumerate(annotations.categories)}
    last = str(len(number_of))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for name, regions in annotations.by_image().items():
        image = annotations.images[name]
        said = {one.reader for one in regions} | {one.reader for one in image.labels}
        for region in regions:
            corners = [csv_number(one) for one in region.box_to_write]
            writer.writerow(
                [name, region.finding, number_of[region.finding], region.reader, *corners]
            )
        for label in image.labels:
            class_id = number_of.get(label.name, "")
            writer.writerow([name, label.name, class_id, label.reader, *[""] * 4])
        silent = [reader for reader in image.readers if reader not in said]
        if not silent and not said:
            silent = [""]
        for reader in silent:
            writer.writerow([name, NO_FINDING, last, reader, *[""] * 4])
    write_text(path, text.getvalue())
    return []


VINDR = Format(
    name="vindr",
    title="VinDr-CXR / VinBigData CSV",
    recognises=recognises,
    read=read,
    write=write,
    holds=frozenset(
        {Holds.CATEGORIES, Holds.NEGATIVES, Holds.READERS, Holds.READERS_OF_IMAGES, Holds.LABELS}
    ),
)
