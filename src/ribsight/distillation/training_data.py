"""What training knows of its radiographs: cached pixels, supervision, drawn regions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.distillation.layout import Layout
from ribsight.distillation.methods import Method
from ribsight.distillation.sampling import Pools, pools_of
from ribsight.findings import NamedRib, Side, Supervision, read_ribs
from ribsight.regions import Polygon

LEFT, RIGHT = 1, 2
_SIDES = {0: Side.UNKNOWN, LEFT: Side.LEFT, RIGHT: Side.RIGHT}
_CODES = {str(side): code for code, side in _SIDES.items() if code}


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
        ribs: row -> (finding's column, rib) of each rib that its record names.

    """

    cache: PixelCache
    supervision: NDArray[np.int8]
    regions: list[list[tuple[int, tuple[Polygon, ...]]]]
    content: NDArray[np.float64]
    pools: Pools
    sides: NDArray[np.int8]
    ribs: Mapping[int, Sequence[tuple[int, NamedRib]]] = field(default_factory=dict)

    def possible(self, row: int, finding: int, layout: Layout) -> Polygon | None:
        """Return where a record-positive's lesion can be, in network pixels; None: anywhere."""
        if self.supervision[row, finding] != Supervision.POSITIVE:
            return None
        return layout.half(_SIDES[int(self.sides[row, finding])], self.content[row])

    def named(self, row: int, layout: Layout) -> list[tuple[int, Polygon]]:
        """Return the places that records of positives name: finding's column, network pixels."""
        bands = [
            (finding, layout.band(rib, self.content[row]))
            for finding, rib in self.ribs.get(row, ())
            if self.supervision[row, finding] == Supervision.POSITIVE
        ]
        return [(finding, band) for finding, band in bands if band is not None]

    def rib_distances(self, layout: Layout) -> list[float]:
        """Return by how much drawn fractures lie below where a layout has their ribs.

        One number for each radiograph and finding with as many revealed regions as its record names
        ribs: the difference of their mean heights, as a share of the picture's. Which fracture is
        of which rib need not be known for that.
        """
        distances = []
        for row, named in self.ribs.items():
            top, bottom = self.content[row][:, 1]
            for finding in sorted({one for one, _ in named}):
                ribs = [rib for one, rib in named if one == finding]
                boxes = [
                    np.concatenate(polygons)[:, 1]
                    for one, polygons in self.regions[row]
                    if one == finding
                ]
                if len(ribs) == len(boxes):
                    drawn = np.mean([(one.min() + one.max()) / 2 for one in boxes])
                    said = np.mean([layout.rib_height(rib.number) for rib in ribs])
                    distances.append(float((drawn - top) / (bottom - top) - said))
        return distances

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
        cache,
        cohort.supervision(),
        regions,
        np.stack(content),
        pools,
        *_places(cohort),
    )


def _places(
    cohort: Cohort,
) -> tuple[NDArray[np.int8], dict[int, list[tuple[int, NamedRib]]]]:
    row = {id_: index for index, id_ in enumerate(cohort.ids)}
    column = {name: index for index, name in enumerate(cohort.findings)}
    sides = np.zeros((len(row), len(column)), dtype=np.int8)
    ribs: dict[int, list[tuple[int, NamedRib]]] = {}
    for id_, finding, side, named in cohort.named_places.rows():
        place, known = row[id_], column[finding]
        sides[place, known] = _CODES.get(side, 0)
        if named:
            ribs.setdefault(place, []).extend((known, one) for one in read_ribs(named))
    return sides, ribs
