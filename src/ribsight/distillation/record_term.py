"""What the record asks of an image as a whole, also where records are known to err.

A detector that believes every record learns its errors. With the share of records that are right,
as an audit measures it, the record's own probability is that of two ways in which it can come
about (forward correction: Patrini et al., CVPR 2017):

    P(record positive) = (1 - beta) P(present) + alpha P(absent)
    P(record negative) = beta P(present) + (1 - alpha) P(absent)

so that an image which plainly shows nothing may have a positive record at a bounded price.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ribsight.distillation.layout import MOSTLY
from ribsight.distillation.method_settings import PredictiveValues
from ribsight.errors import RibsightError
from ribsight.findings import Supervision

Pool = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Logits (N, K, h, w) -> log-probabilities, (N, K) each, that the image shows the finding and that
it does not."""


NOWHERE = -30.0
"""Logit of a cell in which the record forbids a lesion."""


@dataclass(frozen=True, eq=False)
class RecordNoise:
    """How often records err among the images that a step shows.

    Attributes:
        false_positive: (K,) alpha: share with a positive record, of the images without the finding.
        false_negative: (K,) beta: share with a negative record, of the images with it.

    """

    false_positive: Tensor
    false_negative: Tensor


@dataclass(frozen=True, eq=False)
class RecordTerm:
    """An image-level objective.

    Attributes:
        pool: from a map to one statement on the image.
        positive: weight of a record-positive image.
        negative: weight of a record-negative image; 0: it is not asked.
        noise: None: records never err.

    """

    pool: Pool
    positive: float
    negative: float = 0.0
    noise: RecordNoise | None = None

    def loss(self, logits: Tensor, supervision: Tensor) -> Tensor:
        """Return minus the logarithm of the probability that the record is as it is, weighted.

        Args:
            logits: (N, K, h, w) of the student.
            supervision: (N, K) `Supervision`.

        Returns:
            (N, K) losses, float32; 0 for pairs without a record, and for drawn ones.

        """
        says_positive, says_negative = self._said(logits, slice(None))
        positive = self.positive * says_positive * (supervision == Supervision.POSITIVE)
        negative = self.negative * says_negative * (supervision == Supervision.NEGATIVE)
        return -(positive + negative)

    def place_loss(self, logits: Tensor, inside: Tensor, finding: Tensor) -> Tensor:
        """Return the same of places that records name, each asked as an image of its own.

        Args:
            logits: (M, h, w) of the student, of the map of each place's image.
            inside: (M, h, w) share of each cell that the place covers.
            finding: (M,) columns.

        Returns:
            (M,) losses.

        """
        within = logits.masked_fill(inside < MOSTLY, NOWHERE)
        return -self.positive * self._said(within[:, None], finding[:, None])[0][:, 0]

    def _said(self, logits: Tensor, columns: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities of a positive and of a negative record."""
        present, absent = self.pool(logits)
        if self.noise is None:
            return present, absent
        alpha = self.noise.false_positive.to(present)[columns]
        beta = self.noise.false_negative.to(present)[columns]
        return (
            torch.logaddexp(torch.log1p(-beta) + present, torch.log(alpha) + absent),
            torch.logaddexp(torch.log(beta) + present, torch.log1p(-alpha) + absent),
        )

    def knowing(
        self,
        values: Mapping[str, PredictiveValues],
        findings: tuple[str, ...],
        *,
        positives: float,
        negatives: float,
    ) -> "RecordTerm":
        """Return the term that allows for how often records err in what it sees.

        An audit says how many records of each kind are right. How many images without the finding
        have a positive record depends on how many positive and negative records are shown, which a
        batch decides, not the hospital: Bayes' rule brings one into the other.

        Args:
            values: finding -> what an audit says; findings that it leaves out never err.
            findings: of the cohort, in the order of the maps.
            positives: weight of all record-positives of a step, against
            negatives: that of all record-negatives.

        Raises:
            RibsightError: a term that asks only positives or only negatives.

        """
        shown, denied = self.positive * positives, self.negative * negatives
        if not (shown and denied):
            raise RibsightError(
                "record_noise needs a method that asks record-positives and record-negatives as "
                "whole images, and both of them in stage 2: multiple_instance, log_sum_exp, "
                "noisy_or, pcam, or ribsight with image_weight and negative_weight"
            )
        rates = [_rates(values.get(name, PredictiveValues()), shown, denied) for name in findings]
        alpha, beta = torch.tensor(rates).T
        return replace(self, noise=RecordNoise(alpha, beta))


def _rates(values: PredictiveValues, shown: float, denied: float) -> tuple[float, float]:
    ppv, npv = values.positive_predictive_value, values.negative_predictive_value
    absent = shown * (1 - ppv) + denied * npv
    present = shown * ppv + denied * (1 - npv)
    return shown * (1 - ppv) / absent, denied * (1 - npv) / present
