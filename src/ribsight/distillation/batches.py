"""Batches: cached pixels and drawn regions -> views and maps.

Item `step` of `StepDataset` is everything one process needs for that step. Augmentation is a
function of (seed, stage, step, place in the batch), so it does not depend on who computes it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.maps import to_unit_interval
from ribsight.detector.network import STRIDE
from ribsight.distillation.augment import draw_geometry, perturb, warp, warp_points
from ribsight.distillation.recipe import AugmentationSettings, BatchSettings
from ribsight.distillation.sampling import Pools, rows_of_step
from ribsight.findings import Supervision
from ribsight.regions import Polygon, coverage

_GEOMETRY, _STUDENT, _TEACHER = range(3)


@dataclass(frozen=True)
class Batch:
    """One process's share of one step.

    Attributes:
        images: (N, 1, S, S) the student's views, intensities in [0, 1].
        drawn: (N, K, S/4, S/4) area coverage of the drawn regions.
        supervision: (N, K) `Supervision`.
        positive_rows: (P,) rows that have a record-positive without a region.
        teacher_images: (P, 1, S, S) the teacher's views of these rows: same geometry, other
            intensities.
        known: pairs (image, finding) with a known map in the whole step, over all processes.
        positives: record-positive pairs without a region in the whole step.

    """

    images: Tensor
    drawn: Tensor
    supervision: Tensor
    positive_rows: Tensor
    teacher_images: Tensor
    known: int
    positives: int

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on `device`."""
        return Batch(
            self.images.to(device, non_blocking=True),
            self.drawn.to(device, non_blocking=True),
            self.supervision.to(device, non_blocking=True),
            self.positive_rows.to(device, non_blocking=True),
            self.teacher_images.to(device, non_blocking=True),
            self.known,
            self.positives,
        )


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What training knows of its radiographs, row by row.

    Attributes:
        cache: network images.
        supervision: (N, K) `Supervision`.
        regions: per radiograph, (finding's column, polygons in network pixels) of each region.
        pools: rows by kind.

    """

    cache: PixelCache
    supervision: NDArray[np.int8]
    regions: list[list[tuple[int, tuple[Polygon, ...]]]]
    pools: Pools


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
    return TrainingData(cache, cohort.supervision(), regions, pools)


class StepDataset(Dataset[Batch]):
    """Item `step` is the share of process `rank` of `world` in that step of a stage."""

    def __init__(
        self,
        data: TrainingData,
        batch: BatchSettings,
        augmentation: AugmentationSettings,
        *,
        seed: int,
        stage: int,
        rank: int = 0,
        world: int = 1,
    ):
        """Describe the steps of one stage for one process."""
        self._data = data
        self._batch = batch
        self._augmentation = augmentation
        self._key = (seed, stage)
        self._rank = rank
        self._world = world

    def __getitem__(self, step: int) -> Batch:
        """Make the batch of a step."""
        seed, stage = self._key
        rows = rows_of_step(self._data.pools, self._batch, seed, stage, step)
        whole = self._data.supervision[rows]
        places = range(self._rank, len(rows), self._world)
        mine = [self._views(int(rows[place]), [seed, stage, step, place]) for place in places]
        supervision = torch.from_numpy(whole[list(places)].astype(np.int64))
        positive_rows = torch.nonzero((supervision == Supervision.POSITIVE).any(dim=1)).flatten()
        teacher = [mine[row].teacher for row in positive_rows.tolist()]
        images = np.stack([one.student for one in mine])
        return Batch(
            images=torch.from_numpy(images)[:, None],
            drawn=torch.from_numpy(np.stack([one.drawn for one in mine])),
            supervision=supervision,
            positive_rows=positive_rows,
            teacher_images=torch.from_numpy(
                np.stack(teacher) if teacher else np.empty((0, *images.shape[1:]), np.float32)
            )[:, None],
            known=int(np.isin(whole, (Supervision.REGION, Supervision.NEGATIVE)).sum()),
            positives=int((whole == Supervision.POSITIVE).sum()),
        )

    def _views(self, row: int, key: list[int]) -> "_Views":
        pixels = self._data.cache.pixels(row)
        size = pixels.shape[0]
        settings = self._augmentation
        matrix = draw_geometry(settings, size, np.random.default_rng([*key, _GEOMETRY]))
        image = to_unit_interval(warp(pixels, matrix))
        drawn = np.zeros(
            (self._data.supervision.shape[1], size // STRIDE, size // STRIDE), dtype=np.float32
        )
        for finding, polygons in self._data.regions[row]:
            moved = [warp_points(polygon, matrix) / STRIDE for polygon in polygons]
            np.maximum(drawn[finding], coverage(moved, *drawn.shape[1:]), out=drawn[finding])
        return _Views(
            student=perturb(image, settings, np.random.default_rng([*key, _STUDENT])),
            teacher=perturb(
                image, settings, np.random.default_rng([*key, _TEACHER]), settings.teacher_strength
            ),
            drawn=drawn,
        )


@dataclass(frozen=True, eq=False)
class _Views:
    student: NDArray[np.float32]
    teacher: NDArray[np.float32]
    drawn: NDArray[np.float32]
