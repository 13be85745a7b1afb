"""What training knows of its radiographs: cached pixels, supervision, drawn regions."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.distillation.methods import Method
from ribsight.distillation.sampling import Pools, pools_of
from ribsight.findings import Side, Supervision
from ribsight.regions import Polygon

LEFT, RIGHT = 1, 2
_CODES = {str(Side.LEFT): LEFT, str(Side.RIGHT): RIGHT}


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What training knows of its radiographs, row by row.

    Attributes:
        cache: network images.
        supervision: (N, K) `Supervision`.
        regions: per radiograph, (finding's column, polygons in network pixels) of each region.
        content: (N, 2, 2) first and last corner (x, y) of what is no padding, in network pixels.
        pools: rows by kind.
        sides: (N, K) the patient's side that the record names: LEFT, RIGHT, or 0 for neither.

    """

    cache: PixelCache
    supervision: NDArray[np.int8]
    regions: list[list[tuple[int, tuple[Polygon, ...]]]]
    content: NDArray[np.float64]
    pools: Pools
    sides: NDArray[np.int8]

    def possible(self, row: int, finding: int, margin: float) -> Polygon | None:
        """Return where a record-positive's lesion can be, in network pixels; None: anywhere.

        The half of the picture that shows the named side of the patient, as radiographs are hung
        (the patient's left is the picture's right), and `margin` of the width beyond the middle.
        """
        side = int(self.sides[row, finding])
        if side == 0 or self.supervision[row, finding] != Supervision.POSITIVE:
            return None
        (first, top), (last, bottom) = self.content[row]
        reach = margin * (last - first)
        middle, far = (first + last) / 2, 2 * (last - first)
        start, end = (middle - reach, last + far) if side == LEFT else (first - far, middle + reach)
        high, low = top - 2 * (bottom - top), bottom + 2 * (bottom - top)
        return np.array([[start, high], [end, high], [end, low], [start, low]])

    def known_to(self, method: Method, stage: int) -> "TrainingData":
        """Return what a method knows of it in a stage."""
        supervision = method.supervision(self.supervision, stage)
        return replace(self, supervision=supervision, pools=pools_of(supervision))


def training_data(cohort: Cohort, cache: PixelCache, pools: Pools) -> TrainingData:
    """Join a cohort's knowledge with its cached pixels, rows in the order of `cohort.ids`."""
    column = {name: index for index, name in enumerate(cohort.findings)}
    regions = [
        [
            (
                column[region.finding],
                tuple(cache.affine(row).to_network(one) for one in region.polygons),
            )
            for region in drawn
        ]
        for row, drawn in enumerate(cohort.drawn(revealed_only=True))
    ]
    content = [
        cache.affine(row).to_network(np.array([[0.0, 0.0], size], dtype=np.float64))
        for row, size in enumerate(cohort.radiographs.select("width", "height").rows())
    ]
    return TrainingData(
        cache, cohort.supervision(), regions, np.stack(content), pools, _sides(cohort)
    )


def _sides(cohort: Cohort) -> NDArray[np.int8]:
    row = {id_: index for index, id_ in enumerate(cohort.ids)}
    column = {name: index for index, name in enumerate(cohort.findings)}
    sides = np.zeros((len(row), len(column)), dtype=np.int8)
    one_sided = cohort.diagnoses.filter(pl.col("side").is_in(list(_CODES)))
    for id_, finding, side in one_sided.select("radiograph", "finding", "side").rows():
        sides[row[id_], column[finding]] = _CODES[side]
    return sides
