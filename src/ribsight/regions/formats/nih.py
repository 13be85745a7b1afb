"""`BBox_List_2017.csv` of NIH ChestX-ray14: boxes only, of positive images.

The header `Image Index,Finding Label,Bbox [x,y,w,h],,,` has more columns than it has names, as the
comma within the brackets splits one; the values are x, y, width, height in that order, and three
empty values may follow. Numbers have fractions, because they were drawn on reduced images.
Source: https://nihcc.app.box.com/v/ChestXray-NIHCC.
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

_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"


def recognises(source: Source) -> bool:
    """Whether the header starts as NIH's does."""
    return source.header[:2] == ("Image Index", "Finding Label") and any(
        one.startswith("Bbox") for one in source.header
    )


def read(source: Source, options: ReadOptions) -> Annotations:  # noqa: ARG001
    """Read the rows by position: image, finding, x, y, width, height."""
    collector = Collector(source.name)
    for line, row in source.rows():
        where = f"{source.name}, row {line}"
        if len(row) < 6:
            raise RibsightError(f"{where}: {len(row)} values, not image, finding, x, y, w, h")
        name, category = row[0].strip(), row[1].strip()
        if not name:
            raise RibsightError(f"{where}: no image")
        collector.image(name)
        with collector.entry(where):
            if not category:
                raise UnusableError(Fault.REFERENCE, "no finding")
            if any(one.strip() for one in row[6:]):
                raise UnusableError(Fault.REFERENCE, f"{len(row)} values, but a box has four")
            names = ("x", "y", "w", "h")
            x, y, w, h = (number(v, n) for v, n in zip(row[2:6], names, strict=True))
            collector.box(name, category, sized_box(x, y, w, h), where)
    return collector.done()


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:  # noqa: ARG001
    """Write one row a box, with NIH's header and trailing commas."""
    text = io.StringIO(newline="")
    text.write(_HEADER + "\n")
    writer = csv.writer(text, lineterminator="\n")
    for regions in annotations.by_image().values():
        for region in regions:
            x0, y0, x1, y1 = region.box_to_write
            box = map(csv_number, (x0, y0, x1 - x0, y1 - y0))
            writer.writerow([region.radiograph, region.finding, *box, "", "", ""])
    write_text(path, text.getvalue())
    return []


NIH = Format(
    name="nih",
    title="NIH ChestX-ray14 BBox CSV",
    recognises=recognises,
    read=read,
    write=write,
    holds=frozenset({Holds.CATEGORIES}),
)
