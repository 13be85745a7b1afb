from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ribsight.evaluation.matching import Outcome, match
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

MakeTruth = Callable[..., Truth]
MakeReading = Callable[..., Reading]
Box = tuple[float, float, float, float]

EXACT = Protocol(dilation=0.0)


def test_boundary_of_the_dilated_box_is_inside(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    # 2 % of 100 pixels: the box 20 ... 30 becomes 18 ... 32.
    truth = make_truth([1], {0: [(20, 20, 30, 30)]})
    inside = match(truth, make_reading([(0, 18, 32, 0.5)], [0]), Protocol())
    outside = match(truth, make_reading([(0, 17.99, 32, 0.5)], [0]), Protocol())
    assert inside.outcome.tolist() == [Outcome.HIT]
    assert outside.outcome.tolist() == [Outcome.FALSE]
    assert outside.region.tolist() == [-1]


def test_dilation_follows_the_longer_side(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    truth = make_truth([1], {0: [(20, 20, 30, 30)]})
    truth.sizes[0] = 100, 400
    table = match(truth, make_reading([(0, 12, 25, 0.5)], [0]), Protocol())
    assert table.outcome.tolist() == [Outcome.HIT]


def test_second_mark_on_a_region_is_a_duplicate(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth = make_truth([1], {0: [(20, 20, 30, 30)]})
    table = match(truth, make_reading([(0, 25, 25, 0.4), (0, 21, 21, 0.9)], [0]), EXACT)
    assert table.score.tolist() == [0.9, 0.4]
    assert table.outcome.tolist() == [Outcome.HIT, Outcome.DUPLICATE]
    assert table.region.tolist() == [0, 0]


def test_mark_in_two_boxes_takes_the_nearest_then_the_other(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    # Centres 20 and 40; all three marks lie in the overlap 25 ... 35.
    truth = make_truth([1], {0: [(5, 0, 35, 10), (25, 0, 55, 10)]})
    reading = make_reading([(0, 32, 5, 0.9), (0, 34, 5, 0.8), (0, 33, 5, 0.7)], [0])
    table = match(truth, reading, EXACT)
    assert table.outcome.tolist() == [Outcome.HIT, Outcome.HIT, Outcome.DUPLICATE]
    assert table.region.tolist() == [1, 0, 1]


def test_equal_scores_go_by_distance(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    truth = make_truth([1], {0: [(20, 20, 30, 30)]})
    reading = make_reading([(0, 21, 21, 0.5), (0, 26, 25, 0.5)], [0])
    table = match(truth, reading, EXACT)
    assert table.x[table.outcome == Outcome.HIT].tolist() == [26]


def test_positive_image_without_region_is_left_out(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth = make_truth([1, 0], {})
    table = match(truth, make_reading([(0, 5, 5, 0.9), (1, 6, 6, 0.8)], [0, 0]), EXACT)
    assert table.image.tolist() == [1]


def test_no_marks_at_all(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    assert len(match(make_truth([1], {0: [(1, 1, 2, 2)]}), make_reading([], [0]), EXACT)) == 0


@pytest.mark.parametrize("seed", range(30))
def test_equals_plain_loops_whatever_the_order_of_rows(
    seed: int, make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    generator = np.random.default_rng(seed)
    boxes = {
        image: [(x, y, x + w, y + w) for x, y, w in generator.integers(1, 40, size=(4, 3))]
        for image in (0, 2)
    }
    rows = [
        (int(image), float(x), float(y), score / 5)
        for image, x, y, score in generator.integers((3, 80, 80, 5), size=(60, 4))
    ]
    truth = make_truth([1, 0, 1], boxes)
    table = match(truth, make_reading(rows, [0, 0, 0]), EXACT)
    generator.shuffle(rows)
    shuffled = match(truth, make_reading(rows, [0, 0, 0]), EXACT)
    found = _rows(table.image, table.score, table.x, table.y, table.outcome)
    assert found == _rows(shuffled.image, shuffled.score, shuffled.x, shuffled.y, shuffled.outcome)
    expected = _loops(rows, boxes)
    assert found == expected


def _rows(*columns: NDArray[Any]) -> list[tuple[float, ...]]:
    return sorted(tuple(map(float, row)) for row in zip(*columns, strict=True))


def _loops(
    rows: list[tuple[int, float, float, float]],
    boxes: dict[int, list[Box]],
) -> list[tuple[float, ...]]:
    """The rule as it is written, mark by mark."""

    def containing(row: tuple[int, float, float, float]) -> list[tuple[float, Box, int]]:
        image, x, y, _ = row
        return sorted(
            (float(np.sqrt((x - (x0 + x1) / 2) ** 2 + (y - (y0 + y1) / 2) ** 2)), box, index)
            for index, box in enumerate(boxes.get(image, []))
            for x0, y0, x1, y1 in [box]
            if x0 <= x <= x1 and y0 <= y <= y1
        )

    def turn(row: tuple[int, float, float, float]) -> tuple[float, ...]:
        near = containing(row)
        return (-row[3], near[0][0] if near else np.inf, row[1], row[2])

    taken: set[tuple[int, int]] = set()
    done = []
    for row in sorted(rows, key=turn):
        near = containing(row)
        free = [index for *_, index in near if (row[0], index) not in taken]
        if free:
            taken.add((row[0], free[0]))
        outcome = Outcome.HIT if free else Outcome.DUPLICATE if near else Outcome.FALSE
        done.append((float(row[0]), row[3], row[1], row[2], float(outcome)))
    return sorted(done)
