"""Scores as a report names them."""

from typing import NamedTuple

from ribsight.evaluation.predictions import FindingPrediction, Mark
from ribsight.regions.formats.dicom_codes import PROBABILITY, SCORE, SCORES, Code

# OHIF shows the code of a unit: "1" would be taken for a part of the number.
_SCORE = Code("{score}", "UCUM", "score")
_PERCENT = Code("%", "UCUM", "Percent")


class Figure(NamedTuple):
    """A measured value: what it is called, how large, in which unit."""

    name: Code
    value: float
    unit: Code


def figures_of(one: Mark | FindingPrediction) -> list[Figure]:
    """Return the score, named after its certainty, and the probability in percent if known."""
    figures = [
        Figure(SCORES[one.certainty] if one.certainty else SCORE, round(one.score, 4), _SCORE)
    ]
    if one.probability is not None:
        figures.append(Figure(PROBABILITY, round(100 * one.probability, 1), _PERCENT))
    return figures


def sentence(name: str, is_detected: bool, one: FindingPrediction) -> str:
    """Return what a report's text says of a finding in the whole image."""
    said = [f"{name}: {'detected' if is_detected else 'not detected'}"]
    said += [str(one.certainty)] if one.certainty else []
    said += [f"score {one.score:.2f}"]
    said += [] if one.probability is None else [f"probability {100 * one.probability:.0f} %"]
    return ", ".join(said) + "."
