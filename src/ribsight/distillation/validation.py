"""A look at the validation split: the figures that recipes are chosen by."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ribsight.cohort.cache import PixelCache
from ribsight.cohort.tables import Cohort
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.on_cohort import predict_cohort
from ribsight.detector.settings import MarkSettings
from ribsight.evaluation.evaluate import evaluate
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.findings import Split


@dataclass(frozen=True, eq=False)
class Validation:
    """The validation split with its network images."""

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
