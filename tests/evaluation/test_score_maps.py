"""Scores to probabilities: against scikit-learn, and against a truth that was made."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from ribsight.evaluation.curves import Floats
from ribsight.evaluation.score_maps import (
    Isotonic,
    Known,
    Platt,
    fit,
    fit_isotonic,
    fit_platt,
)


def made(
    count: int, seed: int, *, slope: float = 1.0, offset: float = 0.0, digits: int = 9
) -> Known:
    """Return scores that are true with probability expit(slope logit(score) + offset)."""
    random = np.random.default_rng(seed)
    scores = np.round(random.uniform(0.01, 0.99, count), digits)
    true = random.random(count) < expit(slope * logit(scores) + offset)
    weights = random.uniform(0.5, 2, count)
    return Known(scores, true.astype(float), np.arange(count), weights)


@given(seed=st.integers(0, 1000), count=st.integers(2, 60), digits=st.integers(1, 6))
@settings(max_examples=40)
def test_isotonic_is_that_of_scikit_learn(seed: int, count: int, digits: int) -> None:
    known = made(count, seed, digits=digits)
    least = 1 / (count + 2)
    oracle = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    oracle.fit(known.scores, known.true, sample_weight=known.weights)
    at = np.linspace(0, 1, 101)
    np.testing.assert_allclose(fit_isotonic(known)(at), oracle.predict(at), atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_platt_is_logistic_regression_on_softened_targets(seed: int) -> None:
    known = made(200, seed, slope=2, offset=-1)
    high, low = (known.positives + 1) / (known.positives + 2), 1 / (known.negatives + 2)
    target = np.where(known.true > 0, high, low)
    z = logit(known.scores)
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    oracle.fit(
        np.concatenate([z, z])[:, None],
        np.repeat([1, 0], len(z)),
        sample_weight=np.concatenate([known.weights * target, known.weights * (1 - target)]),
    )
    found = fit_platt(known)
    assert found.slope == pytest.approx(float(oracle.coef_[0, 0]), rel=1e-3)
    assert found.offset == pytest.approx(float(oracle.intercept_[0]), rel=1e-3, abs=1e-3)


def test_scores_that_lie_close_together_are_no_harder() -> None:
    known = made(500, 1, slope=2)
    close = expit(logit(known.scores) / 1000 - 5)
    squeezed = Known(close, known.true, known.groups, known.weights)
    np.testing.assert_allclose(
        fit_platt(squeezed)(close), fit_platt(known)(known.scores), atol=1e-4
    )


def test_a_detector_worse_than_chance_gets_no_falling_curve() -> None:
    known = made(300, 0, slope=-2)
    assert fit_platt(known).slope == 0
    at = np.linspace(0, 1, 11)
    assert np.ptp(fit_platt(known)(at)) == 0
    assert np.all(np.diff(fit_isotonic(known)(at)) >= 0)


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_probabilities_come_near_the_true_ones(method: str) -> None:
    known = made(20_000, 3, slope=0.6, offset=-1.5)
    at: Floats = np.linspace(0.05, 0.95, 19)
    fitted = fit(known, "isotonic" if method == "isotonic" else "platt")
    np.testing.assert_allclose(fitted.map(at), expit(0.6 * logit(at) - 1.5), atol=0.05)
    assert fitted.brier < fitted.brier_raw
    assert fitted.brier < fitted.brier_constant


def test_few_positives_get_the_curve_and_many_what_serves_better() -> None:
    few = fit(made(250, 0, offset=-2.5))
    assert isinstance(few.map, Platt)
    assert few.why == f"{few.positives} positives, fewer than 100"
    curved = fit(made(2000, 0))
    assert isinstance(curved.map, Platt)
    # Probability 0.1 below a score of 0.5 and 0.9 above: no curve in the logit.
    random = np.random.default_rng(0)
    scores = random.random(2000)
    true = random.random(2000) < np.where(scores > 0.5, 0.9, 0.1)
    stepped = fit(Known(scores, true.astype(float), np.arange(2000), np.ones(2000)))
    assert isinstance(stepped.map, Isotonic)
    assert "cross-validated Brier score" in stepped.why
    asked = fit(made(2000, 0), "isotonic")
    assert isinstance(asked.map, Isotonic)


def test_one_group_cannot_be_cross_validated() -> None:
    known = made(600, 0)
    fitted = fit(Known(known.scores, known.true, np.zeros(600, np.int64), known.weights))
    assert fitted.why == "too few groups to cross-validate"
    assert np.isnan(fitted.brier)
