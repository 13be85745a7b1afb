"""Average precision against scikit-learn and COCO's own tools."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from ribsight.evaluation.figures import items_of, replicate
from ribsight.evaluation.matching import match
from ribsight.evaluation.precision import average_precision
from ribsight.evaluation.presets import preset
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

MakeTruth = Callable[..., Truth]


@pytest.mark.parametrize("seed", range(15))
def test_images_equal_scikit_learn_with_ties(seed: int) -> None:
    generator = np.random.default_rng(seed)
    positive = generator.random(50) < 0.3
    positive[0] = True
    scores = generator.integers(9, size=50) / 9
    expected = average_precision_score(positive, scores)
    assert average_precision(scores, positive) == pytest.approx(expected, abs=1e-12)


def test_regions_by_hand(make_truth: MakeTruth) -> None:
    # Hit, false, hit; the third region is never marked: (1 x 1 + 1 x 2/3) / 3.
    truth = make_truth([1, 1, 1], {image: [(0, 0, 10, 10)] for image in range(3)})
    reading = Reading(
        np.zeros(3), np.array([0, 0, 1]), np.array([[5, 5], [90, 90], [5, 5.0]]),
        np.array([0.9, 0.8, 0.7]),
    )  # fmt: skip
    items = items_of(truth, reading, match(truth, reading, Protocol()))
    found = replicate(items, np.ones((1, 3))).figures["lesion_ap"][0]
    assert found == pytest.approx((1 + 2 / 3) / 3)


def _coco_ap(truth: Truth, reading: Reading, crowd: bool) -> tuple[float, float]:
    """AP over IoU 0.5:0.95, and at 0.5, of pycocotools."""
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    boxes = [(i, b, 0) for i, b in zip(truth.region_image, truth.region_boxes, strict=True)]
    if crowd:
        boxes += [(i, b, 1) for i, b in zip(truth.ignored_image, truth.ignored_boxes, strict=True)]
    wide = [(i, (x0, y0, x1 - x0, y1 - y0), c) for i, (x0, y0, x1, y1), c in boxes]
    marks = zip(reading.mark_image, reading.mark_boxes, reading.mark_scores, strict=True)
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco.COCO()
        known.dataset = {
            "info": {},
            "images": [{"id": k, "width": 100, "height": 100} for k in range(len(truth.images))],
            "categories": [{"id": 1, "name": "f"}],
            "annotations": [
                {"id": n + 1, "image_id": int(i), "category_id": 1, "bbox": list(map(float, b)),
                 "area": float(b[2] * b[3]), "iscrowd": c}
                for n, (i, b, c) in enumerate(wide)
            ],
        }  # fmt: skip
        known.createIndex()
        said = known.loadRes(
            [
                {"image_id": int(i), "category_id": 1, "score": float(s),
                 "bbox": [float(b[0]), float(b[1]), float(b[2] - b[0]), float(b[3] - b[1])]}
                for i, b, s in marks
            ]
        )  # fmt: skip
        run = evaluation.COCOeval(known, said, "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0]), float(run.stats[1])


@pytest.mark.parametrize("crowd", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_regions_equal_coco(seed: int, crowd: bool, make_truth: MakeTruth) -> None:
    generator = np.random.default_rng(seed)
    boxes = {
        image: [(x, y, x + w, y + h) for x, y, w, h in generator.uniform(8, 40, (3, 4))]
        for image in range(0, 12, 2)
    }
    truth = make_truth([int(image % 2 == 0) for image in range(12)], boxes)
    if crowd:
        ignored = np.array([[0, 0, 55, 30], [40, 40, 99, 99.0]])
        truth = replace(truth, ignored_image=np.array([0, 1]), ignored_boxes=ignored)
    near = truth.region_boxes + generator.normal(0, 3, truth.region_boxes.shape)
    twice = truth.region_boxes[::2] + generator.normal(0, 6, truth.region_boxes[::2].shape)
    low = generator.uniform(5, 60, (25, 2))
    stray = np.concatenate([low, low + generator.uniform(8, 30, (25, 2))], axis=1)
    own = np.concatenate([near, twice, stray])
    own[:, 2:] = np.maximum(own[:, 2:], own[:, :2] + 1)
    image = np.concatenate(
        [truth.region_image, truth.region_image[::2], generator.integers(12, size=25)]
    )
    centres = np.clip((own[:, :2] + own[:, 2:]) / 2, 0, 100)
    reading = Reading(np.zeros(12), image, centres, generator.random(len(own)), own)
    protocol = preset("coco-ap")
    for expected, rules in zip(
        _coco_ap(truth, reading, crowd), (protocol, replace(protocol, ap_ious=(0.5,))), strict=True
    ):
        items = items_of(truth, reading, match(truth, reading, rules))
        found = replicate(items, np.ones((1, 12))).figures["lesion_ap"][0]
        assert found == pytest.approx(expected, abs=1e-9)
