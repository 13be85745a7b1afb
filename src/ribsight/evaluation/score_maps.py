"""Scores -> probabilities: monotone maps fitted where the truth is known.

Isotonic regression by pooling adjacent violators (Zadrozny, Elkan, KDD 2002), and a logistic curve
with softened targets (Platt 1999). With few positives a curve of two numbers is the safer one:
steps follow the noise (Niculescu-Mizil, Caruana, ICML 2005).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ribsight.evaluation.curves import Floats

Method = Literal["isotonic", "platt"]
LEAST_FOR_STEPS = 100
"""Of positives and of negatives; below, `auto` takes the curve."""
_FOLDS = 5
# Scores of 0 and 1 have no logit.
_EDGE = 1e-6


@dataclass(frozen=True)
class Isotonic:
    """Straight lines between the ends of steps: rising scores, and their rising probabilities."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, scores: Floats) -> Floats:
        """Return the probability of each score."""
        return np.interp(scores, self.scores, self.probabilities)


@dataclass(frozen=True)
class Platt:
    """1 / (1 + exp(-(slope logit(score) + offset))), with a slope of 0 or more."""

    slope: float
    offset: float

    def __call__(self, scores: Floats) -> Floats:
        """Return the probability of each score."""
        from scipy.special import expit

        return np.asarray(expit(self.slope * _logits(scores) + self.offset))


ScoreMap: TypeAlias = Isotonic | Platt


@dataclass(frozen=True, eq=False)
class Known:
    """Scores of which the truth is known.

    Attributes:
        scores: (N,) in [0, 1].
        true: (N,) 0 or 1.
        groups: (N,) codes of what belongs together, usually the patient.
        weights: (N,) how much each counts.
    """

    scores: Floats
    true: Floats
    groups: NDArray[np.int64]
    weights: Floats

    @property
    def positives(self) -> int:
        """How many are true."""
        return int(self.true.sum())

    @property
    def negatives(self) -> int:
        """How many are not."""
        return len(self.true) - self.positives

    def select(self, kept: NDArray[np.bool_]) -> "Known":
        """Return those of (N,) `kept`."""
        return Known(self.scores[kept], self.true[kept], self.groups[kept], self.weights[kept])


@dataclass(frozen=True)
class Fitted:
    """A map, what it stands on, and what it gains on data that it was not fitted to.

    Attributes:
        map: from scores to probabilities.
        positives: that it was fitted to.
        negatives: that it was fitted to.
        brier_raw: mean squared distance of the raw scores from the truth.
        brier: the same of probabilities, five-fold cross-validated by group; NaN if that was not
            possible.
        brier_constant: the same if the share of positives were said of each.
        why: how the method was chosen.
    """

    map: ScoreMap
    positives: int
    negatives: int
    brier_raw: float
    brier: float
    brier_constant: float
    why: str


def fit_isotonic(known: Known) -> Isotonic:
    """Return the rising steps nearest to the truth in squares, equal scores taken together.

    No step says 0 or 1 of N scores, but at least 1 / (N + 2): what was never seen may come.
    """
    from scipy.optimize import isotonic_regression

    scores, place = np.unique(known.scores, return_inverse=True)
    weights = np.bincount(place, known.weights)
    share = np.bincount(place, known.weights * known.true) / weights
    said = np.asarray(isotonic_regression(share, weights=weights).x)
    least = 1 / (len(known.scores) + 2)
    said = np.clip(said, least, 1 - least)
    inner = np.zeros(len(said), dtype=np.bool_)
    inner[1:-1] = (said[1:-1] == said[:-2]) & (said[1:-1] == said[2:])
    return Isotonic(tuple(scores[~inner].tolist()), tuple(said[~inner].tolist()))


def fit_platt(known: Known) -> Platt:
    """Return the likeliest curve, with targets (P + 1) / (P + 2) and 1 / (N + 2) for 1 and 0."""
    from scipy.optimize import minimize

    # Scores of a weak detector lie close together; standardised, the search is as easy as ever.
    plain = _logits(known.scores)
    middle, spread = float(plain.mean()), float(plain.std()) or 1.0
    logits = (plain - middle) / spread
    high = (known.positives + 1) / (known.positives + 2)
    low = 1 / (known.negatives + 2)
    target = np.where(known.true > 0, high, low)
    share = known.weights / known.weights.sum()

    def loss(numbers: Floats) -> tuple[float, Floats]:
        z = numbers[0] * logits + numbers[1]
        wrong = share * (_expit(z) - target)
        value = float(share @ (np.logaddexp(0, z) - target * z))
        return value, np.array([wrong @ logits, wrong.sum()])

    rate = float(share @ target)
    start = np.array([1.0, np.log(rate / (1 - rate))])
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)],
        options={"ftol": 1e-14, "gtol": 1e-10, "maxiter": 1000},
    )  # fmt: skip
    slope = float(found.x[0]) / spread
    return Platt(slope, float(found.x[1]) - slope * middle)


_FIT: dict[Method, Callable[[Known], ScoreMap]] = {"isotonic": fit_isotonic, "platt": fit_platt}


def fit(known: Known, method: Method | Literal["auto"] = "auto", *, seed: int = 0) -> Fitted:
    """Return the map of a method, or of the one that serves better on groups it has not seen.

    `auto` takes steps only where there are `LEAST_FOR_STEPS` of both classes and their
    cross-validated Brier score is lower than the curve's.

    Args:
        known: with positives and negatives.
        method: which map.
        seed: of the folds.
    """
    said = {one: _cross_validated(known, one, seed) for one in _FIT if method in (one, "auto")}
    scores = {one: _brier(known, values) for one, values in said.items()}
    chosen, why = _choice(known, method, scores)
    share = float(known.weights @ known.true / known.weights.sum())
    return Fitted(
        map=_FIT[chosen](known),
        positives=known.positives,
        negatives=known.negatives,
        brier_raw=_brier(known, known.scores),
        brier=scores[chosen],
        brier_constant=_brier(known, np.full(len(known.true), share)),
        why=why,
    )


def _choice(
    known: Known, method: Method | Literal["auto"], brier: dict[Method, float]
) -> tuple[Method, str]:
    if method != "auto":
        return method, "asked for"
    fewest = min(known.positives, known.negatives)
    if fewest < LEAST_FOR_STEPS:
        which = "positives" if fewest == known.positives else "negatives"
        return "platt", f"{fewest} {which}, fewer than {LEAST_FOR_STEPS}"
    if any(np.isnan(one) for one in brier.values()):
        return "platt", "too few groups to cross-validate"
    better: Method = "isotonic" if brier["isotonic"] < brier["platt"] else "platt"
    other: Method = "platt" if better == "isotonic" else "isotonic"
    figures = f"{brier[better]:.4f} against {brier[other]:.4f}"
    return better, f"cross-validated Brier score {figures} of {other}"


def _cross_validated(known: Known, method: Method, seed: int) -> Floats:
    """Return (N,) what maps fitted to other groups say; NaN where those lack a class."""
    groups, place = np.unique(known.groups, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(groups))[place] % _FOLDS
    said = np.full(len(known.true), np.nan)
    for held_out in range(_FOLDS):
        seen = known.select(fold != held_out)
        if seen.positives and seen.negatives:
            said[fold == held_out] = _FIT[method](seen)(known.scores[fold == held_out])
    return said


def _brier(known: Known, said: Floats) -> float:
    return float(known.weights @ (said - known.true) ** 2 / known.weights.sum())


def _logits(scores: Floats) -> Floats:
    inside = np.clip(np.asarray(scores, dtype=np.float64), _EDGE, 1 - _EDGE)
    return np.log(inside / (1 - inside))


def _expit(z: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(z))
