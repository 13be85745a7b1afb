"""Small films as DICOM, and what a detector may say of them."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.uid import UID
from tests.radiographs.conftest import dicom_bytes, dicom_data

from ribsight.deployment.results import ModelIdentity
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction, Mark
from ribsight.findings import Certainty, Side

__all__ = ["dicom_data"]  # a fixture

MODEL = ModelIdentity("first run", "ab" * 32, "0.1.0")
ROWS, COLUMNS = 300, 240
SURE = Mark(60, 75, (40, 60, 80.5, 90), 0.91, 0.8, Certainty.CONFIDENT, Side.RIGHT)
UNSURE = Mark(180, 200, (150, 180, 210, 220), 0.41, 0.2, Certainty.DOUBTFUL, Side.LEFT)
FAINT = Mark(20, 20, (10, 10, 30, 30), 0.05)

FOUND = ImagePrediction(
    "a",
    "a.dcm",
    COLUMNS,
    ROWS,
    {
        "rib_fracture": FindingPrediction(0.91, (SURE, UNSURE, FAINT), 0.88, Certainty.CONFIDENT),
        "clavicle_fracture": FindingPrediction(0.05, (), 0.02),
    },
)
NOTHING = ImagePrediction("a", "a.dcm", COLUMNS, ROWS, {"fracture": FindingPrediction(0.1, ())})


def film(rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint16]:
    """Return stored values of 12 bits: a slope from 300 to 3700."""
    slope = np.linspace(300, 3700, rows * columns).reshape(rows, columns)
    return slope.astype(np.uint16)


def source(
    pixels: NDArray[Any] | None = None, syntax: UID = uid.ExplicitVRLittleEndian, **attributes: Any
) -> Dataset:
    """Return a film with its pixels, as pydicom reads it from a file."""
    values = {
        "StudyDate": "20240131",
        "StudyTime": "101112",
        "PatientName": "Doe^Jane",
        "AccessionNumber": "A1",
        "InstanceNumber": 2,
        "SeriesNumber": 3,
        **attributes,
    }
    content = dicom_bytes(film() if pixels is None else pixels, syntax, values)
    return pydicom.dcmread(BytesIO(content))


def content_of(one: Dataset) -> bytes:
    """Return the file of an object."""
    stream = BytesIO()
    one.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def items(report: Dataset) -> list[Dataset]:
    """Return all content items below an item, depth first."""
    found: list[Dataset] = []
    for child in report.get("ContentSequence", ()):
        found += [child, *items(child)]
    return found


Verify = Callable[[Sequence[Dataset]], None]


@pytest.fixture
def verify(tmp_path: Path) -> Verify:
    """Return a function that lets dciodvfy look for errors in objects, or skip."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("no dciodvfy here (Debian: dicom3tools)")

    def run(objects: Sequence[Dataset]) -> None:
        for number, one in enumerate(objects):
            path = tmp_path / f"{number}.dcm"
            path.write_bytes(content_of(one))
            command = ["dciodvfy", "-new", str(path)]
            done = subprocess.run(command, capture_output=True, check=False)
            said = (done.stdout + done.stderr).decode("latin-1")
            assert said.strip(), f"dciodvfy says nothing of {one.SOPClassUID.name}"
            wrong = [line for line in said.splitlines() if line.startswith(("Error", "Abort"))]
            assert not wrong, (one.SOPClassUID.name, wrong)

    return run
