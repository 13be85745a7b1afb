from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.froc import (
    FrocEvents,
    froc_curve,
    froc_events,
    froc_score,
    froc_weighted,
    threshold_at,
)
from ribsight.evaluation.matching import match
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

MakeTruth = Callable[..., Truth]
MakeReading = Callable[..., Reading]
Row = tuple[int, float, float, float]

EXACT = Protocol(dilation=0.0)
BOX = (20, 20, 30, 30)
INSIDE, OUTSIDE = (25.0, 25.0), (80.0, 80.0)


def _events(truth: Truth, reading: Reading, protocol: Protocol = EXACT) -> FrocEvents:
    return froc_events(match(truth, reading, protocol), truth, protocol)


def test_by_hand(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    # 10 images, 4 regions (images 0 ... 3). By falling score: false, hit, hit + false (tied),
    # hit, false, and a duplicate that does not count.
    truth = make_truth([1] * 4 + [0] * 6, {image: [BOX] for image in range(4)})
    marks = [
        (5, *OUTSIDE, 0.9),
        (0, *INSIDE, 0.8),
        (1, *INSIDE, 0.7),
        (6, *OUTSIDE, 0.7),
        (0, *INSIDE, 0.65),
        (2, *INSIDE, 0.6),
        (3, *OUTSIDE, 0.5),
    ]
    curve = froc_curve(_events(truth, make_reading(marks, [0] * 10)))
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert curve.rate.tolist() == [0, 0.1, 0.1, 0.2, 0.2, 0.3]
    assert curve.sensitivity.tolist() == [0, 0, 0.25, 0.5, 0.75, 0.75]
    # Sensitivities at 0.1 ... 0.5: 0.25, 0.75, 0.75, 0.75 (held), 0.75 (held).
    assert froc_score(curve, EXACT) == pytest.approx((0.25 + 4 * 0.75) / 5)
    assert threshold_at(curve, 0.1) == 0.8
    assert threshold_at(curve, 0.25) == 0.6


def test_duplicates_can_be_false_positives(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth = make_truth([1, 0], {0: [BOX]})
    reading = make_reading([(0, *INSIDE, 0.9), (0, *INSIDE, 0.8)], [0, 0])
    protocol = Protocol(dilation=0.0, duplicates="false_positive")
    assert froc_curve(_events(truth, reading)).rate.tolist() == [0, 0]
    assert froc_curve(_events(truth, reading, protocol)).rate.tolist() == [0, 0, 0.5]


def test_denominator_can_be_images_without_the_finding(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    # The false mark on the positive image no longer counts, the other one counts 1 / 2.
    truth = make_truth([1, 0, 0], {0: [BOX]})
    reading = make_reading([(0, *OUTSIDE, 0.9), (1, *OUTSIDE, 0.8)], [0] * 3)
    protocol = Protocol(dilation=0.0, denominator="images_without_finding")
    assert froc_curve(_events(truth, reading, protocol)).rate.tolist() == [0, 0.5]


def test_positive_image_without_region_is_no_denominator(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth = make_truth([1, 0, 1, 0], {0: [BOX]})
    reading = make_reading([(1, *OUTSIDE, 0.9), (2, *OUTSIDE, 0.9)], [0] * 4)
    assert froc_curve(_events(truth, reading)).rate.tolist() == [0, 1 / 3]


def test_rate_of_exactly_the_operating_point_counts(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    # 3 false marks on 30 images are 0.1 an image, no more.
    truth = make_truth([1] + [0] * 29, {0: [BOX]})
    marks = [(image, *OUTSIDE, 0.9) for image in (1, 2, 3)] + [(0, *INSIDE, 0.5)]
    events = _events(truth, make_reading(marks, [0] * 30))
    assert froc_score(froc_curve(events), EXACT) == 1
    at = np.array([0.1, 0.3])
    assert froc_weighted(events, np.full((2, 30), 7.0), at).tolist() == [[1, 1], [1, 1]]


def test_no_marks_score_zero(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    events = _events(make_truth([1, 0], {0: [BOX]}), make_reading([], [0, 0]))
    assert froc_score(froc_curve(events), EXACT) == 0
    assert froc_weighted(events, np.ones((1, 2)), np.array([0.1])).tolist() == [[0]]


def test_all_scores_tied_is_one_threshold(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    truth = make_truth([1, 0], {0: [BOX]})
    curve = froc_curve(
        _events(truth, make_reading([(0, *INSIDE, 0.5), (1, *OUTSIDE, 0.5)], [0, 0]))
    )
    # The hit comes only at the price of the false mark: 0.5 an image.
    assert curve.rate.tolist() == [0, 0.5]
    assert froc_score(curve, EXACT) == pytest.approx(1 / 5)


def test_no_region_is_an_error(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    with pytest.raises(RibsightError, match="no region of 'rib_fracture'"):
        _events(make_truth([1, 0]), make_reading([(1, *OUTSIDE, 0.5)], [0, 0]))


def test_no_image_to_count_on_is_an_error(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    protocol = Protocol(denominator="images_without_finding")
    with pytest.raises(RibsightError, match="no image without 'rib_fracture'"):
        _events(make_truth([1], {0: [BOX]}), make_reading([], [0]), protocol)


def test_resample_without_region_has_no_sensitivity(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    events = _events(make_truth([1, 0], {0: [BOX]}), make_reading([(0, *INSIDE, 0.9)], [0, 0]))
    read = froc_weighted(events, np.array([[0.0, 2], [1, 1]]), np.array([0.1]))
    assert np.isnan(read[0, 0])
    assert read[1, 0] == 1


@pytest.mark.parametrize("seed", range(25))
def test_equals_brute_force_over_thresholds(
    seed: int, make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth, rows = _random_case(seed, make_truth)
    table = match(truth, make_reading(rows, [0] * 30), EXACT)
    events = froc_events(table, truth, EXACT)
    expected = []
    for rate in EXACT.operating_points:
        best = 0.0
        for threshold in {row[3] for row in rows}:
            passed = table.outcome[table.score >= threshold]
            if (passed == 0).sum() / truth.located.sum() <= rate:
                best = max(best, (passed == 1).sum() / len(truth.region_image))
        expected.append(best)
    assert froc_score(froc_curve(events), EXACT) == pytest.approx(np.mean(expected))
    weighted = froc_weighted(events, np.ones((1, 30)), np.array(EXACT.operating_points))
    np.testing.assert_allclose(weighted[0], expected)


@pytest.mark.parametrize("seed", range(10))
def test_weights_equal_duplicated_images(
    seed: int, make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth, rows = _random_case(seed, make_truth)
    weights = np.random.default_rng(seed + 100).integers(4, size=(3, 30))
    events = _events(truth, make_reading(rows, [0] * 30))
    read = froc_weighted(events, weights.astype(float), np.array(EXACT.operating_points))
    for row, counts in enumerate(weights):
        copies = np.repeat(np.arange(30), counts)
        boxes = {
            new: [tuple(box) for box in truth.region_boxes[truth.region_image == old]]
            for new, old in enumerate(copies)
        }
        marks = [
            (new, *mark[1:]) for new, old in enumerate(copies) for mark in rows if mark[0] == old
        ]
        again = _events(
            make_truth(truth.state[copies].tolist(), boxes), make_reading(marks, copies)
        )
        assert read[row].mean() == pytest.approx(froc_score(froc_curve(again), EXACT))


def _random_case(seed: int, make_truth: MakeTruth) -> tuple[Truth, list[Row]]:
    """30 images, every third positive, one positive without region, tied scores."""
    generator = np.random.default_rng(seed)
    state = [int(image % 3 == 0) for image in range(30)]
    boxes = {
        image: [(x, y, x + 15, y + 15) for x, y in generator.integers(60, size=(2, 2))]
        for image in range(3, 30, 3)
    }
    rows = [
        (int(image), float(x), float(y), score / 12)
        for image, x, y, score in generator.integers((30, 80, 80, 13), size=(70, 4))
    ]
    return make_truth(state, boxes), rows


mark_rows = st.lists(
    st.tuples(
        st.integers(0, 5), st.sampled_from([INSIDE, OUTSIDE, (28.0, 40.0)]), st.integers(1, 9)
    ),
    max_size=25,
)


def _score(truth: Truth, make_reading: MakeReading, rows: list[Row]) -> float:
    return froc_score(froc_curve(_events(truth, make_reading(rows, [0] * 6))), EXACT)


@given(mark_rows, st.randoms(), st.integers(0, 5), st.integers(1, 9))
def test_properties(
    make_truth: MakeTruth,
    make_reading: MakeReading,
    marks: list[tuple[int, tuple[float, float], int]],
    random: Random,
    false_image: int,
    false_score: int,
) -> None:
    truth = make_truth([1, 1, 1, 0, 0, 0], {image: [BOX] for image in range(3)})
    rows = [(image, *at, score / 10) for image, at, score in marks]
    plain = _score(truth, make_reading, rows)
    shuffled = random.sample(rows, len(rows))
    assert _score(truth, make_reading, shuffled) == plain
    stretched = [(image, x, y, score**3) for image, x, y, score in rows]
    assert _score(truth, make_reading, stretched) == plain
    with_false = [*rows, (false_image, *OUTSIDE, false_score / 10)]
    assert _score(truth, make_reading, with_false) <= plain
    perfect = [(image, *INSIDE, 1.0) for image in range(3)]
    assert _score(truth, make_reading, perfect + rows) == 1


def test_sums_reach_as_far_as_the_highest_rate(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    # Image 1 carries the early false marks: where it is not drawn, the sums must go on to the
    # later ones.
    truth = make_truth([1] + [0] * 9, {0: [BOX]})
    marks = [(1, float(40 + k), 80.0, 0.99 - k / 1000) for k in range(30)]
    marks += [(2 + k % 8, 70.0 + k / 10, 60.0, 0.5 - k / 1000) for k in range(40)]
    marks += [(0, *INSIDE, 0.495)]
    events = _events(truth, make_reading(marks, [0] * 10))
    weights: NDArray[np.float64] = np.ones((1, 10))
    weights[0, 1] = 0
    # Without image 1: 9 images, and 5 marks from 0.5 to 0.496 stand before or beside the hit.
    assert froc_weighted(events, weights, np.array([4 / 9, 5 / 9, 6 / 9])).tolist() == [[0, 0, 1]]
