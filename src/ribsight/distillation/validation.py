"""A look at the validation split: the figures that recipes are chosen by."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.on_cohort import predict_cohort
from ribsight.detector.runtimes.eager import eager
from ribsight.detector.settings import MarkSettings
from ribsight.distillation.map_calibration import MapCalibration
from ribsight.evaluation.calibration import calibrated, calibration_error, reliability
from ribsight.evaluation.figures import items_of, replicate
from ribsight.evaluation.matching import match
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import reading_of
from ribsight.evaluation.truth import known_only, truth_of
from ribsight.findings import DiagnosisState


@dataclass(frozen=True, eq=False)
class Validation:
    """The validation split, or a subset of it, with its network images."""

    cohort: Cohort
    cache: PixelCache
    marks: MarkSettings

    def figures(
        self, network: DetectorNetwork, device: torch.device
    ) -> Mapping[str, dict[str, float | None]]:
        """Return {figure: {finding: value}} of a network; None where it is not defined.

        `auroc` of images, `froc` score, `image_ece`: calibration error of image scores, and
        `map_ece`, `map_area` of `MapCalibration`. The network is left in the mode it was in.
        """
        was_training = network.training
        network.eval()
        cells = MapCalibration(self.cohort, self.cache)
        findings = self.cohort.findings
        images = predict_cohort(
            eager(network, device), findings, self.marks, self.cohort, self.cache, see=cells.add
        )
        network.train(was_training)
        predictions = Predictions("validated", "", tuple(findings), images)
        found = {one: plain_figures(predictions, self.cohort, one) for one in findings}
        names = {"auroc": "auroc", "froc": "froc_score", "image_ece": "ece"}
        ranked = {
            name: {finding: figures.get(key) for finding, figures in found.items()}
            for name, key in names.items()
        }
        return {**ranked, **cells.figures()}


def plain_figures(
    predictions: Predictions, cohort: Cohort, finding: str
) -> dict[str, float | None]:
    """Return every figure of a finding without its interval; None where it is not defined."""
    truth = known_only(truth_of(cohort, finding))
    if not truth.images:
        return {}
    reading = reading_of(predictions, truth)
    once = np.ones((1, len(truth.images)))
    items = items_of(truth, reading, match(truth, reading, Protocol()), lean=True)
    every = np.arange(len(truth.images))
    images = calibrated(reading.image_scores, truth.positive, every)
    values = dict(replicate(items, once).figures)
    if images is not None:
        values["ece"] = calibration_error(reliability(images, once))
    return {
        key: float(value[0]) if np.isfinite(value[0]) else None for key, value in values.items()
    }


def drawn_subset(cohort: Cohort, images: int, seed: int) -> Cohort:
    """Return at most `images` radiographs of a cohort, drawn by `seed`; 0 returns it as it is.

    Half of them are positive for some finding, as far as there are so many, because figures on few
    positives say little. AUROC does not depend on that share; false positives per image may.
    """
    if images == 0 or images >= len(cohort.ids):
        return cohort
    is_positive = (cohort.states == DiagnosisState.POSITIVE).any(axis=1)
    random = np.random.default_rng(seed)
    positives, others = (
        random.permutation(np.flatnonzero(one)) for one in (is_positive, ~is_positive)
    )
    wanted = max(min(len(positives), images // 2), images - len(others))
    return pick(cohort, np.concatenate([positives[:wanted], others[: images - wanted]]))


def pick(cohort: Cohort, rows: NDArray[np.intp]) -> Cohort:
    """Return the radiographs of a cohort in `rows`, (n,) numbers in any order, in its order."""
    radiographs = cohort.radiographs[np.sort(rows).tolist()]
    kept = radiographs.select(pl.col("radiograph"))
    return replace(
        cohort,
        radiographs=radiographs,
        diagnoses=cohort.diagnoses.join(kept, on="radiograph", how="semi"),
        regions=cohort.regions.join(kept, on="radiograph", how="semi"),
    )
