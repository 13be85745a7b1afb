"""The main job as a user runs it: train, evaluate, predict; and what goes wrong."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "test.toml"


def ribsight(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ribsight.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fails(*arguments: object) -> str:
    """Run, expect status 2, one sentence and no traceback; return the sentence."""
    done = ribsight(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("ribsight: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def run(trainable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job") / "run"
    done = ribsight(
        "train", "--cohort", trainable, "--recipe", RECIPE, "--out", folder, "--quiet"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"model -> {folder / 'model'}\n"
    return folder


def test_a_run_is_measured_with_a_report(run: Path, trainable: Path, tmp_path: Path) -> None:
    done = ribsight(
        "evaluate", run, "--cohort", trainable, "--split", "val", "--against", run,
        "--out", tmp_path, "--replicates", 100, "--quiet",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "AUROC" in done.stdout
    assert "FROC protocol: " in done.stdout
    document = json.loads((tmp_path / "evaluation.json").read_text())
    assert 0 <= document["findings"]["fracture"]["auroc"]["value"] <= 1
    difference = json.loads((tmp_path / "comparison.json").read_text())["differences"][0]
    assert difference["auroc"]["value"] == 0  # against itself
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_images_are_predicted_and_a_bad_one_is_listed(run: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    pixels = np.random.default_rng(0).integers(0, 65536, (90, 120)).astype(np.uint16)
    Image.fromarray(pixels).save(images / "sixteen.png")
    Image.fromarray((pixels // 256).astype(np.uint8)).save(images / "eight.jpg")
    (images / "broken.png").write_bytes(b"no image")
    Image.new("L", (1, 1)).save(images / "dot.png")
    done = ribsight(
        "predict", run, images, "--out", tmp_path / "p.json", "--overlay", tmp_path / "drawn",
        "--overlay-score", 0, "--quiet",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "p.json").read_text())
    schema = json.loads((ROOT / "docs" / "predictions.schema.json").read_text())
    jsonschema.validate(document, schema)
    assert [one["id"] for one in document["images"]] == ["eight", "sixteen"]
    assert {Path(one["file"]).name for one in document["failed"]} == {"broken.png", "dot.png"}
    assert done.stderr.count("no prediction for") == 2
    for one in document["images"]:
        assert (one["width"], one["height"]) == (120, 90)
        for mark in one["findings"]["fracture"]["marks"]:
            assert 0 <= mark["x"] <= 120
            assert 0 <= mark["y"] <= 90
    assert Image.open(tmp_path / "drawn" / "eight.png").size == (120, 90)


def test_prediction_and_evaluation_see_the_same_pixels(
    run: Path, trainable: Path, tmp_path: Path
) -> None:
    ribsight(
        "evaluate", run, "--cohort", trainable, "--split", "val", "--out", tmp_path,
        "--replicates", 100, "--quiet",
    )  # fmt: skip
    ribsight("predict", run, trainable.parent / "images", "--out", tmp_path / "p.json", "--quiet")
    from_cache, from_files = (
        {one["id"]: one["findings"] for one in json.loads((tmp_path / name).read_text())["images"]}
        for name in ("predictions.json", "p.json")
    )
    assert from_cache
    for id_, findings in from_cache.items():
        score = findings["fracture"]["score"]
        assert from_files[id_]["fracture"]["score"] == pytest.approx(score, abs=1e-5)


def test_a_finished_run_is_not_trained_again(run: Path, trainable: Path) -> None:
    said = fails("train", "--cohort", trainable, "--recipe", RECIPE, "--out", run, "--quiet")
    assert "is not empty" in said


def test_resuming_a_finished_run_leaves_its_model_as_it_was(run: Path) -> None:
    before = (run / "model" / "weights.safetensors").read_bytes()
    assert ribsight("train", "--resume", run, "--quiet").returncode == 0
    assert (run / "model" / "weights.safetensors").read_bytes() == before


def test_bad_input_is_one_sentence(run: Path, trainable: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    train = ["train", "--cohort", trainable, "--out", new, "--quiet", "--recipe"]
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.read_text().replace("decay", "dekay"))
    assert "unknown key 'teacher.dekay' (did you mean 'decay'?)" in fails(*train, recipe)
    assert "cannot read" in fails(*train, tmp_path / "none.toml")
    assert "has 1 mistake" in fails(*train, RECIPE, "--set", "stage1.steps=0")
    assert "write it as KEY=VALUE" in fails(*train, RECIPE, "--set", "seed")
    nowhere = ["train", "--cohort", tmp_path, "--out", new, "--recipe", RECIPE]
    assert "is not a cohort" in fails(*nowhere)
    below_a_file = tmp_path / "recipe.toml" / "run"
    written = ["train", "--cohort", trainable, "--recipe", RECIPE, "--quiet", "--out"]
    assert "cannot write" in fails(*written, below_a_file)
    assert not new.exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "p.json"
    assert "holds no PNG or JPEG" in fails("predict", run, empty, "--out", out)
    assert "no image could be read" in fails("predict", run, recipe, "--out", out, "--quiet")
    assert "there is no file" in fails("predict", run, tmp_path / "gone.png", "--out", out)
    assert "neither a model folder" in fails("predict", tmp_path, trainable, "--out", out)
    assert not out.exists()
    assert "no radiograph in split 'test'" in fails(
        "evaluate", run, "--cohort", trainable, "--split", "test", "--out", tmp_path
    )


AUDIT = """
[fracture.present_if_positive]
value = 0.9
answers = 40
[fracture.present_if_negative]
value = 0.04
answers = 40
"""


def test_the_figures_of_an_audit_go_into_the_run(trainable: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.toml").write_text(AUDIT)
    start = ("train", "--cohort", trainable, "--recipe", RECIPE, "--quiet")
    audited = ("--audit", tmp_path / "noise.toml", "--out", tmp_path / "run")
    said = fails(*start, *audited, "--method", "aals")
    assert "record_noise needs a method that asks" in said
    assert not (tmp_path / "run").exists()
    done = ribsight(*start, *audited, "--method", "ribsight")
    assert done.returncode == 0, done.stderr
    recipe = tomllib.loads((tmp_path / "run" / "config.toml").read_text())["recipe"]
    assert recipe["record_noise"] == {
        "fracture": {"positive_predictive_value": 0.9, "negative_predictive_value": 0.96}
    }


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("value = 0.9", "value = nan", "fracture.present_if_positive.value is no share of studies"),
        ("value = 0.04", "value = 4", "fracture.present_if_negative.value is 4"),
        ("negative]", "unknown]", "fracture.present_if_negative.value is no share of studies"),
        ("fracture", "rib", "record_noise.rib is no finding of the cohort (fracture)"),
        ("0.9", "0.04", "4.0% of the positive records and in 4.0% of the negative ones"),
        (AUDIT, "", "names no finding"),
    ],
)
def test_an_audit_that_says_nothing_is_refused(
    trainable: Path, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    (tmp_path / "noise.toml").write_text(AUDIT.replace(old, new))
    assert sentence in fails(
        "train", "--cohort", trainable, "--recipe", RECIPE, "--method", "ribsight",
        "--audit", tmp_path / "noise.toml", "--out", tmp_path / "run",
    )  # fmt: skip
