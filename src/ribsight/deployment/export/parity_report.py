"""`parity.json` for programs and `parity.md` for people."""

from dataclasses import asdict, dataclass
from typing import Any

from ribsight.deployment.export.parity import LEAST_SCORE, MarkAgreement, Parity
from ribsight.deployment.export.tolerance import Tolerance
from ribsight.detector.model_file import ModelDescription
from ribsight.evaluation.results import Figure

SCHEMA = "ribsight-parity/1"


@dataclass(frozen=True)
class ParityReport:
    """A comparison with what it was made on.

    Attributes:
        model: what was exported.
        source: sentence of where the images come from.
        calibrated_on: training images that gave the ranges of an int8 model; 0 for fp32.
        parity: what was found.
        tolerance: the rule.
        protocol: of the FROC, as a sentence; empty without a truth.
        replicates: resamples behind the intervals.
    """

    model: ModelDescription
    source: str
    calibrated_on: int
    parity: Parity
    tolerance: Tolerance
    protocol: str
    replicates: int

    def document(self) -> dict[str, Any]:
        """Return `parity.json`."""
        exported = self.model.exported
        assert exported is not None
        parity = self.parity
        return {
            "schema": SCHEMA,
            "model": {"name": self.model.name, "sha256": self.model.weights_sha256},
            "source_sha256": exported.source_sha256,
            "format": exported.format,
            "precision": exported.precision,
            "calibrated_on_training_images": self.calibrated_on,
            "images": {"count": parity.images, "source": self.source},
            "tolerance": {"limit": self.tolerance.limit, "rule": self.tolerance.describe()},
            "largest_map_difference": parity.map_difference,
            "worst_image": parity.worst_image,
            "largest_score_difference": parity.score_difference,
            "marks": _marks(parity.marks),
            f"marks_from_{LEAST_SCORE:g}": _marks(parity.shown_marks),
            "protocol": self.protocol,
            "replicates": self.replicates if parity.differences else 0,
            "findings": {
                one.finding: {
                    "auroc_difference": asdict(one.auroc),
                    "froc_score_difference": asdict(one.froc_score),
                }
                for one in parity.differences
            },
        }

    def sentences(self) -> list[str]:
        """Return the result in a few lines, for the screen."""
        parity = self.parity
        lines = [
            f"on {self.source}: maps differ by at most {parity.map_difference:.2g}, image scores "
            f"by {parity.score_difference:.2g}",
            f"  marks that both have: {_share(parity.marks)}; of those from {LEAST_SCORE:g} on: "
            f"{_share(parity.shown_marks)}",
        ]
        lines += [
            f"  {one.finding}: AUROC {figure_text(one.auroc)}, FROC score "
            f"{figure_text(one.froc_score)}"
            for one in parity.differences
        ]
        reservation = self.tolerance.reservation(parity)
        return lines + ([f"  note: {reservation}"] if reservation else [])

    def markdown(self) -> str:
        """Return `parity.md`."""
        exported = self.model.exported
        assert exported is not None
        parity = self.parity
        lines = [
            f"# {self.model.name} as {exported.format}, {exported.precision}: exported against "
            "original",
            "",
            f"Both models were shown {self.source}. {self.tolerance.describe()}",
        ]
        if exported.precision == "int8":
            lines += [
                "",
                f"Weights and activations have 8 bits; the ranges were taken from "
                f"{self.calibrated_on} training images. This is another model than the original: "
                f"its identity is {self.model.weights_sha256}, that of the original "
                f"{exported.source_sha256}.",
            ]
        lines += [
            "",
            "| | |",
            "| --- | --- |",
            f"| images | {parity.images} |",
            f"| largest difference of a probability | {parity.map_difference:.3g} (on "
            f"{parity.worst_image}) |",
            f"| largest difference of an image score | {parity.score_difference:.3g} |",
            f"| marks that both have, within one cell of the map | {_share(parity.marks)} |",
            f"| the same of marks from {LEAST_SCORE:g} on | {_share(parity.shown_marks)} |",
        ]
        if parity.differences:
            lines += [
                "",
                "Exported minus original against the truth, paired, with 95 % intervals over "
                f"{self.replicates} resamples of patients:",
                "",
                "| finding | AUROC | FROC score |",
                "| --- | --- | --- |",
            ]
            lines += [
                f"| {one.finding} | {figure_text(one.auroc)} | {figure_text(one.froc_score)} |"
                for one in parity.differences
            ]
            lines += ["", self.protocol]
        reservation = self.tolerance.reservation(parity)
        if reservation:
            lines += ["", f"**Note:** {reservation}."]
        return "\n".join(lines) + "\n"


def figure_text(figure: Figure) -> str:
    """Return a difference with its interval, or why there is none."""
    if figure.value is None:
        return f"not defined ({figure.note})"
    if figure.low is None or figure.high is None:
        return f"{figure.value:+.4f} (no interval: {figure.note})"
    return f"{figure.value:+.4f} ({figure.low:+.4f} to {figure.high:+.4f})"


def _marks(agreement: MarkAgreement) -> dict[str, float]:
    return {**asdict(agreement), "share": agreement.share}


def _share(agreement: MarkAgreement) -> str:
    if not agreement.original + agreement.exported:
        return "none there"
    return (
        f"{100 * agreement.share:.1f} % ({agreement.both} of {agreement.original} and "
        f"{agreement.exported})"
    )
