import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ribsight.errors import RibsightError
from ribsight.evaluation.delong import delong, delong_covariance, delong_difference

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
    scores: "np.ndarray[tuple[int], np.dtype[np.float64]]",
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


def test_one_image_of_a_kind_has_no_variance_and_a_perfect_one_no_width() -> None:
    with pytest.raises(RibsightError, match="two images of each kind, not 1 positive and 2"):
        delong(np.array([0.1, 0.2, 0.3]), np.array([False, False, True]))
    perfect = delong(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True]))
    assert (perfect.value, perfect.low, perfect.high, perfect.p) == (1, 1, 1, None)
