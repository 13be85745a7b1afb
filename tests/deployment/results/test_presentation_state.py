"""Presentation states: the greys are the image's, the boxes the marks'."""

import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from tests.deployment.results.conftest import (
    COLUMNS,
    FOUND,
    MODEL,
    NOTHING,
    ROWS,
    SURE,
    UNSURE,
    Verify,
    content_of,
    film,
    source,
)
from tests.simulation.paper.conftest import make_patient

from ribsight.deployment.results import (
    NotProcessed,
    ResultObject,
    ResultOptions,
    dicom_results,
)
from ribsight.evaluation.predictions import ImagePrediction
from ribsight.radiographs.read import read_content
from ribsight.simulation.paper.dicom import dicom_bytes
from ribsight.simulation.paper.header import VoiFunction, draw_header
from ribsight.simulation.paper.machines import MACHINES, Voi
from ribsight.simulation.truth import View

# Without table and window we leave half a percent at either end out, a state shows all.
CUT = 15
ONLY_GSPS = ResultOptions(objects=frozenset({ResultObject.GSPS}))


def state_of(header: Dataset, prediction: Any = None) -> Dataset:
    radiograph = read_content(content_of(header), "a")
    height, width = radiograph.pixels.shape
    prediction = prediction or ImagePrediction("a", "a", width, height, FOUND.findings)
    (state,) = dicom_results(header, prediction, MODEL, ONLY_GSPS, radiograph=radiograph)
    return pydicom.dcmread(BytesIO(content_of(state)))


def points(graphic: Dataset) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(graphic.GraphicData, dtype=np.float64).reshape(-1, 2)


def test_boxes_lie_in_layers_by_certainty() -> None:
    state = state_of(source(), FOUND)
    layers = [one.GraphicLayer for one in state.GraphicLayerSequence]
    assert layers == ["CONFIDENT", "DOUBTFUL"]
    solid, dotted = state.GraphicAnnotationSequence
    (box,) = solid.GraphicObjectSequence
    assert points(box).tolist() == [[40, 60], [80.5, 60], [80.5, 90], [40, 90], [40, 60]]
    dashes = [points(one) for one in dotted.GraphicObjectSequence]
    assert len(dashes) > 20
    everything = np.concatenate(dashes)
    assert [*everything.min(axis=0), *everything.max(axis=0)] == list(UNSURE.box)
    assert sum(np.abs(np.diff(one, axis=0)).sum() for one in dashes) < 0.6 * 200
    (label,) = solid.TextObjectSequence
    assert label.UnformattedTextValue == f"1 rib fracture confident {SURE.score:.2f}"


def test_it_refers_to_the_image_and_shows_all_of_it(verify: Verify) -> None:
    header = source()
    state = state_of(header, FOUND)
    (series,) = state.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == header.SeriesInstanceUID
    assert series.ReferencedImageSequence[0].ReferencedSOPInstanceUID == header.SOPInstanceUID
    (area,) = state.DisplayedAreaSelectionSequence
    assert list(area.DisplayedAreaBottomRightHandCorner) == [COLUMNS, ROWS]
    verify([state, state_of(header, NOTHING)])


def test_no_state_for_what_none_describes() -> None:
    for header in (
        source(SOPClassUID=uid.DigitalXRayImageStorageForProcessing),
        source(np.zeros((ROWS, COLUMNS, 3), np.uint8), SamplesPerPixel=3, PlanarConfiguration=0,
               PhotometricInterpretation="RGB", SOPClassUID=uid.SecondaryCaptureImageStorage),
    ):  # fmt: skip
        assert dicom_results(header, FOUND, MODEL, ONLY_GSPS) == []
    assert dicom_results(source(), NotProcessed("is lateral"), MODEL, ONLY_GSPS) == []


def _simulated(machine: Any, seed: int) -> Dataset:
    """Return a film by a machine, whose window is none that the renderer below does not know."""
    random = np.random.default_rng(seed)
    header = draw_header(random, View.PA_ERECT, machine)
    while header.voi_function is VoiFunction.SIGMOID:
        header = draw_header(random, View.PA_ERECT, machine)
    truth = make_patient(height=64, width=80)
    pixels = np.linspace(0, 1, 64 * 80, dtype=np.float32).reshape(64, 80)
    content = dicom_bytes(pixels, header, truth, truth.films[0], series_number=1, instance_number=1)
    return pydicom.dcmread(BytesIO(content))


@pytest.mark.skipif(shutil.which("dcmp2pgm") is None, reason="no dcmp2pgm here (Debian: dcmtk)")
@pytest.mark.parametrize("machine", MACHINES, ids=lambda one: one.name)
def test_dcmtk_shows_the_greys_that_we_show(machine: Any, tmp_path: Path) -> None:
    header = _simulated(machine, len(machine.name))
    _compare(header, tmp_path, tolerance=CUT if machine.voi is Voi.NEITHER else 2)


@pytest.mark.skipif(shutil.which("dcmp2pgm") is None, reason="no dcmp2pgm here (Debian: dcmtk)")
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("case", ["modality table", "presentation table", "8 bits", "extremes"])
def test_dcmtk_shows_unusual_greys_alike(case: str, photometric: str, tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    curve = np.rint(65535 * np.linspace(0, 1, 4096) ** 2).astype("<u2")
    table.add_new("LUTData", "OW", curve.tobytes())
    window = {"WindowCenter": "2000", "WindowWidth": "3000"}
    pixels: Any = film()
    more: dict[str, Any] = {}
    match case:
        case "modality table":
            table.ModalityLUTType = "US"
            window = {"WindowCenter": "30000", "WindowWidth": "50000"}
            more = {"ModalityLUTSequence": [table], **window}
        case "presentation table":
            more = {"PresentationLUTSequence": [table], **window}
        case "8 bits":
            pixels = (film() >> 4).astype(np.uint8)
        case "extremes":
            more = {"SmallestImagePixelValue": 300, "LargestImagePixelValue": 3700}
    header = source(pixels, PhotometricInterpretation=photometric, **more)
    _compare(header, tmp_path, tolerance=CUT if case == "extremes" else 2)


def _compare(header: Dataset, folder: Path, tolerance: int = 2) -> None:
    (folder / "film.dcm").write_bytes(content_of(header))
    (folder / "state.dcm").write_bytes(content_of(state_of(header)))
    command = ["dcmp2pgm", "-p", "state.dcm", "film.dcm", "shown.pgm"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shown = np.asarray(Image.open(folder / "shown.pgm")).astype(float)
    ours = read_content(content_of(header), "a").pixels / 257
    assert np.abs(shown - ours).max() <= tolerance
