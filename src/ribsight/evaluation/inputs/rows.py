"""What files of truth say, row by row, before it becomes arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ribsight.regions import Box, Polygon


@dataclass(frozen=True)
class ImageRow:
    """One image.

    Attributes:
        name: as the file gives it.
        where: file and row, for messages.
        patient: empty if not known.
        group: what to resample as one; the patient if empty.
        width: stored pixels, None if not known.
        height: likewise.
        spacing: mm per stored pixel, None if not known.
        columns: for strata.
    """

    name: str
    where: str
    patient: str = ""
    group: str = ""
    width: float | None = None
    height: float | None = None
    spacing: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class RegionRow:
    """One drawn region.

    Attributes:
        image: name of its image.
        finding: of what.
        box: x0, y0, x1, y1 in stored pixels.
        outline: the polygons, empty if a box was drawn.
        reader: who drew it; empty if not known.
        ignore: whether it is an ignore region.
        where: file and row, for messages.
        columns: for strata.
    """

    image: str
    finding: str
    box: Box
    outline: tuple[Polygon, ...] = ()
    reader: str = ""
    ignore: bool = False
    where: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StateRow:
    """What one reader says of a finding (or of all, if empty) on an image without drawing it."""

    image: str
    finding: str
    state: str
    reader: str = ""
    where: str = ""


@dataclass(frozen=True, eq=False)
class TruthRows:
    """All rows of the files of truth.

    Attributes:
        images: in order.
        regions: in order.
        states: in order.
        findings: that the files declare, with or without a region.
        coco_images: image name by its id in a COCO file.
        coco_categories: finding by its id in a COCO file.
    """

    images: Sequence[ImageRow]
    regions: Sequence[RegionRow]
    states: Sequence[StateRow]
    findings: Sequence[str]
    coco_images: Mapping[object, str] = field(default_factory=dict)
    coco_categories: Mapping[object, str] = field(default_factory=dict)
