"""AFROC and wAFROC against their definition, written out in loops."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ribsight.errors import RibsightError
from ribsight.evaluation.afroc import afroc_auc
from ribsight.evaluation.matching import Outcome, match
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

MakeTruth = Callable[..., Truth]
MakeReading = Callable[..., Reading]
EXACT = Protocol(dilation=0.0)
BOXES = [(0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)]


def brute_force(truth: Truth, reading: Reading, weighted: bool, all_images: bool) -> float:
    """Chakraborty's sums as they are printed, over every normal image, image and lesion."""
    table = match(truth, reading, EXACT)
    marks = list(zip(table.image, table.score, table.outcome, table.region, strict=True))
    total, normal = 0.0, np.flatnonzero((truth.state == 0) | all_images)
    diseased = sorted(set(truth.region_image.tolist()))
    for k in normal:
        false = max((s for i, s, o, _ in marks if i == k and o == Outcome.FALSE), default=-np.inf)
        for image in diseased:
            lesions = np.flatnonzero(truth.region_image == image)
            for lesion in lesions:
                rating = max(
                    (s for _, s, o, r in marks if r == lesion and o == Outcome.HIT),
                    default=-np.inf,
                )
                psi = 1.0 if rating > false else 0.5 if rating == false else 0.0
                total += psi / len(lesions) if weighted else psi
    return float(total / (len(normal) * (len(diseased) if weighted else len(truth.region_image))))


@pytest.mark.parametrize("all_images", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_equals_the_definition(
    seed: int, weighted: bool, all_images: bool, make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    generator = np.random.default_rng(seed)
    state = [int(image % 2) for image in range(14)]
    boxes = {image: BOXES[: generator.integers(1, 4)] for image in range(1, 14, 2)}
    rows = [
        (int(i), float(x), float(y), s / 6)
        for i, x, y, s in generator.integers((14, 60, 20, 7), size=(generator.integers(0, 40), 4))
    ]
    truth, reading = make_truth(state, boxes), make_reading(rows, [0] * 14)
    table = match(truth, reading, EXACT)
    found = afroc_auc(table, truth, weighted=weighted, all_images=all_images)
    expected = brute_force(truth, reading, weighted, all_images)
    assert found == pytest.approx(expected, abs=1e-12)


def test_by_hand(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    # Image 0 has two lesions, hit with 0.9 and never; image 1 one, hit with 0.4. Normal images
    # score 0.5 and nothing. AFROC: (1 + 1) + (0 + 1/2) + (0 + 1) of 6; weighted 1/4 + ... of 2.
    truth = make_truth([1, 1, 0, 0], {0: BOXES[:2], 1: BOXES[:1]})
    rows = [(0, 5, 5, 0.9), (1, 5, 5, 0.4), (2, 90, 90, 0.5)]
    table = match(truth, make_reading(rows, [0] * 4), EXACT)
    assert afroc_auc(table, truth, weighted=False) == pytest.approx((2 + 0.5 + 1) / 6)
    assert afroc_auc(table, truth) == pytest.approx(((2 + 0.5) / 2 + 1) / 4)


def test_afroc1_counts_false_marks_beside_lesions_and_needs_no_normal_image(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth = make_truth([1, 1], {0: BOXES[:1], 1: BOXES[:1]})
    rows = [(0, 5, 5, 0.9), (1, 5, 5, 0.4), (1, 90, 90, 0.6)]
    table = match(truth, make_reading(rows, [0] * 2), EXACT)
    # Lesions 0.9 and 0.4 against the images' highest false marks: none and 0.6.
    assert afroc_auc(table, truth, all_images=True) == (1 + 1 + 1 + 0) / 4


def test_no_normal_image_and_no_lesion_are_errors(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    for truth, message in (
        (make_truth([1], {0: BOXES}), "no image without 'rib_fracture'"),
        (make_truth([0]), "no region of 'rib_fracture' is drawn"),
    ):
        table = match(truth, make_reading([], [0]), EXACT)
        with pytest.raises(RibsightError, match=message):
            afroc_auc(table, truth)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 9)), max_size=12))
def test_properties(
    make_truth: MakeTruth, make_reading: MakeReading, marks: list[tuple[int, bool, int]]
) -> None:
    truth = make_truth([1, 1, 0, 0], {0: BOXES[:2], 1: BOXES[:1]})
    rows = [(i, *((5.0, 5.0) if inside else (90.0, 90.0)), s / 10) for i, inside, s in marks]

    def area(rows: list[tuple[int, float, float, float]]) -> float:
        return afroc_auc(match(truth, make_reading(rows, [0] * 4), EXACT), truth)

    plain = area(rows)
    assert area(rows[::-1]) == plain
    assert area([(i, x, y, s**3 + 1) for i, x, y, s in rows]) == pytest.approx(plain)
    assert area([*rows, (2, 80, 80, 0.5)]) <= plain + 1e-12
    perfect = [(0, 5.0, 5.0, 2.0), (0, 25.0, 5.0, 2.0), (1, 5.0, 5.0, 2.0)]
    assert area(perfect + rows) == 1
