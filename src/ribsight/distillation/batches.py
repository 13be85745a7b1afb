"""Batches: cached pixels and drawn regions -> views and maps.

Item `step` of `StepDataset` is everything one process needs for that step. Augmentation is a
function of (seed, stage, step, place in the batch), so it does not depend on who computes it.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ribsight.detector.maps import to_unit_interval
from ribsight.detector.settings import STRIDE, MarkSettings
from ribsight.distillation.augment import Matrix, draw_geometry, perturb, warp
from ribsight.distillation.batch import Batch, Looks, NamedPlaces
from ribsight.distillation.crops import (
    CropMaker,
    Points,
    draw_maps,
    named_maps,
    possible_maps,
    suspected,
)
from ribsight.distillation.layout import NO_LAYOUT, Layout
from ribsight.distillation.methods import Source
from ribsight.distillation.recipe import AugmentationSettings, BatchSettings, CropSettings
from ribsight.distillation.sampling import rows_of_step
from ribsight.distillation.training_data import TrainingData
from ribsight.findings import Supervision

_GEOMETRY, _STUDENT, _TEACHER = range(3)


class StepDataset(Dataset[Batch]):
    """Item `step` is the share of process `rank` of `world` in that step of a stage."""

    def __init__(
        self,
        data: TrainingData,
        batch: BatchSettings,
        augmentation: AugmentationSettings,
        crops: CropSettings | None = None,
        *,
        seed: int,
        stage: int,
        source: Source | None = Source.TEACHER,
        rank: int = 0,
        world: int = 1,
        parts: int = 1,
        layout: Layout = NO_LAYOUT,
    ):
        """Describe the steps of one stage for one process.

        Args:
            data: of the training split.
            batch: images per step.
            augmentation: of the views.
            crops: None, or a size of 0, for whole images.
            seed: of the run.
            stage: 1 or 2.
            source: who makes targets for record-positives; their crops wait for it. None: nobody.
            rank: of this process.
            world: how many processes there are.
            parts: of which each process takes its share one after the other; then item
                `step * parts + part` is one of them.
            layout: where the places lie that records name.

        """
        self._data = data
        self._batch = batch
        self._augmentation = augmentation
        self._crops = crops or CropSettings()
        self._key = (seed, stage)
        self._source = source
        self._rank = rank
        self._world = world
        self._parts = parts
        self._layout = layout
        self.maker = CropMaker(
            data, self._crops, augmentation, seed=seed, stage=stage, layout=layout
        )

    def __getitem__(self, item: int) -> Batch:
        """Make the batch of a step, or a part of it."""
        step, part = divmod(item, self._parts)
        seed, stage = self._key
        each = self._crops.per_positive if self._crops.size else 1
        rows = rows_of_step(self._data.pools, self._batch, seed, stage, step, each)
        share = self._rank * self._parts + part
        places = np.arange(share, len(rows), self._world * self._parts)
        whole = self._data.supervision[rows]
        known = int(np.isin(whole, (Supervision.REGION, Supervision.NEGATIVE)).sum())
        positives = int((whole == Supervision.POSITIVE).sum())
        if self._crops.size:
            return self._crop_batch(rows[places], places, step, known, positives)
        return self._whole_batch(rows[places], places, step, known, positives)

    def _whole_batch(
        self,
        rows: NDArray[np.intp],
        places: NDArray[np.intp],
        step: int,
        known: int,
        positives: int,
    ) -> Batch:
        supervision, positive_rows = self._supervision(rows)
        size = self._data.cache.pixels(0).shape[0]
        at = positive_rows.numpy()
        shown = set(at.tolist()) if self._source not in (None, Source.MEMORY) else set()
        mine = [
            self._views(int(row), [*self._key, step, place], has_teacher=index in shown)
            for index, (row, place) in enumerate(zip(rows, places.tolist(), strict=True))
        ]
        looks = None
        if self._source is Source.MEMORY:
            matrices = np.array([mine[index].matrix for index in at]).reshape(-1, 2, 3)
            looks = Looks(step, np.arange(len(at)), rows[at], places[at], matrices)
        return Batch(
            images=_stacked([one.student for one in mine], size),
            drawn=torch.from_numpy(np.stack([one.drawn for one in mine])),
            possible=torch.from_numpy(np.stack([one.possible for one in mine])),
            supervision=supervision,
            positive_rows=positive_rows,
            teacher_images=_stacked([one.teacher for one in mine if one.teacher is not None], size),
            known=known,
            positives=positives,
            looks=looks,
            named=_named([mine[index].named for index in at], size),
        )

    def _crop_batch(
        self,
        rows: NDArray[np.intp],
        places: NDArray[np.intp],
        step: int,
        known: int,
        positives: int,
    ) -> Batch:
        supervision, positive_rows = self._supervision(rows)
        waiting = positive_rows.numpy() if self._source else np.empty(0, dtype=np.intp)
        size, cells = self._crops.size, self._crops.size // STRIDE
        images = np.zeros((len(rows), size, size), dtype=np.float32)
        drawn = np.zeros((len(rows), supervision.shape[1], cells, cells), dtype=np.float32)
        possible = np.ones_like(drawn)
        for index in np.setdiff1d(np.arange(len(rows)), waiting).tolist():
            crop = self.maker.crop(int(rows[index]), step, int(places[index]))
            images[index], drawn[index] = crop.image, crop.drawn
            possible[index] = crop.possible
        seen, image = np.unique(rows[waiting], return_inverse=True)
        looks = Looks(step, image, rows[waiting], places[waiting])
        return Batch(
            images=torch.from_numpy(images)[:, None],
            drawn=torch.from_numpy(drawn),
            possible=torch.from_numpy(possible),
            supervision=supervision,
            positive_rows=positive_rows,
            teacher_images=_stacked(
                [
                    self.maker.look(row, step)
                    for row in seen.tolist()
                    if self._source is not Source.MEMORY
                ],
                self._data.cache.pixels(0).shape[0],
            ),
            known=known,
            positives=positives,
            looks=looks if self._source else None,
            named=_named(
                [self.maker.named(row) for row in rows[waiting].tolist()],
                self._data.cache.pixels(0).shape[0],
            ),
        )

    def _supervision(self, rows: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        supervision = torch.from_numpy(self._data.supervision[rows].astype(np.int64))
        is_positive = (supervision == Supervision.POSITIVE).any(dim=1)
        return supervision, torch.nonzero(is_positive).flatten()

    def _views(self, row: int, key: list[int], *, has_teacher: bool) -> "_Views":
        pixels = self._data.cache.pixels(row)
        size = pixels.shape[0]
        settings = self._augmentation
        matrix = draw_geometry(settings, size, np.random.default_rng([*key, _GEOMETRY]))
        image = to_unit_interval(warp(pixels, matrix))
        findings = self._data.supervision.shape[1]
        return _Views(
            student=perturb(image, settings, np.random.default_rng([*key, _STUDENT])),
            teacher=perturb(
                image, settings, np.random.default_rng([*key, _TEACHER]), settings.teacher_strength
            )
            if has_teacher
            else None,
            drawn=draw_maps(self._data.regions[row], matrix, findings, size),
            possible=possible_maps(self._data, row, matrix, size, self._layout),
            named=named_maps(self._data, row, matrix, size, self._layout) if has_teacher else [],
            matrix=matrix,
        )


def place_crops(batch: Batch, maker: CropMaker, logits: Tensor, marks: MarkSettings) -> Batch:
    """Fill in the crops of record-positives, now that the teacher has looked at them.

    Args:
        batch: with `looks`.
        maker: of this stage.
        logits: (P, K, S/4, S/4) of the teacher or from memory, on the whole image of each
            positive row.
        marks: how peaks are told apart.

    """
    looks = batch.looks
    assert looks is not None
    maps = torch.sigmoid(logits.float()).cpu().numpy()
    is_positive = (batch.supervision[batch.positive_rows] == Supervision.POSITIVE).cpu().numpy()
    crops = [
        maker.crop(
            int(looks.row[one]),
            looks.step,
            int(looks.place[one]),
            _peaks((maps[one] * maker.possible(int(looks.row[one])))[is_positive[one]], marks),
        )
        for one in range(len(looks.row))
    ]
    images, drawn, possible = batch.images.clone(), batch.drawn.clone(), batch.possible.clone()
    cut = torch.from_numpy(np.stack([crop.image for crop in crops]))[:, None]
    images[batch.positive_rows] = cut.to(images.device)
    maps_drawn = torch.from_numpy(np.stack([crop.drawn for crop in crops]))
    drawn[batch.positive_rows] = maps_drawn.to(drawn.device)
    maps_possible = torch.from_numpy(np.stack([crop.possible for crop in crops]))
    possible[batch.positive_rows] = maps_possible.to(possible.device)
    matrices = np.stack([crop.matrix for crop in crops])
    return replace(
        batch,
        images=images,
        drawn=drawn,
        possible=possible,
        looks=replace(looks, matrices=matrices),
    )


def _peaks(maps: NDArray[np.float32], marks: MarkSettings) -> Points:
    return np.concatenate([suspected(one, marks) for one in maps])


def _named(places: list[list[tuple[int, NDArray[np.float32]]]], size: int) -> NamedPlaces:
    """Return the named places of a list of record-positives, as one."""
    found = [(index, *one) for index, some in enumerate(places) for one in some]
    cells = size // STRIDE
    inside = np.stack([one[2] for one in found]) if found else np.empty((0, cells, cells), "f4")
    return NamedPlaces(
        torch.tensor([one[0] for one in found], dtype=torch.long),
        torch.tensor([one[1] for one in found], dtype=torch.long),
        torch.from_numpy(inside),
    )


def _stacked(images: list[NDArray[np.float32]], size: int) -> Tensor:
    """Return (n, 1, size, size), also for no images at all."""
    stacked = np.stack(images) if images else np.empty((0, size, size), np.float32)
    return torch.from_numpy(stacked)[:, None]


@dataclass(frozen=True, eq=False)
class _Views:
    student: NDArray[np.float32]
    teacher: NDArray[np.float32] | None
    drawn: NDArray[np.float32]
    possible: NDArray[np.float32]
    named: list[tuple[int, NDArray[np.float32]]]
    matrix: Matrix
