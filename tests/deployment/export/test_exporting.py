"""`ribsight export` as a user runs it: what is written, and when nothing is."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.deployment.export.conftest import Copies, write_points
from tests.tiny_model import write_tiny_model

from ribsight.cli.main import cli
from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.export.exporting import ExportOptions, export
from ribsight.deployment.export.notices import NO_DEVICE, PATENT
from ribsight.detector.model_file import read_description
from ribsight.errors import RibsightError

ROOT = Path(__file__).parents[3]


def ribsight(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


def quick(form: str, **more: object) -> ExportOptions:
    return ExportOptions(form, replicates=100, threads=1, progress=False, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model finds what the cohort `trainable` knows, with thresholds."""
    folder = tmp_path_factory.mktemp("run") / "first"
    write_points(write_tiny_model(folder / "model", findings=("fracture",)))
    return folder


def test_the_command_compares_on_validation_and_writes_what_it_found(
    run: Path, trainable: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "torchscript"
    done = ribsight(
        "export", run, "--format", "torchscript", "--cohort", trainable, "--out", out,
        "--replicates", 100, "--threads", 1, "--quiet",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("on 12 of the 12 images of the validation split: maps differ by")
    assert "  fracture: AUROC +0.0000 (+0.0000 to +0.0000), FROC score +0.0000" in done.stdout
    assert done.stdout.endswith(f"model -> {out}, with operating_points.json\n")
    assert sorted(path.name for path in out.iterdir()) == [
        "model.json", "model.torchscript", "model_card.md", "operating_points.json", "parity.json",
        "parity.md",
    ]  # fmt: skip
    parity = json.loads((out / "parity.json").read_text())
    assert parity["largest_map_difference"] < 1e-5
    assert parity["marks"]["share"] == 1
    assert parity["images"]["count"] == 12
    assert parity["findings"]["fracture"]["froc_score_difference"]["value"] == 0
    assert parity["model"]["sha256"] == parity["source_sha256"]
    assert DetectorAtWork.load(out).identity == DetectorAtWork.load(run).identity
    card = (out / "model_card.md").read_text()
    assert NO_DEVICE in card
    assert PATENT in card
    assert "**Trained on cohort" not in card
    assert "The tables below are of another one" in card  # the tiny model names no cohort
    assert "| train | 24 |" in card
    assert "| rib_fracture | doubtful | sensitivity 0.9 | 0.3 | val |" in card
    assert "nothing is known of how good it is" in card


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_int8_is_another_model_with_its_loss_and_without_thresholds(
    run: Path, trainable: Path, tmp_path: Path, form: str
) -> None:
    pytest.importorskip({"onnx": "onnxruntime", "openvino": "nncf"}[form])
    out = tmp_path / form
    options = quick(form, precision="int8", tolerance=1.0, training_images=8)
    written = export(run, out, options, cohort=trainable)
    assert written.left_behind == ("operating_points.json",)
    assert not (out / "operating_points.json").exists()
    original, description = read_description(run / "model"), read_description(out)
    assert description.weights_sha256 != original.weights_sha256
    assert description.exported is not None
    assert description.exported.source_sha256 == original.weights_sha256
    assert DetectorAtWork.load(out).levels == {}
    parity = json.loads((out / "parity.json").read_text())
    assert parity["calibrated_on_training_images"] == 8
    assert 1e-5 < parity["largest_map_difference"] < 0.5
    for key in ("auroc_difference", "froc_score_difference"):
        figure = parity["findings"]["fracture"][key]
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert "its identity is" in (out / "parity.md").read_text()
    assert "do not hold for it" in (out / "model_card.md").read_text()
    # Thresholds of the original are refused, should somebody copy them.
    write_points(run / "model")
    (out / "operating_points.json").write_bytes(
        (run / "model" / "operating_points.json").read_bytes()
    )
    with pytest.raises(RibsightError, match="were chosen for model"):
        DetectorAtWork.load(out)


def test_too_large_a_difference_leaves_nothing(run: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "exported"
    done = ribsight(
        "export", run, "--format", "torchscript", "--images", pictures, "--out", out,
        "--tolerance", 0, "--quiet",
    )  # fmt: skip
    assert isinstance(done.exception, RibsightError)
    assert "is not exported as torchscript: its maps differ from the original's by up to" in str(
        done.exception
    )
    assert list(tmp_path.iterdir()) == []


def test_figures_of_the_run_stand_in_the_card(
    run: Path, trainable: Path, pictures: Path, tmp_path: Path
) -> None:
    done = ribsight(
        "evaluate", run, "--cohort", trainable, "--split", "val", "--out", tmp_path / "measured",
        "--replicates", 100, "--strata", "regions_on_image", "--quiet",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    figures = tmp_path / "measured" / "evaluation.json"
    export(run, tmp_path / "out", quick("torchscript"), files=[pictures], evaluation=figures)
    card = (tmp_path / "out" / "model_card.md").read_text()
    auroc = json.loads(figures.read_text())["findings"]["fracture"]["auroc"]
    assert f"| {auroc['value']:.3f} | {auroc['low']:.3f} to {auroc['high']:.3f} |" in card
    assert "A mark hits a region when" in card
    assert "| by | part | images |" in card
    assert "Fewer than 100 positive images stand behind the figures of fracture." in card
    other = write_tiny_model(tmp_path / "other" / "model", seed=1, findings=("fracture",))
    with pytest.raises(RibsightError, match=r"evaluation\.json measures model"):
        export(other, tmp_path / "no", quick("torchscript"), files=[pictures], evaluation=figures)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("options", "more", "sentence"),
    [
        ({"precision": "int8"}, {}, "give --cohort"),
        ({}, {}, "give --cohort or --images"),
        ({}, {"files": [Path("nowhere.png")]}, "there is no image at nowhere.png"),
    ],
)
def test_what_is_missing_is_said(
    run: Path, tmp_path: Path, options: dict[str, object], more: dict[str, object], sentence: str
) -> None:
    with pytest.raises(RibsightError, match=sentence):
        export(run, tmp_path / "out", quick("onnx", **options), **more)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_torchscript_has_no_int8(run: Path, trainable: Path, tmp_path: Path) -> None:
    options = quick("torchscript", precision="int8", training_images=8)
    with pytest.raises(RibsightError, match="torchscript has no int8 variant"):
        export(run, tmp_path / "out", options, cohort=trainable)


def test_a_cohort_of_other_findings_is_refused(
    original: Path, trainable: Path, tmp_path: Path
) -> None:
    with pytest.raises(RibsightError, match="the model finds rib_fracture, clavicle_fracture, the"):
        export(original, tmp_path / "out", quick("torchscript"), cohort=trainable)


def test_a_folder_that_is_not_empty_is_left_alone(
    run: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_text("")
    with pytest.raises(RibsightError, match="is not empty"):
        export(run, tmp_path, quick("torchscript"), files=[pictures])
    assert (tmp_path / "kept").is_file()


def test_thresholds_of_another_model_do_not_come_along(pictures: Path, tmp_path: Path) -> None:
    first = write_tiny_model(tmp_path / "a" / "model")
    second = write_tiny_model(tmp_path / "b" / "model", seed=1)
    write_points(first)
    (second / "operating_points.json").write_bytes((first / "operating_points.json").read_bytes())
    with pytest.raises(RibsightError, match="were chosen for model"):
        export(second, tmp_path / "out", quick("torchscript"), files=[pictures])


def test_an_exported_model_is_not_exported_again(
    exported: Copies, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(RibsightError, match="holds no weights"):
        export(exported("torchscript"), tmp_path / "out", quick("onnx"), files=[pictures])


def test_the_notices_are_those_of_the_project() -> None:
    notice = " ".join((ROOT / "NOTICE").read_text().split())
    assert NO_DEVICE in notice
    assert PATENT in notice
