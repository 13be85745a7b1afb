"""FROC against the field's own code, where that is right. Both packages are optional here."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ribsight.evaluation.figures import items_of, replicate
from ribsight.evaluation.froc import froc_curve, froc_events, froc_score
from ribsight.evaluation.matching import Outcome, match
from ribsight.evaluation.presets import preset
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

MakeTruth = Callable[..., Truth]
MakeReading = Callable[..., Reading]


def _case(seed: int, make_truth: MakeTruth) -> tuple[Truth, list[tuple[int, float, float, float]]]:
    generator = np.random.default_rng(seed)
    boxes = {i: [(5, 5, 20, 20), (40, 40, 60, 60)][: 1 + i % 2] for i in range(0, 20, 2)}
    places = np.array([(10.0, 10.0), (50.0, 50.0), (80.0, 20.0), (20.0, 80.0)])
    count = 60
    scores = generator.permutation(1000)[:count] / 1000 + 0.0005
    rows = [
        (int(i), *places[p].tolist(), float(s))
        for i, p, s in zip(
            generator.integers(20, size=count), generator.integers(4, size=count), scores,
            strict=True,
        )
    ]  # fmt: skip
    return make_truth([int(i in boxes) for i in range(20)], boxes), rows


@pytest.mark.parametrize("seed", range(12))
def test_curve_equals_monai_but_for_its_lowest_threshold(
    seed: int, make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    froc = pytest.importorskip("monai.metrics.froc", reason="MONAI is not installed")
    truth, rows = _case(seed, make_truth)
    protocol = replace(preset("camelyon16"), operating_points=(0.26, 0.51, 1.01))
    table = match(truth, make_reading(rows, [0] * 20), protocol)
    hit, false = (table.score[table.outcome == one] for one in (Outcome.HIT, Outcome.FALSE))
    # MONAI wants a score for every target; those never hit get one below all others.
    missed = np.zeros(len(truth.region_image) - len(hit))
    rate, sensitivity = froc.compute_froc_curve_data(
        false, np.concatenate([hit, missed]), len(truth.region_image), 20
    )
    events = froc_events(table, truth, protocol)
    curve = froc_curve(events)
    # With the zeros as its lowest threshold, MONAI leaves out nothing that was said.
    np.testing.assert_allclose(rate[::-1], curve.rate)
    np.testing.assert_allclose(sensitivity[::-1], curve.sensitivity)
    # 20 images: no curve has a vertical segment at these rates, where np.interp is ambiguous.
    expected = froc.compute_froc_score(rate, sensitivity, protocol.operating_points)
    assert froc_score(curve, protocol) == pytest.approx(expected, abs=1e-12)


def test_monai_drops_the_lowest_threshold() -> None:
    froc = pytest.importorskip("monai.metrics.froc", reason="MONAI is not installed")
    _, sensitivity = froc.compute_froc_curve_data(np.array([0.1, 0.2]), np.array([0.05, 0.9]), 2, 1)
    assert sensitivity.max() == 0.5  # both targets are hit: it should be 1


@pytest.mark.parametrize("seed", range(12))
def test_figures_equal_picai_eval(
    seed: int, make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    picai = pytest.importorskip("picai_eval", reason="picai_eval is not installed")
    generator = np.random.default_rng(seed)
    state = [int(i % 2) for i in range(16)]
    boxes = {i: [(10, 10, 40, 40), (60, 60, 90, 90)][: 1 + i % 3 % 2] for i in range(1, 16, 2)}
    truth = make_truth(state, boxes)
    rows, own, maps, masks = [], [], [], []
    for image in range(16):
        mask = np.zeros((1, 100, 100), dtype=np.int32)
        for x0, y0, x1, y1 in boxes.get(image, []):
            mask[0, y0:y1, x0:x1] = 1
        said = np.zeros((1, 100, 100), dtype=np.float32)
        for corner in ((5, 5), (25, 25), (65, 62), (5, 60)):
            if generator.random() < 0.6:
                x, y = (
                    corner[0] + int(generator.integers(5)),
                    corner[1] + int(generator.integers(5)),
                )
                size = int(generator.integers(8, 15))
                score = float(np.float32(generator.random()))
                said[0, y : y + size, x : x + size] = score
                rows.append((image, x + size / 2, y + size / 2, score))
                own.append((x, y, x + size, y + size))
        maps.append(said)
        masks.append(mask)
    metrics = picai.evaluate(maps, masks, num_parallel_calls=1)
    scores = np.zeros(16)
    for image, _, _, score in rows:
        scores[image] = max(scores[image], score)
    reading = replace(
        make_reading(rows, scores.tolist()), mark_boxes=np.array(own, dtype=np.float64)
    )
    table = match(truth, reading, preset("picai"))
    found = replicate(items_of(truth, reading, table), np.ones((1, 16))).figures
    assert found["auroc"][0] == pytest.approx(metrics.auroc, abs=1e-6)
    assert found["lesion_ap"][0] == pytest.approx(metrics.AP, abs=1e-6)
    assert found["auroc_and_ap"][0] == pytest.approx(metrics.score, abs=1e-6)
    # Its last point is put at infinity; all others are the FROC.
    events = froc_events(table, truth, preset("picai"))
    curve = froc_curve(events)
    for rate, sensitivity in zip(metrics.lesion_FPR[:-1], metrics.lesion_TPR[:-1], strict=True):
        at = np.searchsorted(curve.rate, rate + 1e-9, side="right") - 1
        assert curve.sensitivity[at] >= sensitivity - 1e-6
        assert np.isclose(curve.sensitivity, sensitivity).any()


def test_every_figure_of_a_perfect_detector_is_perfect(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    truth, _ = _case(0, make_truth)
    boxes = truth.region_boxes
    rows = [
        (int(i), (x0 + x1) / 2, (y0 + y1) / 2, 1.0)
        for i, (x0, y0, x1, y1) in zip(truth.region_image, boxes, strict=True)
    ]
    reading = replace(make_reading(rows, truth.positive.astype(float).tolist()), mark_boxes=boxes)
    for name in ("ribsight", "luna16", "camelyon16", "ribfrac", "nndetection", "picai", "coco-ap"):
        table = match(truth, reading, preset(name))
        items = items_of(truth, reading, table, thresholds=[("half", 0.5)])
        for key, value in replicate(items, np.ones((1, 20))).figures.items():
            less = {"brier": 0, "ece": 0, "half/false_positives_per_image": 0}
            assert value[0] == pytest.approx(less.get(key, 1)), (name, key)


def test_a_false_mark_never_helps_under_any_protocol(
    make_truth: MakeTruth, make_reading: MakeReading
) -> None:
    for seed in range(6):
        truth, rows = _case(seed, make_truth)
        for denominator in ("all_images", "images_without_finding"):
            for interpolation in ("step", "linear"):
                protocol = Protocol(
                    dilation=0.0,
                    denominator=denominator,
                    interpolation=interpolation,
                )
                scores = []
                for more in ([], [(1, 90.0, 90.0, 0.7)]):
                    table = match(truth, make_reading([*rows, *more], [0] * 20), protocol)
                    curve = froc_curve(froc_events(table, truth, protocol))
                    scores.append(froc_score(curve, protocol))
                assert scores[1] <= scores[0] + 1e-12
