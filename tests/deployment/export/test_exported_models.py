"""An exported model says what the original says, and carries what belongs to it."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.deployment.export.conftest import FORMATS, Copies, network_images

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.certainty import Levels
from ribsight.detector.detect import Detector
from ribsight.detector.model_file import load_model, read_description
from ribsight.detector.runtimes.exported import CARRIED, described
from ribsight.detector.runtimes.openvino_quiet import import_openvino
from ribsight.errors import RibsightError
from ribsight.radiographs.read import read_radiograph


@pytest.mark.parametrize("form", FORMATS)
def test_the_maps_are_those_of_the_original_for_any_number_of_images(
    original: Path, exported: Copies, form: str
) -> None:
    first, second = Detector.load(original), Detector.load(exported(form), threads=1)
    assert second.findings == first.findings
    for count in (1, 3, 2):
        images = network_images(count)
        assert second.maps(images).shape == (count, 2, 16, 16)
        np.testing.assert_allclose(second.maps(images), first.maps(images), atol=1e-5)


@pytest.mark.parametrize("form", FORMATS)
def test_thresholds_come_along_and_marks_lie_where_the_original_has_them(
    original: Path, exported: Copies, pictures: Path, form: str
) -> None:
    first, second = DetectorAtWork.load(original), DetectorAtWork.load(exported(form))
    assert second.levels == first.levels == {"rib_fracture": Levels(0.3, 0.6)}
    assert second.identity == first.identity
    film = read_radiograph(pictures / "film0.png")
    (one,), (other,) = first.read([film]), second.read([film])
    for name, said in one.items():
        places = [[(mark.x, mark.y, mark.box) for mark in f.marks] for f in (said, other[name])]
        assert places[0] == places[1]
        assert other[name].score == pytest.approx(said.score, abs=1e-5)


def _inside(folder: Path, form: str) -> str:
    if form == "onnx":
        import onnx

        model = onnx.load(folder / "model.onnx")
        return str({one.key: one.value for one in model.metadata_props}[CARRIED])
    if form == "openvino":
        model = import_openvino().Core().read_model(folder / "model.xml")
        return str(model.get_rt_info(CARRIED).value)
    with zipfile.ZipFile(io.BytesIO((folder / "model.torchscript").read_bytes())) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(f"extra/{CARRIED}")]
        return archive.read(name).decode()


@pytest.mark.parametrize("form", FORMATS)
def test_the_file_itself_says_what_it_is(exported: Copies, form: str) -> None:
    folder = exported(form)
    carried = json.loads(_inside(folder, form))
    description = read_description(folder)
    assert carried["model"] == described(description)
    assert carried["model"]["intensity_mean"] == 0.5
    assert carried["model"]["findings"] == ["rib_fracture", "clavicle_fracture"]
    assert carried["model"]["weights_sha256"] == description.weights_sha256
    points = (folder / "operating_points.json").read_text()
    assert carried["files"] == {"operating_points.json": points}


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_running_it_needs_no_torch_and_tells_nobody(exported: Copies, form: str) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from ribsight.deployment.at_work import DetectorAtWork\n"
        f"DetectorAtWork.load(Path({str(exported(form))!r}))\n"
        "print([one for one in ('torch', 'timm', 'openvino_telemetry') if sys.modules.get(one)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_exported_model_is_not_trained_on_or_exported_again(exported: Copies) -> None:
    with pytest.raises(RibsightError, match="exported as onnx and holds no weights"):
        load_model(exported("onnx"))


def test_an_exported_model_runs_on_the_cpu(exported: Copies) -> None:
    with pytest.raises(RibsightError, match="runs on the CPU"):
        Detector.load(exported("onnx"), "cuda")


def test_a_missing_runtime_is_named_with_what_to_install(
    exported: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = exported("onnx")
    monkeypatch.delitem(sys.modules, "ribsight.detector.runtimes.onnx_file", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RibsightError, match=r"onnxruntime, which is missing: pip install 'ribsi"):
        Detector.load(folder)


def test_thresholds_chosen_again_in_the_folder_are_used(copied: Copies) -> None:
    folder = copied("onnx")
    path = folder / "operating_points.json"
    path.write_text(path.read_text().replace("0.3", "0.25"))
    assert DetectorAtWork.load(folder).levels == {"rib_fracture": Levels(0.25, 0.6)}
