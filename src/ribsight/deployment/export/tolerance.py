"""How far an exported model may be from the original."""

from dataclasses import dataclass

from ribsight.deployment.export.parity import Parity
from ribsight.detector.model_file import Precision
from ribsight.evaluation.results import Difference, Figure

DEFAULTS: dict[Precision, float] = {"fp32": 1e-3, "int8": 0.02}
"""fp32: of a probability, anywhere on any map. int8: of AUROC and of the FROC score."""


@dataclass(frozen=True)
class Tolerance:
    """The limit, and what it is of."""

    precision: Precision
    limit: float

    def describe(self) -> str:
        """Return the rule as a sentence."""
        if self.precision == "fp32":
            return f"No probability of any map may differ by more than {self.limit:g}."
        return (
            f"Neither AUROC nor FROC score of any finding may be lower by more than {self.limit:g}."
        )

    def objection(self, parity: Parity) -> str:
        """Return why the model is not exported; empty if it is."""
        if self.precision == "fp32":
            if parity.map_difference <= self.limit:
                return ""
            return (
                f"its maps differ from the original's by up to {parity.map_difference:.2g} (on "
                f"{parity.worst_image}), more than the tolerance of {self.limit:g}"
            )
        losses = list(_losses(parity.differences))
        if not losses:
            return (
                "what quantising loses cannot be measured: none of its findings has both positive "
                "and negative images here"
            )
        too_much = [
            f"{words} of {finding} by {-value:.3f}{_interval(figure)}"
            for finding, words, figure, value in losses
            if not value >= -self.limit
        ]
        if not too_much:
            return ""
        return f"quantising lowers {' and '.join(too_much)}, more than {self.limit:g}"

    def reservation(self, parity: Parity) -> str:
        """Return what is not shown though the model is exported; empty if nothing."""
        if self.precision == "fp32":
            return ""
        open_ = [
            f"{words} of {finding}"
            for finding, words, figure, _ in _losses(parity.differences)
            if figure.low is None or figure.low < -self.limit
        ]
        if not open_:
            return ""
        return (
            f"the {parity.images} images do not rule out that more than {self.limit:g} is lost in "
            + " and ".join(open_)
        )


def _losses(
    differences: tuple[Difference, ...],
) -> list[tuple[str, str, Figure, float]]:
    return [
        (one.finding, words, figure, figure.value)
        for one in differences
        for words, figure in (("AUROC", one.auroc), ("FROC score", one.froc_score))
        if figure.value is not None
    ]


def _interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f" (95 % interval {-figure.high:.3f} to {-figure.low:.3f})"
