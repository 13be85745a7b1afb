"""The CSV of the RSNA pneumonia challenge: patientId, x, y, width, height, Target.

A row a box with Target 1, or one row with blanks and Target 0. It has one finding and no name for
it. x, y is the top-left corner, and width and height are continuous.
Source: https://www.kaggle.com/c/rsna-pneumonia-detection-challenge/data.
"""

import csv
import io
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.files import write_text
from ribsight.regions.annotations import Annotations, Collector, Fault, UnusableError
from ribsight.regions.formats.format import Format, Holds, ReadOptions, csv_number
from ribsight.regions.geometry import number, sized_box
from ribsight.regions.image_sizes import KnownImages
from ribsight.regions.source import Source

CATEGORY = "Lung Opacity"
"""What Target 1 means in the challenge's own table of classes."""

_COLUMNS = ("patientId", "x", "y", "width", "height", "Target")


def recognises(source: Source) -> bool:
    """Whether the header has RSNA's columns."""
    return set(_COLUMNS) <= set(source.header)


def read(source: Source, options: ReadOptions) -> Annotations:  # noqa: ARG001
    """Read the rows; Target 1 is `CATEGORY`."""
    collector = Collector(source.name)
    collector.category(CATEGORY)
    for where, row in source.table(_COLUMNS):
        name, target = row["patientId"], row["Target"]
        if not name:
            raise RibsightError(f"{where}: no patientId")
        collector.image(name)
        with collector.entry(where):
            if target not in ("0", "1", "0.0", "1.0"):
                raise UnusableError(Fault.REFERENCE, f"Target is {target!r}, not 0 or 1")
            values = [row[one] for one in _COLUMNS[1:5]]
            if target.startswith("0"):
                if any(values):
                    raise UnusableError(Fault.REFERENCE, "Target 0 with a box")
            elif not any(values):
                collector.image(name, label=CATEGORY)
            else:
                x, y, width, height = (number(row[one], one) for one in _COLUMNS[1:5])
                collector.box(name, CATEGORY, sized_box(x, y, width, height), where)
    return collector.done()


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:  # noqa: ARG001
    """Write one row a box, and Target 0 for an image without one.

    Raises:
        RibsightError: regions of several categories.
    """
    used = sorted({one.finding for one in annotations.regions})
    if len(used) > 1:
        raise RibsightError(
            f"RSNA CSV holds one kind of finding, not {', '.join(used)}: choose one with "
            "--classes, or give them one name with --category"
        )
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for name, regions in annotations.by_image().items():
        for region in regions:
            x0, y0, x1, y1 = region.box_to_write
            writer.writerow([name, *map(csv_number, (x0, y0, x1 - x0, y1 - y0)), 1])
        if not regions:
            is_labelled = bool(annotations.images[name].labels)
            writer.writerow([name, "", "", "", "", int(is_labelled)])
    write_text(path, text.getvalue())
    return []


RSNA = Format(
    name="rsna",
    title="RSNA pneumonia challenge CSV",
    recognises=recognises,
    read=read,
    write=write,
    holds=frozenset({Holds.NEGATIVES}),
)
