"""The detector the field would pick: FCOS on boxes, from regions alone or with self-training.

Tian et al., ICCV 2019, as torchvision has it, on the same backbone, images, geometry, intensities
and number of image passes as the other methods. With self-training a moving-average teacher puts
boxes on record-positives (Unbiased Teacher, Liu et al., ICLR 2021): those with a score above a
threshold count for the classification alone, because their borders are unsure.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.folding import fold_frozen_norms
from ribsight.detector.maps import to_unit_interval
from ribsight.detector.memory import keep_freed_memory
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.settings import NetworkSettings
from ribsight.distillation.augment import draw_geometry, perturb, warp, warp_points
from ribsight.distillation.recipe import Recipe, StageSettings
from ribsight.distillation.sampling import rows_of_step
from ribsight.distillation.schedule import learning_rate
from ribsight.distillation.teacher import warmed_up_decay
from ribsight.distillation.training_data import TrainingData
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction, Mark, Predictions
from ribsight.findings import Supervision

_SIZES = ((8,), (16,), (32,), (64,))
_THRESHOLD = 0.5
_LEAST_SIDE = 2.0


class Backbone(nn.Module):
    """The backbone of `DetectorNetwork` under torchvision's feature pyramid, strides 4 to 32."""

    def __init__(self, settings: NetworkSettings):
        """Take the backbone with its weights, frozen levels and normalisation."""
        super().__init__()
        self.network = DetectorNetwork(settings, 1)
        if settings.batch_norm == "frozen":
            fold_frozen_norms(self.network.backbone)
        channels = [one.in_channels for one in self.network.pyramid.lateral]
        self.out_channels = settings.pyramid_channels
        self.pyramid = FeaturePyramidNetwork(channels, self.out_channels)
        del self.network.pyramid, self.network.head

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Map images (N, 1, S, S) to {level: features}."""
        normalised = (images - self.network.mean) / self.network.std
        features = self.network.backbone(normalised)
        named: dict[str, Tensor] = self.pyramid({str(i): one for i, one in enumerate(features)})
        return named


def box_detector(settings: NetworkSettings, findings: int, size: int) -> FCOS:
    """Return FCOS over the house's backbone; label k + 1 is finding k."""
    return FCOS(
        Backbone(settings),
        num_classes=findings + 1,
        min_size=size,
        max_size=size,
        image_mean=[0.0],
        image_std=[1.0],
        anchor_generator=AnchorGenerator(_SIZES, ((1.0,),) * len(_SIZES)),
        detections_per_img=20,
        score_thresh=0.005,
        nms_thresh=0.3,
    )


@dataclass(frozen=True)
class View:
    """One image of a step: (1, S, S), its boxes (B, 4) and labels (B,)."""

    image: Tensor
    boxes: Tensor
    labels: Tensor


class BoxTraining:
    """Stage 1 on regions and negatives; stage 2 likewise, or with a teacher's boxes."""

    def __init__(self, recipe: Recipe, data: TrainingData, findings: int, *, self_training: bool):
        """Build the student."""
        torch.manual_seed(recipe.seed)
        self._recipe, self._data = recipe, data
        self._self_training = self_training
        keep_freed_memory()
        student = box_detector(recipe.detector, findings, recipe.images.size)
        self.student = student.to(memory_format=torch.channels_last)
        self.teacher: FCOS | None = None

    def run(self) -> FCOS:
        """Train both stages; return the teacher, the moving average over stage 2."""
        for number, stage in ((1, self._recipe.stage1), (2, self._recipe.stage2)):
            if number == 2:
                self.teacher = copy.deepcopy(self.student).requires_grad_(False).eval()
            self._stage(number, stage)
        assert self.teacher is not None
        return self.teacher

    def _stage(self, number: int, stage: StageSettings) -> None:
        batch = stage.batch
        if number == 1 or not self._self_training:
            batch = batch.without_positives()
        weights = [p for p in self.student.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(
            weights, stage.learning_rate, weight_decay=self._recipe.optimiser.weight_decay
        )
        for step in range(stage.steps):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(stage, step)
            rows = rows_of_step(self._data.pools, batch, self._recipe.seed, number, step)
            loss = self._loss(rows, [self._recipe.seed, number, step])
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(weights, self._recipe.optimiser.gradient_clip)
            optimiser.step()
            if self.teacher is not None:
                self._follow(step)

    def _loss(self, rows: NDArray[np.intp], key: list[int]) -> Tensor:
        self.student.train()
        self.student.backbone.network.train()
        known, taught = [], []
        for place, row in enumerate(rows.tolist()):
            is_positive = (self._data.supervision[row] == Supervision.POSITIVE).any()
            student, teacher = self._views(row, [*key, place])
            if is_positive:
                taught.append((student, teacher))
            else:
                known.append(student)
        losses = self._losses(known)
        loss = losses["classification"] + losses["bbox_regression"] + losses["bbox_ctrness"]
        if taught:
            boxed = self._pseudo(taught)
            weight = self._recipe.loss.positive_weight
            loss = loss + weight * self._losses(boxed)["classification"]
        return loss

    def _losses(self, views: Sequence[View]) -> dict[str, Tensor]:
        targets = [{"boxes": one.boxes, "labels": one.labels} for one in views]
        losses: dict[str, Tensor] = self.student([one.image for one in views], targets)
        return losses

    @torch.no_grad()
    def _pseudo(self, pairs: Sequence[tuple[View, View]]) -> list[View]:
        assert self.teacher is not None
        found = self.teacher([teacher.image for _, teacher in pairs])
        boxed = []
        for (student, _), one in zip(pairs, found, strict=True):
            # Label 0 is nobody's, and torchvision refuses boxes without an area.
            sides = (one["boxes"][:, 2:] - one["boxes"][:, :2]).amin(dim=1)
            sure = (one["scores"] >= _THRESHOLD) & (one["labels"] > 0) & (sides >= _LEAST_SIDE)
            boxed.append(View(student.image, one["boxes"][sure], one["labels"][sure]))
        return boxed

    @torch.no_grad()
    def _follow(self, updates: int) -> None:
        assert self.teacher is not None
        decay = warmed_up_decay(updates, self._recipe.teacher.decay)
        for mine, theirs in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mine.lerp_(theirs, 1.0 - decay)
        for mine, theirs in zip(self.teacher.buffers(), self.student.buffers(), strict=True):
            mine.copy_(theirs)

    def _views(self, row: int, key: list[int]) -> tuple[View, View]:
        settings = self._recipe.augmentation
        pixels = self._data.cache.pixels(row)
        size = pixels.shape[0]
        matrix = draw_geometry(settings, size, np.random.default_rng([*key, 0]))
        image = to_unit_interval(warp(pixels, matrix))
        boxes, labels = [], []
        for finding, polygons in self._data.regions[row]:
            points = warp_points(np.concatenate(polygons), matrix).clip(0, size)
            first, last = points.min(axis=0), points.max(axis=0)
            if (last - first).min() >= _LEAST_SIDE:
                boxes.append([*first, *last])
                labels.append(finding + 1)
        drawn = torch.tensor(np.array(boxes, dtype=np.float32).reshape(-1, 4))
        named = torch.tensor(labels, dtype=torch.int64)
        strengths = (1.0, settings.teacher_strength)
        student, teacher = (
            torch.from_numpy(
                perturb(image, settings, np.random.default_rng([*key, 1 + which]), strength)
            )[None]
            for which, strength in enumerate(strengths)
        )
        return View(student, drawn, named), View(teacher, drawn, named)


@torch.no_grad()
def predict(detector: FCOS, cohort: Cohort, cache: PixelCache, name: str) -> Predictions:
    """Return the boxes as marks, each at its middle; an image scores its best box."""
    detector.eval()
    images = []
    for row, about in enumerate(cohort.radiographs.iter_rows(named=True)):
        image = torch.from_numpy(to_unit_interval(cache.pixels(row)))[None]
        (found,) = detector([image])
        width, height = about["width"], about["height"]
        corners = found["boxes"].numpy().astype(np.float64).reshape(-1, 2)
        stored = cache.affine(row).to_stored(corners).clip(0, [width, height]).reshape(-1, 4)
        findings = {}
        for index, finding in enumerate(cohort.findings):
            mine = (found["labels"] == index + 1).numpy()
            scores = found["scores"].numpy()[mine]
            marks = tuple(
                Mark(float((x0 + x1) / 2), float((y0 + y1) / 2), (x0, y0, x1, y1), float(score))
                for (x0, y0, x1, y1), score in zip(stored[mine].tolist(), scores, strict=True)
            )
            best = max((one.score for one in marks), default=0.0)
            findings[finding] = FindingPrediction(best, marks)
        images.append(ImagePrediction(about["radiograph"], about["file"], width, height, findings))
    return Predictions(name, "", tuple(cohort.findings), tuple(images))
