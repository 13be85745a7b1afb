"""Where in a picture of the chest the places lie that records name: sides and ribs.

Radiographs are taken to hang as usual, the patient's left on the picture's right, and to show the
chest from the shoulders to below the diaphragm. A rib is long and its fracture anywhere on it, so a
rib number gives a band, not a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ribsight.findings import NamedRib, Side
from ribsight.regions import Polygon

MOSTLY = 0.5
"""A cell of a map belongs to a place that covers so much of it."""
_BEYOND = 2.0
"""Places reach so far beyond the picture, in its sizes, that no view cuts them off."""


@dataclass(frozen=True)
class Layout:
    """What is known of where things lie, as shares of a picture's width and height.

    Attributes:
        side_margin: by which the half that a record names reaches over the middle; None: sides
            are not used.
        first_rib: height of the first rib's fractures, from above.
        rib_distance: between those of neighbouring ribs.
        rib_spread: half the height of a rib's band; 0: rib numbers are not used.
        first_rib_weight: of `first_rib` against what drawn radiographs say of it, in radiographs.

    """

    side_margin: float | None = None
    first_rib: float = 0.0
    rib_distance: float = 0.0
    rib_spread: float = 0.0
    first_rib_weight: float = 0.0

    def rib_height(self, number: int) -> float:
        """Return the middle of a rib's band, as a share of the picture's height."""
        return self.first_rib + (number - 1) * self.rib_distance

    def moved(self, distances: Sequence[float]) -> "Layout":
        """Return the layout with its ribs where drawn radiographs have theirs.

        Args:
            distances: by which the fractures of each lie below their bands' middles. Their mean
                counts as many times as there are, what the layout says `first_rib_weight` times.

        """
        if not distances:
            return self
        shift = sum(distances) / (len(distances) + self.first_rib_weight)
        return replace(self, first_rib=self.first_rib + shift)

    def half(self, side: Side, content: NDArray[np.float64]) -> Polygon | None:
        """Return the half of the picture that shows the patient's side; None: all of it.

        Args:
            side: that a record names.
            content: the picture's upper left and lower right corner, (2, 2), in any pixels.

        """
        if self.side_margin is None or side not in (Side.LEFT, Side.RIGHT):
            return None
        return self._box(side, -_BEYOND, 1 + _BEYOND, content)

    def band(self, rib: NamedRib, content: NDArray[np.float64]) -> Polygon | None:
        """Return where a fracture of a rib lies, or None if rib numbers are not used."""
        if not self.rib_spread:
            return None
        middle = self.rib_height(rib.number)
        return self._box(rib.side, middle - self.rib_spread, middle + self.rib_spread, content)

    def _box(self, side: Side, top: float, bottom: float, content: NDArray[np.float64]) -> Polygon:
        start, end = -_BEYOND, 1 + _BEYOND
        if self.side_margin is not None and side is Side.LEFT:
            start = 0.5 - self.side_margin
        elif self.side_margin is not None and side is Side.RIGHT:
            end = 0.5 + self.side_margin
        corners = np.array([[start, top], [end, top], [end, bottom], [start, bottom]])
        placed: Polygon = content[0] + corners * (content[1] - content[0])
        return placed


NO_LAYOUT = Layout()
"""Of methods that use no named places."""
