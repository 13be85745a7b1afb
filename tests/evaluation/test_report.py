import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ribsight.cohort.tables import Cohort
from ribsight.evaluation.drawing import draw_example
from ribsight.evaluation.evaluate import compare, evaluate
from ribsight.evaluation.gallery import make_gallery
from ribsight.evaluation.plots import froc_svg, roc_svg
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.report import write_report
from ribsight.evaluation.results import Comparison
from ribsight.evaluation.training_plots import concerns_of, health_svgs, training_svgs

MakeCohort = Callable[..., Cohort]
MakePredictions = Callable[..., Predictions]

BOX = (20.0, 20.0, 40.0, 40.0)
STATES = ["positive"] * 4 + ["negative"] * 8
SCORES = [0.9, 0.8, 0.3, 0.2, 0.7, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
# r0 and r1 hit; r2 is marked elsewhere, r3 not at all; false alarms on r4 (0.7) and r5 (0.6).
MARKS = [
    (0, 30, 30, 0.9),
    (1, 30, 30, 0.8),
    (2, 80, 80, 0.3),
    (2, 30, 30, 0.05),
    (4, 60, 60, 0.7),
    (5, 60, 60, 0.6),
    *((image, 50, 50, 0.1) for image in range(6, 12)),
]
TRAINING: list[dict[str, Any]] = [
    {"kind": "train", "stage": 1, "step": 1, "loss": 0.9, "loss_known": 0.9},
    {"kind": "train", "stage": 1, "step": 2, "loss": 0.5, "loss_known": 0.5},
    {"kind": "validation", "stage": 1, "step": 2, "auroc": {"rib_fracture": 0.7}},
    {
        "kind": "train",
        "stage": 2,
        "step": 1,
        "loss": 0.4,
        "share_without_push": {"rib_fracture": 1},
    },
    {"kind": "note"},
]


class _Page(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def cohort(make_cohort: MakeCohort) -> Cohort:
    return make_cohort(STATES, {image: [BOX] for image in range(4)})


@pytest.fixture
def predictions(make_predictions: MakePredictions) -> Predictions:
    return make_predictions(SCORES, MARKS, model="<b>aals & $x_1$</b>")


@pytest.fixture
def comparison(
    cohort: Cohort, predictions: Predictions, make_predictions: MakePredictions
) -> Comparison:
    other = make_predictions(SCORES[::-1], MARKS[1:], model="supervised")
    return compare(other, predictions, cohort, "test", Protocol(), replicates=50)


def _pixels(id_: str) -> NDArray[np.uint8]:
    return np.full((200, 200), 90, dtype=np.uint8)


def test_gallery_picks_the_telling_images(cohort: Cohort, predictions: Predictions) -> None:
    read: list[str] = []

    def read_pixels(id_: str) -> NDArray[np.uint8]:
        read.append(id_)
        return _pixels(id_)

    gallery = make_gallery(predictions, cohort, "test", Protocol(), read_pixels, count=4)
    shown = [(one.kind, one.radiograph) for one in gallery]
    assert shown == [
        ("hit", "r0"),
        ("hit", "r1"),
        ("missed", "r3"),
        ("missed", "r2"),
        ("false_alarm", "r4"),
        ("false_alarm", "r5"),
    ]
    assert read == [one.radiograph for one in gallery]
    assert gallery[2].caption == "a region without any mark"
    assert gallery[3].caption == "a region whose mark scores only 0.05"


def test_pictures_show_truth_and_marks_where_they_are(
    cohort: Cohort, predictions: Predictions
) -> None:
    picture = make_gallery(predictions, cohort, "test", Protocol(), _pixels, count=1)[0]
    header, encoded = picture.data_uri.split(",")
    assert header == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(encoded)))
    # 200 pixels show 100 stored ones: the outline runs along 40 ... 80, the cross is at 60.
    assert image.size == (200, 200)
    pixels = np.asarray(image).astype(int)
    blue = (pixels[..., 2] - pixels[..., 0]) > 60
    orange = (pixels[..., 0] - pixels[..., 2]) > 60
    ys, xs = np.nonzero(blue)
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == pytest.approx((40, 40, 80, 80), abs=2)
    assert orange[60, 56:65].any()
    # Dashed: along the top edge some is outline and some is not.
    assert 0.3 < blue[39:42, 42:78].any(axis=0).mean() < 0.9


def test_long_pictures_are_reduced_and_short_ones_are_not() -> None:
    pixels = np.zeros((600, 300), dtype=np.uint8)
    assert draw_example(pixels, (300, 600), [], []).size == (210, 420)
    assert draw_example(pixels, (300, 600), [], [], longest_side=1000).size == (300, 600)


def test_svgs_are_well_formed_and_repeatable(comparison: Comparison) -> None:
    models = [(one.model, one.findings[0]) for one in (comparison.a, comparison.b)]
    for draw in (roc_svg, froc_svg):
        svg = draw(models)
        assert svg == draw(models)
        root = ElementTree.fromstring(svg)
        assert root.get("role") == "img"
        assert "rib_fracture" in str(root.get("aria-label"))
        ids = [element.get("id") for element in root.iter() if element.get("id")]
        assert all("roc-rib_fracture-" in str(one) for one in ids)
        text = "".join(root.itertext())
        assert "supervised" in text
        assert "<b>aals & $x_1$</b>" in text
        assert "currentColor" in svg


def test_training_curves_follow_stages_and_lack_what_is_missing() -> None:
    titles = [title for title, _ in training_svgs(TRAINING)]
    assert titles == ["Loss", "AUROC on validation"]
    one_count = [dict(row, step=3) if row.get("stage") == 2 else row for row in TRAINING]
    assert training_svgs(TRAINING) == training_svgs(one_count)
    assert training_svgs([]) == []
    assert training_svgs([{"kind": "train"}]) == []


def test_pseudo_labels_have_plots_and_concerns_of_their_own() -> None:
    stage2 = {"stage": 2, "step": 2}
    teacher = {"kind": "validation", "which": "teacher", **stage2}
    records = [
        *TRAINING,
        {"kind": "train", **stage2, "loss_ratio": 3.0, "target_area": {"rib_fracture": 0.01}},
        {"kind": "pseudo_labels", **stage2, "precision": {"a": 0.4}, "recall": {"a": None}},
        {**teacher, "map_ece": {"a": 0.02}, "map_area": {"a": 1.4}},
        {"kind": "concern", **stage2, "name": "teacher_worse", "sentence": "it lags"},
    ]
    drawn = dict(health_svgs(records))
    assert list(drawn) == [
        "Record-positive images without push",
        "Area of targets",
        "Loss of record-positives over that of the known",
        "Teacher's marks against hidden regions",
        "Calibration error of maps",
        "Lesion area said over area drawn",
    ]
    words = "".join(
        ElementTree.fromstring(drawn["Teacher's marks against hidden regions"]).itertext()
    )
    assert "precision, a" in words
    assert "recall" not in words  # never defined
    assert concerns_of(records) == [("step 2, teacher worse", "it lags")]
    assert health_svgs([]) == []


def test_report_is_one_self_contained_page(
    cohort: Cohort, predictions: Predictions, comparison: Comparison, tmp_path: Path
) -> None:
    gallery = make_gallery(predictions, cohort, "test", Protocol(), _pixels, count=2)
    path = tmp_path / "report.html"
    write_report(path, comparison.b, gallery, TRAINING, comparison)
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "b"}
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("data:", "#"))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 12  # each whole and close up
    assert all(attributes["alt"] for attributes in images)
    assert "url(http" not in path.read_text(encoding="utf-8")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    text = re.sub(r"\s+", " ", page.text)
    assert "Not a medical device" in text
    assert text.count(Protocol().describe()) == 2
    auroc = comparison.b.findings[0].auroc
    assert f"AUROC {auroc.value:.3f}, 95 % interval {auroc.low:.3f} to {auroc.high:.3f}" in text
    assert cohort.fingerprint() in text
    assert predictions.model_sha256 in text


def test_report_without_gallery_training_and_defined_figures(
    make_cohort: MakeCohort, make_predictions: MakePredictions, tmp_path: Path
) -> None:
    cohort = make_cohort(["negative", "negative"])
    evaluation = evaluate(make_predictions([0.1, 0.2]), cohort, "test", Protocol(), replicates=9)
    write_report(tmp_path / "report.html", evaluation, [], None)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "AUROC is not defined: no image is positive" in text
    assert "<svg" not in text
