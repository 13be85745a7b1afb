"""Monitoring: what is said of predictions against a reference, and to whom it is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.tiny_model import write_tiny_model

from ribsight.cli.main import cli
from ribsight.deployment.monitor import Monitored, load_reference, monitor
from ribsight.deployment.reference import Reference, read_reference, write_reference
from ribsight.deployment.watched import watch
from ribsight.deployment.watches import Verdict
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import (
    FailedImage,
    FindingPrediction,
    ImagePrediction,
    InputStatistics,
    Levels,
    Mark,
    Predictions,
)
from ribsight.evaluation.predictions_file import write_predictions

LEVELS = {"rib_fracture": Levels(0.3, 0.7)}


def images(count: int, seed: int, *, ap: float = 0.3, brighter: float = 0.0) -> Predictions:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        score = float(random.beta(2, 3))
        grey = random.uniform(0.4, 0.6) + brighter
        mark = Mark(5, 5, (1, 1, 9, 9), score)
        made.append(
            ImagePrediction(
                id=f"{seed}-{number}",
                file=f"{number}.dcm",
                width=int(random.choice([2000, 2500])),
                height=2500,
                findings={"rib_fracture": FindingPrediction(score, (mark,))},
                sha256=f"{seed:032x}{number:032x}",
                input=InputStatistics(
                    "frontal_chest", "ap" if random.random() < ap else "pa", 16, False, 0.143,
                    (0.0, 0.2, min(grey, 1.0), 0.9, 1.0),
                ),
            )
        )  # fmt: skip
    return Predictions("a", "a" * 64, ("rib_fracture",), tuple(made), levels=LEVELS)


@pytest.fixture
def reference() -> Reference:
    given = images(300, 0)
    watched = watch(given.images, given.findings, LEVELS)
    return Reference("a", "a" * 64, "", LEVELS, watched, np.arange(300))


def verdicts(found: Monitored) -> dict[str, Verdict]:
    return {one.column.name: one.verdict for one in found.watches}


def test_a_reference_is_read_as_it_was_written(reference: Reference, tmp_path: Path) -> None:
    write_reference(reference, tmp_path / "reference.json")
    read = read_reference(tmp_path / "reference.json")
    assert read.levels == reference.levels
    assert read.watched.words == reference.watched.words
    for name, values in reference.watched.numbers.items():
        np.testing.assert_allclose(read.watched.numbers[name], values, atol=1e-6)


def test_more_of_the_same_is_steady(reference: Reference) -> None:
    found = monitor(reference, "validation", [images(150, 1), images(50, 2)])
    assert set(verdicts(found).values()) == {Verdict.STEADY}
    assert found.verdict is Verdict.STEADY
    assert found.new_images == 200
    assert "bits of a sample" in found.same


def test_what_has_moved_is_named_and_nothing_else(reference: Reference) -> None:
    new = images(200, 3, ap=0.75, brighter=0.1)
    found = monitor(reference, "validation", [new])
    drifted = {name for name, verdict in verdicts(found).items() if verdict is Verdict.DRIFT}
    assert drifted == {"view", "middle"}
    assert found.verdict is Verdict.DRIFT
    (view,) = (one for one in found.watches if one.column.name == "view")
    assert view.change is not None
    assert view.change.psi_low > 0.1


def test_rates_at_both_levels_have_intervals(reference: Reference) -> None:
    louder = images(200, 4)
    louder = replace(
        louder,
        images=tuple(
            replace(
                one,
                findings={
                    "rib_fracture": replace(
                        one.findings["rib_fracture"],
                        score=min(1.0, one.findings["rib_fracture"].score + 0.3),
                    )
                },
            )
            for one in louder.images
        ),
    )
    found = monitor(reference, "validation", [louder])
    (rate,) = (one for one in found.watches if one.column.name == "confident/rib_fracture")
    assert rate.verdict is Verdict.DRIFT
    assert rate.rates is not None
    assert rate.difference is not None
    before, now = rate.rates
    assert before.low < before.share < before.high < now.low < now.share
    assert now.share - before.share == pytest.approx(rate.difference.share)
    assert 0 < rate.difference.low < rate.difference.share < rate.difference.high


def test_an_image_in_two_files_counts_once(reference: Reference) -> None:
    found = monitor(reference, "validation", [images(100, 5), images(100, 5)])
    assert found.new_images == 100


def test_few_images_and_older_files_say_so(reference: Reference) -> None:
    few = monitor(reference, "validation", [images(20, 6)])
    assert few.verdict is Verdict.FEW
    assert {one.change for one in few.watches} == {None}
    old = images(60, 7)
    old = replace(old, images=tuple(replace(one, input=None) for one in old.images))
    found = monitor(reference, "validation", [old])
    assert "score/rib_fracture" in verdicts(found)
    assert not {"view", "middle", "spacing_mm"} & set(verdicts(found))
    assert "written by an older version" in found.notes[0]


def test_another_model_and_no_images_are_refused(reference: Reference) -> None:
    other = replace(images(40, 8), model_sha256="b" * 64)
    with pytest.raises(RibsightError, match=r"of model bbbbbbbbbbbb, the reference is of aaaa"):
        monitor(reference, "validation", [other])
    with pytest.raises(RibsightError, match="hold no image"):
        monitor(reference, "validation", [replace(other, model_sha256="a" * 64, images=())])


def test_the_command_reports_and_can_end_with_a_status(
    reference: Reference, tmp_path: Path
) -> None:
    model = write_tiny_model(tmp_path / "model")
    sha256 = json.loads((model / "model.json").read_text())["weights_sha256"]
    new = replace(
        images(120, 9, brighter=0.2),
        model_sha256=sha256,
        failed=(FailedImage("a/b.dcm", "a/b.dcm is not scored: lateral_chest"),) * 3,
    )
    write_predictions(new, tmp_path / "new.json")
    run = CliRunner()
    command = ["monitor", str(tmp_path / "new.json"), "--reference", str(model)]
    refused = run.invoke(cli, command)
    assert "holds no reference.json: ribsight calibrate writes it" in str(refused.exception)

    write_reference(replace(reference, model_sha256=sha256), model / "reference.json")
    done = run.invoke(cli, [*command, "--out", str(tmp_path / "out"), "--exit-status"])
    assert done.exit_code == 3, done.output
    assert "no prediction for 3: is not scored: lateral_chest" in done.output
    assert "verdict: drift" in done.output
    document = json.loads((tmp_path / "out" / "monitor.json").read_text())
    assert document["verdict"] == "drift"
    assert document["watched"]["middle"]["verdict"] == "drift"
    page = (tmp_path / "out" / "monitor.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "b.dcm" not in page


def test_predictions_of_a_good_time_can_be_the_reference(tmp_path: Path) -> None:
    write_predictions(images(200, 10), tmp_path / "good.json")
    reference, called = load_reference(tmp_path / "good.json")
    assert called == "predictions good.json"
    assert monitor(reference, called, [images(100, 11)]).verdict is Verdict.STEADY
