"""Every hit rule at its boundary, by hand, and what it says where it cannot know."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest

from ribsight.errors import RibsightError
from ribsight.evaluation.hits import box_iou
from ribsight.evaluation.matching import Outcome, match
from ribsight.evaluation.presets import preset
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

MakeTruth = Callable[..., Truth]
MakeReading = Callable[..., Reading]

BOX = (20.0, 20.0, 30.0, 40.0)  # centre 25, 30; longer side 20


def outcome(truth: Truth, reading: Reading, protocol: Protocol) -> list[int]:
    codes: list[int] = match(truth, reading, protocol).outcome.tolist()
    return codes


def boxed(reading: Reading, boxes: list[tuple[float, float, float, float]]) -> Reading:
    return replace(reading, mark_boxes=np.array(boxes, dtype=np.float64))


def test_iou_by_hand() -> None:
    a = np.array([[0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 1, 1], [np.nan] * 4], dtype=float)
    b = np.array([[1, 0, 3, 2], [1, 0, 2, 1], [0, 0, 1, 1], [0, 0, 1, 1]], dtype=float)
    np.testing.assert_allclose(box_iou(a, b), [1 / 3, 0, 1, np.nan])


@pytest.mark.parametrize(
    ("x", "inclusive", "exclusive"), [(35.0, 1, 0), (34.99, 1, 1), (35.01, 0, 0)]
)
@pytest.mark.parametrize(("unit", "distance"), [("px", 10.0), ("mm", 5.0), ("radius", 1.0)])
def test_distance_to_the_centre(
    make_truth: MakeTruth,
    make_reading: MakeReading,
    x: float,
    inclusive: int,
    exclusive: int,
    unit: str,
    distance: float,
) -> None:
    # 10 px from the centre are 5 mm at 0.5 mm a pixel, and half the longer side of 20 px.
    truth = replace(make_truth([1], {0: [BOX]}), spacing=np.array([0.5]))
    reading = make_reading([(0, x, 30, 0.5)], [0])
    rule = {"hit_rule": "distance", "distance": distance, "distance_unit": unit}
    assert outcome(truth, reading, Protocol(**rule)) == [inclusive]  # type: ignore[arg-type]
    strict = Protocol(boundary="exclusive", **rule)  # type: ignore[arg-type]
    assert outcome(truth, reading, strict) == [exclusive]


def test_iou_at_its_threshold(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    # The mark's box is half the region's: IoU 0.5 exactly.
    truth = make_truth([1], {0: [BOX]})
    reading = boxed(make_reading([(0, 80, 80, 0.5)], [0]), [(20, 20, 25, 40)])
    rule = Protocol(hit_rule="iou", minimum_iou=0.5)
    table = match(truth, reading, rule)
    assert table.outcome.tolist() == [Outcome.HIT]
    assert table.overlap.tolist() == [0.5]
    assert outcome(truth, reading, replace(rule, boundary="exclusive")) == [Outcome.FALSE]


def test_centre_in_box_ignores_the_location(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth = make_truth([1], {0: [BOX]})
    reading = boxed(
        make_reading([(0, 25, 30, 0.5), (0, 90, 90, 0.4)], [0]),
        [(60, 60, 80, 80), (20, 20, 24, 24)],
    )
    assert outcome(truth, reading, Protocol(hit_rule="centre_in_box")) == [0, 1]


def test_region_follows_the_outline_and_its_dilation(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    # A triangle in its box: the box's far corner is outside of it, by 10 / sqrt(2) = 7.07 pixels.
    truth = replace(
        make_truth([1], {0: [(0, 0, 20, 20)]}),
        outlines=((np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]]),),),
    )
    inside, corner = make_reading([(0, 5, 5, 0.5)], [0]), make_reading([(0, 15, 15, 0.5)], [0])
    for dilation, expected in ((0.0, 0), (0.07, 0), (0.071, 1)):
        protocol = Protocol(hit_rule="region", dilation=dilation)
        assert outcome(truth, inside, protocol) == [1]
        assert outcome(truth, corner, protocol) == [expected]


def test_ignore_regions_take_marks_out_unless_they_hit(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth = replace(
        make_truth([1, 0], {0: [BOX]}),
        ignored_image=np.array([0, 1]),
        ignored_boxes=np.array([[20, 20, 60, 60], [0, 0, 50, 50]], dtype=float),
    )
    # A hit inside the ignore region, a duplicate in it, one in it alone, one on the other image.
    marks = [(0, 25, 30, 0.9), (0, 26, 30, 0.8), (0, 55, 55, 0.7), (1, 10, 10, 0.6)]
    marks += [(1, 90, 90, 0.5)]
    reading = make_reading(marks, [0, 0])
    assert outcome(truth, reading, Protocol(dilation=0)) == [1, 3, 3, 3, 0]
    unused = Protocol(dilation=0, ignore_regions="not_used")
    assert outcome(truth, reading, unused) == [1, 2, 0, 0, 0]


def test_best_leaves_the_second_region_to_others(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    # Both marks are nearest to the left box; greedy gives the second to the right box.
    truth = make_truth([1], {0: [(5, 0, 35, 10), (25, 0, 55, 10)]})
    reading = make_reading([(0, 26, 5, 0.9), (0, 27, 5, 0.8)], [0])
    assert outcome(truth, reading, Protocol(dilation=0)) == [1, 1]
    assert outcome(truth, reading, Protocol(dilation=0, assignment="best")) == [1, 2]


def test_most_marks_keeps_the_highest_of_each_image(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth = make_truth([0, 0])
    rows = [(0, 1, 1, 0.1), (0, 2, 2, 0.9), (0, 3, 3, 0.5), (1, 1, 1, 0.2)]
    table = match(truth, make_reading(rows, [0, 0]), Protocol(most_marks=2))
    assert list(zip(table.image.tolist(), table.score.tolist(), strict=True)) == [
        (0, 0.9), (0, 0.5), (1, 0.2),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_optimal_equals_trying_every_assignment(
    seed: int, make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    generator = np.random.default_rng(seed)
    boxes = [(x, y, x + 20, y + 20) for x, y in generator.integers(0, 25, (3, 2)).astype(float)]
    own = [(x, y, x + 20, y + 20) for x, y in generator.integers(0, 25, (4, 2)).astype(float)]
    truth = make_truth([1], {0: boxes})
    rows = [(0, 50.0, 50.0, score) for score in generator.permutation(4) / 10]
    protocol = Protocol(hit_rule="iou", minimum_iou=0.1, assignment="optimal")
    table = match(truth, boxed(make_reading(rows, [0]), own), protocol)
    iou = np.array([[box_iou(np.array([m]), np.array([b]))[0] for b in boxes] for m in own])
    value = np.where(iou >= 0.1, 1 + iou, 0)
    best = max(
        sum(value[m, r] for m, r in zip(marks, regions, strict=True))
        for count in range(4)
        for marks in combinations(range(4), count)
        for regions in permutations(range(3), count)
    )
    hits = table.outcome == Outcome.HIT
    assert (1 + table.overlap[hits]).sum() == pytest.approx(best)
    assert len(set(table.region[hits].tolist())) == hits.sum()


@pytest.mark.parametrize("name", ["luna16", "ribfrac", "nndetection", "picai", "camelyon16"])
def test_order_of_rows_never_matters(
    name: str, make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    generator = np.random.default_rng(5)
    boxes = {0: [(x, y, x + 30, y + 30) for x, y in generator.uniform(0, 40, (4, 2))]}
    truth = make_truth([1, 0], boxes)
    rows = [
        (int(i), x, y, s / 4) for i, x, y, s in generator.integers((2, 70, 70, 5), size=(40, 4))
    ]
    own = [(x - 15.0, y - 15.0, x + 15.0, y + 15.0) for _, x, y, _ in rows]
    seen = []
    for order in (np.arange(40), generator.permutation(40)):
        reading = boxed(make_reading([rows[k] for k in order], [0, 0]), [own[k] for k in order])
        table = match(truth, reading, preset(name))
        columns = table.image, table.score, table.x, table.y, table.region, table.outcome
        seen.append(sorted(zip(*(c.tolist() for c in columns), strict=True)))
    assert seen[0] == seen[1]


def test_what_is_not_known_is_an_error(make_truth: MakeTruth, make_reading: MakeReading) -> None:
    truth = make_truth([1], {0: [BOX]})
    reading = make_reading([(0, 25, 30, 0.5)], [0])
    with pytest.raises(RibsightError, match=r"needs boxes, and a mark .* on image r0 has none"):
        match(truth, reading, Protocol(hit_rule="iou"))
    with pytest.raises(RibsightError, match="mm per pixel of image r0 is not known"):
        match(truth, reading, Protocol(hit_rule="distance", distance_unit="mm"))
    unsized = replace(truth, sizes=np.full((1, 2), np.nan))
    with pytest.raises(RibsightError, match="size of image r0 is not known"):
        match(unsized, reading, Protocol())
    assert outcome(unsized, reading, Protocol(dilation=0)) == [1]
