"""A tiny model exported once in every format, for tests that look at it or damage a copy."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.tiny_model import write_tiny_model

from ribsight.deployment.export.exporting import ExportOptions, export
from ribsight.detector.model_file import Format, read_description
from ribsight.evaluation.protocol import Protocol

FORMATS: tuple[Format, ...] = ("onnx", "openvino", "torchscript")
PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino", "torchscript": "torch"}
Copies = Callable[[str], Path]


def write_points(folder: Path) -> None:
    """Write a doubtful and a confident threshold beside a model, as `ribsight calibrate` does."""
    aims = {"doubtful": ("sensitivity 0.9", 0.3), "confident": ("specificity 0.95", 0.6)}
    points = [
        {
            "finding": "rib_fracture",
            "aim": aim,
            "threshold": threshold,
            "low": None,
            "high": None,
            "chosen_on": "val",
            "achieved": {"sensitivity": 0.9, "specificity": None, "lesion_recall": 0.8},
            "level": level,
        }
        for level, (aim, threshold) in aims.items()
    ]
    document = {
        "schema": "ribsight-operating-points/1",
        "model": {"name": "tiny0", "sha256": read_description(folder).weights_sha256},
        "protocol": Protocol().to_dict(),
        "points": points,
    }
    (folder / "operating_points.json").write_text(json.dumps(document))


def network_images(count: int) -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (64, 64), dtype=np.uint8) for _ in range(count)]


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with thresholds beside the weights."""
    folder = write_tiny_model(tmp_path_factory.mktemp("original") / "run" / "model")
    write_points(folder)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three noise images of 60 x 70 pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (70, 60), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"film{number}.png")
    return folder


@pytest.fixture(scope="session")
def exported(
    original: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return the folder of a format; it must not be changed."""
    root = tmp_path_factory.mktemp("exported")

    def folder_of(form: str) -> Path:
        pytest.importorskip(PACKAGES[form])
        if not (root / form).exists():
            options = ExportOptions(form, threads=1, progress=False)  # type: ignore[arg-type]
            export(original, root / form, options, files=[pictures])
        return root / form

    return folder_of


@pytest.fixture
def copied(exported: Copies, tmp_path: Path) -> Copies:
    """Return a copy of the folder of a format."""

    def copy(form: str) -> Path:
        return Path(shutil.copytree(exported(form), tmp_path / f"copied_{form}"))

    return copy
