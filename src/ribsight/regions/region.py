"""One drawn region in stored pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]
"""(P, 2) vertices x, y in stored pixels; origin at the top-left corner of the top-left pixel."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in stored pixels, same origin; x0 < x1 and y0 < y1."""

Attribute = str | int | float | bool


@dataclass(frozen=True, eq=False)
class Region:
    """What a reader drew around one lesion.

    Attributes:
        radiograph: id of the radiograph it lies on.
        finding: name of the finding.
        polygons: the outline as one or more closed polygons; a drawn box is its four corners.
        is_box: whether a box was drawn rather than an outline.
        reader: who drew it; empty if not known.
        source: file and row it came from, for messages.
        stated_box: the box a file gives beside an outline, if it is not the box around that.
        score: of a detector or of several readers' agreement, in [0, 1]; None if a person drew it.
        attributes: what else is said of it, like acuity, side and rib.
    """

    radiograph: str
    finding: str
    polygons: tuple[Polygon, ...]
    is_box: bool = False
    reader: str = ""
    source: str = ""
    stated_box: Box | None = None
    score: float | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    @property
    def box(self) -> Box:
        """The smallest box around all polygons."""
        vertices = np.concatenate(self.polygons)
        x0, y0 = vertices.min(axis=0)
        x1, y1 = vertices.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    @property
    def box_to_write(self) -> Box:
        """The box for a format of boxes: the stated one if there is one."""
        return self.stated_box or self.box


def box_polygon(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    """Return the four corners of a box as a polygon."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)
