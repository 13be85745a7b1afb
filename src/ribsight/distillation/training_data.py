"""What training knows of its radiographs: cached pixels, supervision, drawn regions."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.distillation.methods import Method
from ribsight.distillation.sampling import Pools, pools_of
from ribsight.regions import Polygon


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What training knows of its radiographs, row by row.

    Attributes:
        cache: network images.
        supervision: (N, K) `Supervision`.
        regions: per radiograph, (finding's column, polygons in network pixels) of each region.
        content: (N, 2, 2) first and last corner (x, y) of what is no padding, in network pixels.
        pools: rows by kind.

    """

    cache: PixelCache
    supervision: NDArray[np.int8]
    regions: list[list[tuple[int, tuple[Polygon, ...]]]]
    content: NDArray[np.float64]
    pools: Pools

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
    return TrainingData(cache, cohort.supervision(), regions, np.stack(content), pools)
