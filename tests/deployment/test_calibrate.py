"""Thresholds, probabilities and reference: chosen on validation, bound to their model, applied."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.tiny_model import write_tiny_model

from ribsight.cli.main import cli
from ribsight.cohort.tables import load_cohort
from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.calibrate import Wanted, calibrate
from ribsight.deployment.calibration import Calibration, fit_finding, read_calibration
from ribsight.deployment.reference import read_reference
from ribsight.errors import RibsightError
from ribsight.evaluation.measure import Measured, measure
from ribsight.evaluation.operating_points import parse_aim, read_points
from ribsight.evaluation.predictions import (
    FindingPrediction,
    ImagePrediction,
    Mark,
    Predictions,
)
from ribsight.evaluation.predictions_file import read_predictions
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import reading_of
from ribsight.evaluation.truth import Truth, known_only
from ribsight.findings import Certainty


def two_classes(scores: list[float], positive: list[bool]) -> Measured:
    """Return images of which each positive one has a region, and one mark with the score on it."""
    count = len(scores)
    where = np.flatnonzero(positive)
    truth = Truth(
        finding="fracture",
        images=tuple(f"i{n}" for n in range(count)),
        groups=np.arange(count),
        sizes=np.full((count, 2), 100.0),
        state=np.array(positive, np.int8),
        region_image=where,
        region_boxes=np.tile([40.0, 40, 60, 60], (len(where), 1)),
    )
    images = tuple(
        ImagePrediction(
            f"i{n}", "", 100, 100,
            {"fracture": FindingPrediction(score, (Mark(50, 50, (45, 45, 55, 55), score),))},
        )
        for n, score in enumerate(scores)
    )  # fmt: skip
    predictions = Predictions("m", "a" * 64, ("fracture",), images)
    return measure(truth, reading_of(predictions, truth), Protocol(), replicates=100, seed=0)


def test_a_prevalence_elsewhere_moves_probabilities_as_bayes_says() -> None:
    random = np.random.default_rng(0)
    positive = (np.arange(2000) % 2 == 0).tolist()
    scores = np.where(positive, random.beta(3, 2, 2000), random.beta(2, 3, 2000)).clip(0.01, 0.99)
    measured = two_classes(scores.tolist(), positive)
    here = fit_finding(measured, "platt").image.map(np.array([0.3, 0.7]))
    there = fit_finding(measured, "platt", prevalence=0.05).image.map(np.array([0.3, 0.7]))
    # Of these two densities the ratio is s / (1 - s).
    np.testing.assert_allclose(here, [0.3, 0.7], rtol=0.15)
    odds = np.array([0.3 / 0.7, 0.7 / 0.3]) * 0.05 / 0.95
    np.testing.assert_allclose(there, odds / (1 + odds), rtol=0.15)


def test_marks_that_hit_or_lie_on_a_region_that_is_hit_are_true() -> None:
    measured = two_classes([0.9, 0.8, 0.2, 0.1], [True, True, False, False])
    fitted = fit_finding(measured)
    assert fitted.marks is not None
    assert (fitted.marks.positives, fitted.marks.negatives) == (2, 2)
    twice = replace(
        measured,
        table=replace(measured.table, outcome=np.array([1, 2, 3, 0], np.int8)),
    )
    again = fit_finding(twice).marks
    assert again is not None
    assert (again.positives, again.negatives) == (2, 1)


def test_without_regions_no_probability_of_a_mark_is_said() -> None:
    measured = two_classes([0.9, 0.8, 0.2, 0.1], [True, True, False, False])
    bare = replace(
        measured.truth, region_image=np.zeros(0, np.int64), region_boxes=np.zeros((0, 4))
    )
    reading = measured.reading
    fitted = fit_finding(measure(known_only(bare), reading, Protocol(), replicates=100, seed=0))
    assert fitted.marks is None
    assert "no region is drawn" in fitted.no_marks


def test_levels_that_cross_are_refused_with_what_to_do(trainable: Path) -> None:
    cohort = load_cohort(trainable)
    part = cohort.select("val")
    perfect = Predictions(
        "m", "a" * 64, ("fracture",),
        tuple(
            ImagePrediction(name, "", 64, 64, {
                "fracture": FindingPrediction(0.9 if state == "positive" else row / 100, ())
            })
            for row, (name, state) in enumerate(zip(part.ids, part.states[:, 0], strict=True))
        ),
    )  # fmt: skip
    crossed = Wanted(parse_aim("sensitivity 0.9"), parse_aim("specificity 0.2"))
    with pytest.raises(RibsightError, match=r"doubtful .* is above that of confident .* ask for"):
        calibrate(perfect, cohort, crossed)
    found = calibrate(perfect, cohort, replace(crossed, confident=parse_aim("specificity 1")))
    assert [one.level for one in found.points] == ["doubtful", "confident"]
    assert [one.threshold for one in found.points] == pytest.approx([0.9, 0.9])
    assert found.points[0].achieved["specificity"] == 1
    assert found.points[0].bounds["specificity"] == (1, 1)


def test_a_model_is_calibrated_and_its_predictions_say_so(trainable: Path, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "model", findings=("fracture",))
    run = CliRunner()
    images = trainable.parent / "images"
    done = run.invoke(
        cli, ["calibrate", str(model), "--cohort", str(trainable), "--threads", "1", "--quiet"]
    )
    assert done.exit_code == 0, done.output
    assert "probability of a mark: platt" in done.output
    assert done.output.endswith(f"operating points, calibration and reference -> {model}\n")
    sha256 = json.loads((model / "model.json").read_text())["weights_sha256"]
    points = read_points(model / "operating_points.json", sha256, Protocol())
    assert {one.level: one.aim for one in points} == {
        "doubtful": "sensitivity 0.95",
        "confident": "specificity 0.95",
    }
    reference = read_reference(model / "reference.json")
    assert len(reference.watched) == 12
    assert reference.watched.numbers["doubtful/fracture"].mean() >= 0.6

    out = tmp_path / "p.json"
    predict = ["predict", str(model), str(images), "--out", str(out), "--quiet", "--threads", "1"]
    done = run.invoke(cli, [*predict, "--overlay", str(tmp_path / "drawn")])
    assert done.exit_code == 0, done.output
    predictions = read_predictions(out)
    level = {one.level: one.threshold for one in points}
    assert predictions.levels["fracture"].doubtful == level["doubtful"]
    calibration = read_calibration(model, sha256)
    for image in predictions.images:
        said = image.findings["fracture"]
        assert (said.certainty is None) == (said.score < level["doubtful"])
        assert (said.certainty is Certainty.CONFIDENT) == (said.score >= level["confident"])
        assert said.probability == calibration.of_image("fracture", said.score)
        for mark in said.marks:
            assert mark.probability == calibration.of_mark("fracture", mark.score)
    # Validation images are the last third of the folder: the reference holds what is said of them.
    scores = [one.findings["fracture"].score for one in predictions.images[24:]]
    np.testing.assert_allclose(reference.watched.numbers["score/fracture"], scores, atol=1e-5)


def test_an_ensemble_is_calibrated_in_a_folder_of_its_own(trainable: Path, tmp_path: Path) -> None:
    models = [
        str(write_tiny_model(tmp_path / f"m{seed}", seed=seed, findings=("fracture",)))
        for seed in (0, 1)
    ]
    command = ["calibrate", models[0], "--ensemble", models[1], "--tta", "--cohort",
               str(trainable), "--threads", "1", "--quiet"]  # fmt: skip
    run = CliRunner()
    refused = run.invoke(cli, command)
    assert "give --out FOLDER" in str(refused.exception)
    done = run.invoke(cli, [*command, "--out", str(tmp_path / "work")])
    assert done.exit_code == 0, done.output
    at_work = DetectorAtWork.load(tmp_path / "work")
    assert at_work.identity.name == "tiny0 + tiny1, flipped too"
    assert set(at_work.levels) == {"fracture"}
    assert not (tmp_path / "m0" / "operating_points.json").exists()
    # Neither a member alone nor the two without the mirror may use what holds for all together.
    alone = tmp_path / "m0"
    for name in ("operating_points.json", "calibration.json"):
        (alone / name).write_bytes((tmp_path / "work" / name).read_bytes())
        with pytest.raises(RibsightError, match=r"for model .*, not for"):
            DetectorAtWork.load(alone)
        (alone / name).unlink()


def test_a_cohort_of_other_findings_is_refused_before_anything_is_predicted(
    trainable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object, **named: object) -> None:
        raise AssertionError("images were read for nothing")

    monkeypatch.setattr("ribsight.deployment.calibrate.predict_validation", never)
    model = write_tiny_model(tmp_path / "m", findings=("pneumothorax",))
    command = ["calibrate", str(model), "--cohort", str(trainable), "--threads", "1", "--quiet"]
    refused = CliRunner().invoke(cli, command)
    assert "the model finds pneumothorax, the cohort knows fracture" in str(refused.exception)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": "ribsight-calibration/1"}',
        '{"schema": "ribsight-calibration/1", "model": {"sha256": "a"}, "findings": {"f": '
        '{"image": {"method": "isotonic", "scores": [0.1, 0.2], "probabilities": [0.4, 0.3]}, '
        '"marks": null}}}',
    ],
)
def test_a_damaged_calibration_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(RibsightError, match=r"calibration\.json is no calibration"):
        read_calibration(tmp_path, "a")
    (tmp_path / "reference.json").write_text(text)
    with pytest.raises(RibsightError, match=r"reference\.json"):
        read_reference(tmp_path / "reference.json")


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    calibration = read_calibration(tmp_path, "a")
    assert calibration == Calibration()
    assert calibration.of_image("fracture", 0.5) is None
