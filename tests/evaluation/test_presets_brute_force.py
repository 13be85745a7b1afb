"""Every preset against its rules written out in plain loops, on small random data.

The loops share nothing with the package: marks are tuples, thresholds are tried one by one.
"""

import itertools
import math
import random as random_module
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ribsight.evaluation.figures import items_of, replicate
from ribsight.evaluation.matching import match
from ribsight.evaluation.presets import PRESETS, preset
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

MakeTruth = Callable[..., Truth]
Box = tuple[float, float, float, float]
SIDE = 100.0


@dataclass(frozen=True)
class Case:
    """Images 0 ... n - 1: whether each has the finding, its boxes, its (score, box) marks."""

    positive: tuple[bool, ...]
    boxes: tuple[tuple[Box, ...], ...]
    marks: tuple[tuple[tuple[float, Box], ...], ...]


def _box(corner: int, width: int, height: int) -> Box:
    x, y = 8.0 * (corner % 7), 8.0 * (corner // 7)
    return x, y, x + 6 + 4 * width, y + 6 + 4 * height


boxes_drawn = st.builds(_box, st.integers(0, 20), st.integers(0, 5), st.integers(0, 5))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(2, 6))
    positive = [draw(st.booleans()) for _ in range(count)]
    positive[0], positive[1] = True, False
    boxes, marks = [], []
    scores = iter(draw(st.permutations(range(1, 60))))
    tied = draw(st.booleans())
    for ill in positive:
        own = draw(st.lists(boxes_drawn, min_size=1, max_size=3, unique=True)) if ill else []
        boxes.append(tuple(own))
        said = draw(st.lists(st.one_of(boxes_drawn, *map(st.just, own)), max_size=5, unique=True))
        shift = draw(st.sampled_from([0.0, 1.0, 3.0]))
        marks.append(
            tuple(
                ((next(scores) // (8 if tied else 1) + 1) / 100, _moved(box, shift)) for box in said
            )
        )
    return Case(tuple(positive), tuple(boxes), tuple(marks))


def _moved(box: Box, by: float) -> Box:
    return box[0] + by, box[1] + by / 2, box[2] + by, box[3] + by / 2


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _iou(a: Box, b: Box) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


def _fit(mark: Box, region: Box, name: str, iou: float) -> float | None:
    """How well the mark fits (higher is better), or None if it does not hit."""
    (x, y), (a, b) = _centre(mark), _centre(region)
    near = -math.hypot(x - a, y - b)
    if name == "ribsight":
        margin = 0.02 * SIDE
        inside = (
            region[0] - margin <= x <= region[2] + margin
            and region[1] - margin <= y <= region[3] + margin
        )
        return near if inside else None
    if name == "luna16":
        radius = max(region[2] - region[0], region[3] - region[1]) / 2
        return near if -near < radius else None
    if name == "camelyon16":
        return near if region[0] <= x <= region[2] and region[1] <= y <= region[3] else None
    overlap = _iou(mark, region)
    reached = overlap > iou if name == "ribfrac" else overlap >= iou
    return overlap if reached else None


IOU = {"ribfrac": 0.2, "nndetection": 0.1, "picai": 0.1, "coco-ap": 0.5}
FALSE_DUPLICATES = {"nndetection", "coco-ap"}


def _image_events(case: Case, image: int, name: str, iou: float) -> list[tuple[float, bool]]:
    """(score, hit) of each mark that counts on one image."""
    boxes = case.boxes[image]
    marks = []
    for score, box in case.marks[image]:
        fits = {r: f for r, own in enumerate(boxes) if (f := _fit(box, own, name, iou)) is not None}
        marks.append((score, box, fits))

    def turn(mark: tuple[float, Box, dict[int, float]]) -> tuple[float, ...]:
        best = -max(mark[2].values()) if mark[2] else math.inf
        return (-mark[0], best, *_centre(mark[1]))

    marks.sort(key=turn)
    hits: dict[int, int] = {}  # region -> mark
    if name == "picai":
        hits = _optimal(marks, len(boxes))
    else:
        for number, (_, _, fits) in enumerate(marks):
            ordered = sorted(fits, key=lambda r: (-fits[r], boxes[r]))
            if name in {"camelyon16", "ribfrac"}:
                ordered = ordered[:1]
            free = [r for r in ordered if r not in hits]
            if free:
                hits[free[0]] = number
    events = []
    for number, (score, _, fits) in enumerate(marks):
        if number in hits.values():
            events.append((score, True))
        elif not fits or name in FALSE_DUPLICATES:
            events.append((score, False))
    return events


def _optimal(marks: list[tuple[float, Box, dict[int, float]]], regions: int) -> dict[int, int]:
    """The one-to-one assignment of most pairs and, among those, highest sum of IoU."""
    best: tuple[float, dict[int, int]] = (-1.0, {})
    choices = [[None, *fits] for _, _, fits in marks]
    for chosen in itertools.product(*choices):
        taken = [r for r in chosen if r is not None]
        if len(set(taken)) == len(taken):
            value = sum(1 + marks[m][2][r] for m, r in enumerate(chosen) if r is not None)
            if value > best[0] + 1e-12:
                best = value, {r: m for m, r in enumerate(chosen) if r is not None}
    return best[1]


def _curve(
    events: list[tuple[float, bool]], images: int, lesions: int
) -> list[tuple[float, float]]:
    points = [(0.0, 0.0)]
    for threshold in sorted({score for score, _ in events}, reverse=True):
        passed = [hit for score, hit in events if score >= threshold]
        points.append((passed.count(False) / images, passed.count(True) / lesions))
    return points


def _read(points: list[tuple[float, float]], rate: float, step: bool) -> float:
    below = [p for p in points if p[0] <= rate]
    above = [p for p in points if p[0] > rate]
    highest = max(y for _, y in below)
    if step or not above:
        return highest
    x0, x1 = max(x for x, _ in below), min(x for x, _ in above)
    y1 = min(y for x, y in above if x == x1)
    return highest + (rate - x0) / (x1 - x0) * (y1 - highest)


def _area_ap(events: list[tuple[float, bool]], lesions: int) -> float:
    total, before = 0.0, 0
    for threshold in sorted({score for score, _ in events}, reverse=True):
        passed = [hit for score, hit in events if score >= threshold]
        total += (passed.count(True) - before) / lesions * passed.count(True) / len(passed)
        before = passed.count(True)
    return total


def _coco_ap(events: list[tuple[float, bool]], lesions: int) -> float:
    points = []
    for threshold in sorted({score for score, _ in events}, reverse=True):
        passed = [hit for score, hit in events if score >= threshold]
        points.append((passed.count(True) / lesions, passed.count(True) / len(passed)))
    # The very numbers of pycocotools: its 0.7 is 0.7000000000000001, which a recall of 7/10 misses.
    recalls = np.linspace(0.0, 1.0, 101).tolist()
    return sum(
        max((precision for recall, precision in points if recall >= at), default=0.0)
        for at in recalls
    ) / len(recalls)


def _expected(case: Case, name: str) -> dict[str, float]:
    images, lesions = len(case.positive), sum(map(len, case.boxes))
    events = [
        one for i in range(images) for one in _image_events(case, i, name, IOU.get(name, 0.0))
    ]
    points = _curve(events, images, lesions)
    step = name in {"ribsight", "picai", "coco-ap"}
    rates = preset(name).operating_points
    at = [_read(points, rate, step) for rate in rates]
    expected = {f"sensitivity_at_{rate:g}": y for rate, y in zip(rates, at, strict=True)}
    expected["froc_score"] = sum(at) / len(at)
    expected["lesion_ap"] = _area_ap(events, lesions)
    if name == "coco-ap":
        parts = []
        for iou in [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]:
            own = [one for i in range(images) for one in _image_events(case, i, name, iou)]
            parts.append(_coco_ap(own, lesions))
        expected["lesion_ap"] = sum(parts) / len(parts)
    tops = [max((s for s, _ in own), default=0.0) for own in case.marks]
    wins = [
        1.0 if tops[p] > tops[q] else 0.5 if tops[p] == tops[q] else 0.0
        for p in range(images)
        for q in range(images)
        if case.positive[p] and not case.positive[q]
    ]
    expected["auroc"] = sum(wins) / len(wins)
    if name == "picai":
        expected["auroc_and_ap"] = (expected["auroc"] + expected["lesion_ap"]) / 2
    return expected


def _found(case: Case, protocol: Protocol) -> dict[str, float]:
    pairs = [(i, box) for i, own in enumerate(case.boxes) for box in own]
    rows = [(i, score, box) for i, own in enumerate(case.marks) for score, box in own]
    count = len(case.positive)
    truth = Truth(
        finding="f",
        images=tuple(map(str, range(count))),
        groups=np.arange(count),
        sizes=np.full((count, 2), SIDE),
        state=np.array(case.positive, dtype=np.int8),
        region_image=np.array([i for i, _ in pairs], dtype=np.int64),
        region_boxes=np.array([box for _, box in pairs], dtype=np.float64).reshape(-1, 4),
    )
    reading = Reading(
        image_scores=np.array([max((s for s, _ in own), default=0.0) for own in case.marks]),
        mark_image=np.array([i for i, _, _ in rows], dtype=np.int64),
        mark_xy=np.array([_centre(box) for _, _, box in rows], dtype=np.float64).reshape(-1, 2),
        mark_scores=np.array([score for _, score, _ in rows], dtype=np.float64),
        mark_boxes=np.array([box for _, _, box in rows], dtype=np.float64).reshape(-1, 4),
    )
    items = items_of(truth, reading, match(truth, reading, protocol))
    return {k: float(v[0]) for k, v in replicate(items, np.ones((1, count))).figures.items()}


@pytest.mark.parametrize("name", PRESETS)
@given(case=cases())
@settings(max_examples=60, deadline=None)
def test_every_figure_equals_the_rules_written_out(name: str, case: Case) -> None:
    found = _found(case, preset(name))
    for key, value in _expected(case, name).items():
        assert found[key] == pytest.approx(value, abs=1e-9), key


@given(case=cases(), most=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_only_the_highest_marks_count(case: Case, most: int) -> None:
    protocol = replace(preset("nndetection"), most_marks=most)
    kept = tuple(
        tuple(sorted(own, key=lambda one: (-one[0], *_centre(one[1])))[:most]) for own in case.marks
    )
    fewer = _found(replace(case, marks=kept), preset("nndetection"))
    found = _found(case, protocol)
    assert found["froc_score"] == pytest.approx(fewer["froc_score"])
    assert found["lesion_ap"] == pytest.approx(fewer["lesion_ap"])


@pytest.mark.parametrize("name", PRESETS)
@given(case=cases(), image=st.integers(0, 5), score=st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_a_further_false_mark_never_helps(name: str, case: Case, image: int, score: int) -> None:
    far = (85.0, 85.0, 99.0, 99.0)
    image %= len(case.positive)
    marks = list(case.marks)
    marks[image] = (*marks[image], (score / 100, far))
    plain = _found(case, preset(name))
    more = _found(replace(case, marks=tuple(marks)), preset(name))
    for key in ("froc_score", "lesion_ap", "afroc", "wafroc", "afroc1", "wafroc1"):
        assert more[key] <= plain[key] + 1e-12, key


@pytest.mark.parametrize("name", PRESETS)
@given(case=cases(), random=st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_and_rising_scores_do_not_matter(
    name: str, case: Case, random: random_module.Random
) -> None:
    plain = _found(case, preset(name))
    shuffled = tuple(tuple(random.sample(own, len(own))) for own in case.marks)
    again = _found(replace(case, marks=shuffled), preset(name))
    squeezed = tuple(tuple((score**3, box) for score, box in own) for own in case.marks)
    stretched = _found(replace(case, marks=squeezed), preset(name))
    for key, value in plain.items():
        assert again[key] == pytest.approx(value, abs=1e-12, nan_ok=True), key
        if key not in {"brier", "ece"}:
            assert stretched[key] == pytest.approx(value, abs=1e-12, nan_ok=True), key
