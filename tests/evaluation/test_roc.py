from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ribsight.errors import RibsightError
from ribsight.evaluation.roc import auroc, auroc_weighted, roc_curve, roc_weighted

SCORES = np.array([0.8, 0.6, 0.6, 0.4, 0.2])
POSITIVE = np.array([True, False, True, True, False])


def test_auroc_by_hand() -> None:
    # Positives 0.8, 0.6, 0.4 against negatives 0.6, 0.2: 1 + 1, 1/2 + 1, 0 + 1 of 6 pairs.
    assert auroc(SCORES, POSITIVE) == 4.5 / 6


def test_curve_takes_tied_scores_as_one_threshold() -> None:
    curve = roc_curve(SCORES, POSITIVE)
    assert curve.thresholds.tolist() == [np.inf, 0.8, 0.6, 0.4, 0.2]
    assert curve.false_positive_rate.tolist() == [0, 0, 0.5, 0.5, 1]
    np.testing.assert_allclose(curve.sensitivity, [0, 1 / 3, 2 / 3, 1, 1])


@pytest.mark.parametrize("seed", range(20))
def test_auroc_equals_scikit_learn_with_ties(seed: int) -> None:
    generator = np.random.default_rng(seed)
    positive = generator.random(60) < 0.3
    positive[:2] = True, False
    scores = generator.integers(8, size=60) / 8
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


def test_weights_equal_scikit_learn_on_duplicated_images() -> None:
    generator = np.random.default_rng(3)
    positive = generator.random(40) < 0.4
    scores = generator.integers(10, size=40) / 10
    weights = generator.integers(4, size=(5, 40)).astype(float)
    expected = [
        roc_auc_score(np.repeat(positive, w.astype(int)), np.repeat(scores, w.astype(int)))
        for w in weights
    ]
    np.testing.assert_allclose(auroc_weighted(scores, positive, weights), expected, atol=1e-12)


def test_resample_without_negative_has_no_auroc() -> None:
    weights = np.array([[1.0, 0, 1, 1, 0], [1, 1, 1, 1, 1]])
    areas = auroc_weighted(SCORES, POSITIVE, weights)
    assert np.isnan(areas[0])
    assert areas[1] == 0.75
    assert np.isnan(roc_weighted(SCORES, POSITIVE, weights, np.array([0.5]))[0, 0])


def test_weighted_curve_reads_the_top_of_a_vertical_segment() -> None:
    # Points (0, 1/3), (0.5, 2/3), (0.5, 1), (1, 1): at 0.25 half way between the first two.
    read = roc_weighted(SCORES, POSITIVE, np.ones((1, 5)), np.array([0, 0.25, 0.5]))
    np.testing.assert_allclose(read, [[1 / 3, 0.5, 1]])


@pytest.mark.parametrize(
    ("scores", "positive", "message"),
    [
        ([0.1, 0.2], [False, False], "no image is positive"),
        ([0.1, 0.2], [True, True], "no image is negative"),
        ([0.1, np.nan], [True, False], "not a finite number"),
    ],
)
def test_undefined_is_an_error(scores: list[float], positive: list[bool], message: str) -> None:
    with pytest.raises(RibsightError, match=message):
        auroc(np.array(scores), np.array(positive))


def test_all_scores_tied_is_a_half() -> None:
    assert auroc(np.full(5, 0.3), POSITIVE) == 0.5


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2), st.randoms())
def test_order_and_monotone_transform_do_not_matter(
    rows: list[tuple[int, bool]], random: Random
) -> None:
    rows += [(3, True), (4, False)]
    scores, positive = (np.array(column) for column in zip(*rows, strict=True))
    plain = auroc(scores / 20, positive)
    random.shuffle(rows)
    scores, positive = (np.array(column) for column in zip(*rows, strict=True))
    assert auroc(scores / 20, positive) == pytest.approx(plain, abs=1e-12)
    assert auroc(scores.astype(float) ** 3 - 7, positive) == pytest.approx(plain, abs=1e-12)
