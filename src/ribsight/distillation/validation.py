"""A look at the validation split: the figures that recipes are chosen by."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.on_cohort import predict_cohort
from ribsight.detector.settings import MarkSettings
from ribsight.evaluation.evaluate import evaluate
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.findings import DiagnosisState, Split


@dataclass(frozen=True, eq=False)
class Validation:
    """The validation split, or a subset of it, with its network images."""

    cohort: Cohort
    cache: PixelCache
    marks: MarkSettings

    def figures(
        self, network: DetectorNetwork, device: torch.device
    ) -> Mapping[str, dict[str, float | None]]:
        """Return {"auroc": {finding: value}, "froc": {finding: value}} of a network.

        The network is left in the mode it was in.
        """
        was_training = network.training
        network.eval()
        images = predict_cohort(
            network, self.cohort.findings, self.marks, self.cohort, self.cache, device
        )
        network.train(was_training)
        predictions = Predictions("validated", "", tuple(self.cohort.findings), images)
        result = evaluate(predictions, self.cohort, Split.VAL, Protocol(), replicates=1)
        return {
            "auroc": {one.finding: one.auroc.value for one in result.findings},
            "froc": {one.finding: one.froc_score.value for one in result.findings},
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
    rows = np.sort(np.concatenate([positives[:wanted], others[: images - wanted]]))
    radiographs = cohort.radiographs[rows]
    kept = radiographs.select(pl.col("radiograph"))
    return replace(
        cohort,
        radiographs=radiographs,
        diagnoses=cohort.diagnoses.join(kept, on="radiograph", how="semi"),
        regions=cohort.regions.join(kept, on="radiograph", how="semi"),
    )
