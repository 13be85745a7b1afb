"""What is no model, or another one, is refused in one sentence, and none of it is run."""

import hashlib
import io
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.deployment.export.conftest import Copies

from ribsight.detector.detect import Detector
from ribsight.detector.foreign import what_it_is
from ribsight.detector.model_file import find_model
from ribsight.errors import RibsightError


def refused(folder: Path) -> str:
    with pytest.raises(RibsightError) as caught:
        Detector.load(folder)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def put(folder: Path, name: str, content: bytes, *, hashed: bool = True) -> None:
    """Put another file in place, described by its own hash unless told otherwise."""
    (folder / name).write_bytes(content)
    if hashed:
        change(folder, lambda model: model["exported"]["files"].update({name: sha256(content)}))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "model.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


class Harmful:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (str(self.path),)


def zipped(thing: object) -> bytes:
    content = io.BytesIO()
    torch.save(thing, content)
    return content.getvalue()


@pytest.mark.parametrize("form", ["onnx", "openvino", "torchscript"])
@pytest.mark.parametrize("kind", ["pickle", "zip", "truncated", "empty"])
@pytest.mark.parametrize("hashed", [False, True])
def test_another_file_in_place_of_the_model(
    copied: Copies, tmp_path: Path, form: str, kind: str, *, hashed: bool
) -> None:
    folder, opened = copied(form), tmp_path / "opened"
    name = {"onnx": "model.onnx", "openvino": "model.xml", "torchscript": "model.torchscript"}[form]
    content = {
        "pickle": pickle.dumps(Harmful(opened)),
        "zip": zipped(Harmful(opened)),
        "truncated": (folder / name).read_bytes()[:-500],
        "empty": b"",
    }[kind]
    put(folder, name, content, hashed=hashed)
    sentence = refused(folder)
    assert name in sentence
    if not hashed:
        assert "SHA-256 differs" in sentence
    if kind == "pickle" and form != "torchscript":
        assert "a Python pickle" in sentence
    assert not opened.exists()


def test_a_missing_file(copied: Copies) -> None:
    folder = copied("openvino")
    (folder / "model.bin").unlink()
    assert "describes model.bin, which cannot be read" in refused(folder)


def test_weights_of_another_export(copied: Copies) -> None:
    folder = copied("openvino")
    weights = bytearray((folder / "model.bin").read_bytes())
    weights[100] ^= 1
    put(folder, "model.bin", bytes(weights), hashed=False)
    assert "model.bin is not the file that model.json describes" in refused(folder)


@pytest.mark.parametrize("form", ["onnx", "openvino", "torchscript"])
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("findings", ["hip_fracture", "clavicle_fracture"], '"hip_fracture"'),
        ("findings", ["rib_fracture"], '"clavicle_fracture"'),
        ("weights_sha256", "0" * 64, "0" * 64),
        ("intensity_mean", 0.4, "'intensity_mean' is 0.5 in the file and 0.4 in model.json"),
    ],
)
def test_a_description_of_another_model(
    copied: Copies, form: str, key: str, value: object, said: str
) -> None:
    folder = copied(form)
    change(folder, lambda model: model.update({key: value}))
    sentence = refused(folder)
    assert "is of another model than" in sentence
    assert said in sentence


def test_a_foreign_onnx_model_is_not_run(copied: Copies) -> None:
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(one, number, [1, 2]) for one in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    folder = copied("onnx")
    put(folder, "model.onnx", model.SerializeToString())
    assert "was not written by ribsight" in refused(folder)


def test_a_foreign_onnx_model_under_our_description_gives_no_maps(copied: Copies) -> None:
    onnx = pytest.importorskip("onnx")
    folder = copied("onnx")
    ours = onnx.load(folder / "model.onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    ends = [helper.make_tensor_value_info(one, number, ["n", 1, 64, 64]) for one in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {one.key: one.value for one in ours.metadata_props})
    put(folder, "model.onnx", model.SerializeToString())
    assert "gives (1, 1, 64, 64) values where model.json describes (1, 2, 16, 16)" in refused(
        folder
    )


def test_thresholds_that_were_left_behind(copied: Copies) -> None:
    folder = copied("onnx")
    (folder / "operating_points.json").unlink()
    assert "lacks operating_points.json, with which it was exported" in refused(folder)


def test_a_path_out_of_the_folder(copied: Copies) -> None:
    folder = copied("onnx")
    change(folder, lambda model: model["exported"].update(files={"../other.onnx": "0" * 64}))
    assert "'../other.onnx', which is no file name" in refused(folder)


def scripted(source: Callable[[torch.Tensor], torch.Tensor]) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(source, torch.zeros(1, 1, 64, 64)), content)  # type: ignore[no-untyped-call]
    return content.getvalue()


def test_torchscript_that_does_more_than_calculate_is_not_run(copied: Copies) -> None:
    folder = copied("torchscript")

    def reads_a_file(x: torch.Tensor) -> torch.Tensor:
        return x + torch.from_file("/etc/passwd", size=4, dtype=torch.uint8).sum()

    put(folder, "model.torchscript", scripted(reads_a_file))
    assert "is not run: its code holds a call of 'torch.from_file'" in refused(folder)


def test_torchscript_from_elsewhere_that_only_calculates(copied: Copies) -> None:
    folder = copied("torchscript")
    put(folder, "model.torchscript", scripted(lambda x: torch.sigmoid(x)))
    assert "was not written by ribsight" in refused(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({"weights": np.zeros(3)}), "a Python pickle"),
        (zipped({"weights": torch.zeros(3)}), "a zip archive, as torch.save writes them"),
        (b"\x89HDF\r\n\x1a\n....", "an HDF5 file"),
        (b"", "an empty file"),
        (b"\x08\x0a\x12\x07pytorch", "an ONNX model"),
        (b"something", ""),
    ],
)
def test_files_are_told_by_their_first_bytes(content: bytes, words: str, tmp_path: Path) -> None:
    assert what_it_is(content).startswith(words)
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(RibsightError, match=r"a model of ribsight is a folder with model\.json"):
        find_model(tmp_path / "model.pt")
