import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ribsight.errors import RibsightError
from ribsight.evaluation.delong import (
    delong,
    delong_covariance,
    delong_difference,
    delong_logit,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Albumin, total protein, K-G score and outcome of the patients in DeLong et al. 1988, as printed in
# SAS/STAT's example "Comparing Receiver Operating Characteristic Curves".
ROWS = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1  3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1  3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""
PATIENTS = np.array([float(one) for one in ROWS.split()]).reshape(-1, 4)
OUTCOME = PATIENTS[:, 3] == 1
ALBUMIN, PROTEIN, KG = PATIENTS[:, 0], PATIENTS[:, 1], 10 - PATIENTS[:, 2]


@pytest.mark.parametrize(
    ("scores", "area", "error", "low", "high"),
    [
        (ALBUMIN, 0.7366, 0.0927, 0.5549, 0.9182),
        (PROTEIN, 0.6478, 0.1000, 0.4518, 0.8439),
        (KG, 0.7258, 0.1028, 0.5243, 0.9273),
    ],
)
def test_published_areas(
    scores: Floats,
    area: float,
    error: float,
    low: float,
    high: float,
) -> None:
    one = delong(scores, OUTCOME)
    assert (one.value, one.standard_error) == pytest.approx((area, error), abs=5e-5)
    assert (one.low, one.high) == pytest.approx((low, high), abs=5e-5)


def test_published_differences_to_the_kg_score() -> None:
    albumin, protein = (delong_difference(KG, one, OUTCOME) for one in (ALBUMIN, PROTEIN))
    assert (albumin.value, albumin.standard_error) == pytest.approx((0.0108, 0.0953), abs=5e-5)
    assert (protein.value, protein.standard_error) == pytest.approx((-0.0780, 0.1046), abs=5e-5)
    assert (albumin.p, protein.p) == pytest.approx((0.9102, 0.4561), abs=5e-5)


@pytest.mark.parametrize("seed", range(10))
def test_covariance_equals_the_definition(seed: int) -> None:
    generator = np.random.default_rng(seed)
    positive = np.arange(30) < 11
    scores = generator.integers(6, size=(2, 30)) / 5
    areas, covariance = delong_covariance(scores, positive)
    psi = np.stack(
        [
            (p[:, None] > q) + 0.5 * (p[:, None] == q)
            for p, q in ((one[positive], one[~positive]) for one in scores)
        ]
    )
    expected = np.cov(psi.mean(axis=2)) / 11 + np.cov(psi.mean(axis=1)) / 19
    np.testing.assert_allclose(covariance, expected)
    np.testing.assert_allclose(areas, [roc_auc_score(positive, one) for one in scores])


def _obuchowski(scores: Floats, positive: Bools, groups: Ints) -> float:
    """The variance as it is printed: sums over clusters of structural components."""
    x, y = scores[positive], scores[~positive]
    of_x, of_y = groups[positive], groups[~positive]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    v10, v01, area = psi.mean(axis=1), psi.mean(axis=0), psi.mean()
    s10 = s01 = s11 = 0.0
    for one in np.unique(groups):
        above = (v10[of_x == one] - area).sum()
        below = (v01[of_y == one] - area).sum()
        s10, s01, s11 = s10 + above**2, s01 + below**2, s11 + above * below
    i10, i01, i = (len(np.unique(one)) for one in (of_x, of_y, groups))
    m, n = len(x), len(y)
    s10, s01, s11 = s10 * i10 / ((i10 - 1) * m), s01 * i01 / ((i01 - 1) * n), s11 * i / (i - 1)
    return float(s10 / m + s01 / n + 2 * s11 / (m * n))


@pytest.mark.parametrize("seed", range(10))
def test_clustered_variance_equals_the_definition(seed: int) -> None:
    generator = np.random.default_rng(seed)
    groups = np.sort(generator.integers(12, size=40))
    positive = generator.random(40) < 0.4
    scores = generator.integers(8, size=40) / 7
    expected = math.sqrt(_obuchowski(scores, positive, groups))
    assert delong(scores, positive, groups).standard_error == pytest.approx(expected)
    alone = delong(scores, positive, np.arange(40))
    assert alone.standard_error == pytest.approx(delong(scores, positive).standard_error)


def test_repeating_every_image_of_a_patient_adds_nothing() -> None:
    groups = np.concatenate([np.arange(len(KG))] * 3)
    scores, outcome = np.tile(KG, 3), np.tile(OUTCOME, 3)
    again = delong(scores, outcome, groups)
    assert again.standard_error == pytest.approx(delong(KG, OUTCOME).standard_error)
    # As if they were independent, the interval would be too narrow by the root of three.
    assert delong(scores, outcome).standard_error < 0.6 * again.standard_error


def test_logit_interval_is_symmetric_in_logits_and_inside_0_and_1() -> None:
    one, plain = delong_logit(KG, OUTCOME), delong(KG, OUTCOME)
    low, middle, high = (math.log(p / (1 - p)) for p in (one.low, one.value, one.high))
    assert high - middle == pytest.approx(middle - low)
    reach = 1.959964 * plain.standard_error / (plain.value * (1 - plain.value))
    assert high - middle == pytest.approx(reach)
    assert one.low < plain.low
    near_1 = delong_logit(np.array([0.1, 0.2, 0.3, 0.25, 0.8, 0.9]), np.arange(6) > 2)
    assert 0 < near_1.low < near_1.value < near_1.high < 1


def test_one_image_of_a_kind_has_no_variance_and_a_perfect_one_no_interval() -> None:
    with pytest.raises(RibsightError, match="two images of each kind, not 1 with a positive and 2"):
        delong(np.array([0.1, 0.2, 0.3]), np.array([False, False, True]))
    with pytest.raises(RibsightError, match="two groups of each kind, not 1 with a positive"):
        delong(
            np.array([0.1, 0.2, 0.3, 0.4]),
            np.array([False, False, True, True]),
            np.array([0, 1, 2, 2]),
        )
    scores, positive = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])
    perfect = delong(scores, positive)
    assert (perfect.value, perfect.low, perfect.high, perfect.p) == (1, 1, 1, None)
    assert math.isnan(delong_logit(scores, positive).low)
