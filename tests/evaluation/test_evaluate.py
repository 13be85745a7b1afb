import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.evaluation.documents import comparison_document, write_evaluation
from ribsight.evaluation.evaluate import compare, evaluate
from ribsight.evaluation.predictions import FailedImage, Mark, Predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.truth import truth_of

MakeCohort = Callable[..., Cohort]
MakePredictions = Callable[..., Predictions]

BOX = (20.0, 20.0, 30.0, 30.0)
STATES = ["positive"] * 4 + ["negative"] * 5 + ["uncertain"]
SCORES = [0.9, 0.8, 0.3, 0.7, 0.5, 0.2, 0.2, 0.1, 0.1, 0.99]
MARKS = [(0, 25, 25, 0.9), (1, 25, 25, 0.8), (4, 80, 80, 0.5), (3, 50, 50, 0.7), (9, 5, 5, 0.99)]


@pytest.fixture
def cohort(make_cohort: MakeCohort) -> Cohort:
    """4 positives, of which the last has no region; 5 negatives; 1 uncertain."""
    return make_cohort(STATES, {0: [BOX], 1: [BOX], 2: [BOX]})


@pytest.fixture
def predictions(make_predictions: MakePredictions) -> Predictions:
    return make_predictions(SCORES, MARKS)


def test_by_hand(cohort: Cohort, predictions: Predictions) -> None:
    result = evaluate(predictions, cohort, "test", Protocol(), replicates=200).findings[0]
    # Uncertain r9 is in nothing. AUROC: 0.3 loses to 0.5 alone: 19 of 4 x 5 pairs.
    assert result.auroc.value == 0.95
    # FROC leaves out r3 and its mark: 8 images, 3 regions; two hits come before the false mark.
    assert result.froc_score.value == pytest.approx(2 / 3)
    assert [one.sensitivity.value for one in result.sensitivity_at] == pytest.approx([2 / 3] * 5)
    counts = result.counts
    assert (counts.images, counts.positive, counts.negative, counts.groups) == (9, 4, 5, 9)
    assert (counts.lesions, counts.marks) == (3, 3)
    assert (counts.left_out_unknown, counts.left_out_of_froc) == (1, 1)


def test_intervals_hold_the_value_and_curves_their_bands(
    cohort: Cohort, predictions: Predictions
) -> None:
    result = evaluate(predictions, cohort, "test", Protocol(), replicates=300).findings[0]
    for figure in (result.auroc, result.froc_score, result.sensitivity_at[0].sensitivity):
        assert figure.low is not None
        assert figure.high is not None
        assert figure.value is not None
        assert figure.low <= figure.value <= figure.high
        assert figure.replicates + figure.dropped == 300
    # Of 9 groups, none of the 3 with a region is drawn in (6/9)^9 = 2.6 % of resamples.
    assert 1 <= result.froc_score.dropped <= 20
    for curve in (result.roc, result.froc):
        assert curve is not None
        assert curve.low is not None
        assert curve.high is not None
        assert (curve.low <= curve.high).all()
        assert (np.diff(curve.y) >= 0).all()


def test_same_seed_same_document(cohort: Cohort, predictions: Predictions, tmp_path: Path) -> None:
    texts = []
    for seed in (0, 0, 1):
        evaluation = evaluate(predictions, cohort, "test", Protocol(), replicates=50, seed=seed)
        write_evaluation(evaluation, tmp_path / "evaluation.json")
        texts.append((tmp_path / "evaluation.json").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_document_carries_the_protocol_beside_the_score(
    cohort: Cohort, predictions: Predictions, tmp_path: Path
) -> None:
    evaluation = evaluate(predictions, cohort, "test", Protocol(), replicates=50)
    write_evaluation(evaluation, tmp_path / "evaluation.json")
    document = json.loads((tmp_path / "evaluation.json").read_text())
    finding = document["findings"]["rib_fracture"]
    assert finding["froc_score"]["protocol"] == Protocol().describe()
    assert document["protocol"]["sentence"] == Protocol().describe()
    assert document["cohort"] == {"fingerprint": cohort.fingerprint(), "split": "test"}
    assert finding["curves"]["froc"]["false_positives_per_image"][-1] == 1


def test_order_of_images_does_not_matter(cohort: Cohort, predictions: Predictions) -> None:
    backwards = replace(predictions, images=predictions.images[::-1])
    one, other = (evaluate(p, cohort, "test", Protocol()) for p in (predictions, backwards))
    assert one.findings[0].auroc == other.findings[0].auroc
    assert one.findings[0].froc_score == other.findings[0].froc_score


def test_missing_images_are_an_error(cohort: Cohort, predictions: Predictions) -> None:
    partial = replace(
        predictions, images=predictions.images[:8], failed=(FailedImage("r8.png", "truncated"),)
    )
    with pytest.raises(RibsightError, match=r"2 of 10 radiographs .*1 files failed.* r8"):
        evaluate(partial, cohort, "test", Protocol())


def test_further_images_are_left_aside(make_cohort: MakeCohort, predictions: Predictions) -> None:
    small = make_cohort(STATES[:9], {0: [BOX]})
    assert evaluate(predictions, small, "test", Protocol(), replicates=9).findings[0].auroc.value


def test_twice_predicted_is_an_error(cohort: Cohort, predictions: Predictions) -> None:
    twice = replace(predictions, images=(*predictions.images, predictions.images[4]))
    with pytest.raises(RibsightError, match="r4 twice"):
        evaluate(twice, cohort, "test", Protocol())


@pytest.mark.parametrize(
    ("score", "mark", "message"),
    [
        (float("nan"), Mark(5, 5, (1, 1, 9, 9), 0.5), "radiograph r1 is nan"),
        (0.5, Mark(5, 5, (1, 1, 9, 9), float("nan")), "a mark .* on radiograph r1 has score nan"),
        (0.5, Mark(100.5, 5, (1, 1, 9, 9), 0.5), r"\(100.5, 5\) lies outside radiograph r1"),
    ],
)
def test_impossible_values_are_errors(
    cohort: Cohort, predictions: Predictions, score: float, mark: Mark, message: str
) -> None:
    image = predictions.images[1]
    finding = replace(image.findings["rib_fracture"], score=score, marks=(mark,))
    images = list(predictions.images)
    images[1] = replace(image, findings={"rib_fracture": finding})
    with pytest.raises(RibsightError, match=message):
        evaluate(replace(predictions, images=tuple(images)), cohort, "test", Protocol())


def test_other_size_is_an_error(cohort: Cohort, predictions: Predictions) -> None:
    images = (replace(predictions.images[0], width=50), *predictions.images[1:])
    with pytest.raises(RibsightError, match="r0 was predicted at 50 x 100"):
        evaluate(replace(predictions, images=images), cohort, "test", Protocol())


def test_region_on_a_negative_image_is_an_error(make_cohort: MakeCohort) -> None:
    with pytest.raises(RibsightError, match="r1 has a region"):
        truth_of(make_cohort(["positive", "negative"], {1: [BOX]}), "rib_fracture")


@pytest.mark.parametrize(
    ("states", "boxes", "auroc_note", "froc_note"),
    [
        (["negative"] * 3, {}, "no image is positive", "no region"),
        (["positive"] * 3, {0: [BOX]}, "no image is negative", ""),
        (["positive", "negative", "negative"], {}, "", "no region"),
    ],
)
def test_undefined_figures_say_why(
    make_cohort: MakeCohort,
    make_predictions: MakePredictions,
    states: list[str],
    boxes: dict[int, list[tuple[float, ...]]],
    auroc_note: str,
    froc_note: str,
) -> None:
    predictions = make_predictions([0.5, 0.4, 0.3])
    cohort = make_cohort(states, boxes)
    result = evaluate(predictions, cohort, "test", Protocol(), replicates=20).findings[0]
    assert auroc_note in result.auroc.note
    assert froc_note in result.froc_score.note
    assert (result.auroc.value is None) == bool(auroc_note)
    assert (result.froc_score.value is None) == bool(froc_note)


def test_one_group_has_no_interval(
    make_cohort: MakeCohort, make_predictions: MakePredictions
) -> None:
    cohort = make_cohort(["positive", "negative"], {0: [BOX]}, groups=["p", "p"])
    result = evaluate(make_predictions([0.9, 0.1]), cohort, "test", Protocol()).findings[0]
    assert result.auroc.value == 1
    assert result.auroc.low is None
    assert "one group" in result.auroc.note


def test_findings_without_prediction_are_named(
    make_cohort: MakeCohort, make_predictions: MakePredictions
) -> None:
    cohort = make_cohort(["positive", "negative"], {}, findings=("rib_fracture", "nodule"))
    evaluation = evaluate(make_predictions([0.9, 0.1]), cohort, "test", Protocol(), replicates=9)
    assert evaluation.not_predicted == ("nodule",)
    with pytest.raises(RibsightError, match="no finding to evaluate"):
        evaluate(
            make_predictions([0.9, 0.1]),
            make_cohort(["positive", "negative"], findings=("nodule",)),
            "test",
            Protocol(),
        )


def test_nothing_known_is_an_error(
    make_cohort: MakeCohort, make_predictions: MakePredictions
) -> None:
    with pytest.raises(RibsightError, match="known on none of the 2"):
        evaluate(
            make_predictions([0.9, 0.1]),
            make_cohort(["unknown", "uncertain"]),
            "test",
            Protocol(),
        )


def test_model_against_itself_differs_by_nothing(cohort: Cohort, predictions: Predictions) -> None:
    difference = compare(predictions, predictions, cohort, "test", Protocol()).differences[0]
    for figure, p in (
        (difference.auroc, difference.auroc_p),
        (difference.froc_score, difference.froc_score_p),
    ):
        assert (figure.value, figure.low, figure.high, p) == (0, 0, 0, 1)


def test_better_model_b_gives_a_positive_paired_difference(
    make_cohort: MakeCohort, make_predictions: MakePredictions
) -> None:
    generator = np.random.default_rng(0)
    positive = np.arange(120) % 3 == 0
    hard = generator.normal(size=120)
    cohort = make_cohort(["positive" if one else "negative" for one in positive])
    a = make_predictions(list(hard + positive), model="a")
    b = make_predictions(list(hard + 1.5 * positive), model="b")
    comparison = compare(a, b, cohort, "test", Protocol(), replicates=500)
    difference = comparison.differences[0].auroc
    assert comparison.a.findings[0].auroc.value is not None
    assert comparison.b.findings[0].auroc.value is not None
    assert difference.value == pytest.approx(
        comparison.b.findings[0].auroc.value - comparison.a.findings[0].auroc.value
    )
    assert difference.low is not None
    assert difference.low > 0
    assert comparison.differences[0].auroc_p == pytest.approx(2 / 501)
    assert comparison.differences[0].froc_score.value is None
    json.dumps(comparison_document(comparison), allow_nan=False)
