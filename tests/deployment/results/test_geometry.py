"""A bright dot, from stored pixels to the network's and back into the objects: it stays put.

The detector is left out: its map is bright where the network image is.
"""

from dataclasses import dataclass
from io import BytesIO
from itertools import product
from typing import Literal

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from tests.deployment.results.conftest import MODEL, content_of, items, source

from ribsight.deployment.results import ResultObject, ResultOptions, dicom_results
from ribsight.deployment.results.heat import HeatMap
from ribsight.deployment.results.picture import CONFIDENT_COLOUR
from ribsight.detector.marks import to_marks
from ribsight.detector.settings import MarkSettings
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction, Mark
from ribsight.findings import Certainty
from ribsight.radiographs import Preprocessing, Radiograph, preprocess
from ribsight.radiographs.read import read_content

# Of increasing columns and rows: all eight ways in which a frontal film can lie.
ORIENTATIONS = [*product("LR", "FH"), *product("FH", "LR")]
SIZE = 96
OBJECTS = frozenset(ResultObject)
LONGEST_SIDE = 320


@dataclass(frozen=True)
class Scene:
    """A film of any size, dark noise in its collimated field, with one bright square in it.

    Attributes:
        pixels: (rows, columns) of 12 bits.
        centre: x, y of the square in stored pixels.
        dot: its side.
        is_negative: whether bone is stored dark.
    """

    pixels: NDArray[np.uint16]
    centre: tuple[float, float]
    dot: int
    is_negative: bool


def scene(seed: int) -> Scene:
    random = np.random.default_rng(seed)
    rows, columns = random.permutation([random.integers(120, 250), random.integers(260, 400)])
    border = int(random.choice([0, 15, 25]))
    dot = max(rows, columns) // 16
    margin = border + max(rows, columns) // 14
    row = int(random.integers(margin, rows - margin - dot))
    column = int(random.integers(margin, columns - margin - dot))
    pixels = random.integers(300, 700, (rows, columns), dtype=np.uint16)
    pixels[row : row + dot, column : column + dot] = 4000
    if border:
        pixels[:border], pixels[-border:] = 50, 50
        pixels[:, :border], pixels[:, -border:] = 50, 50
    return Scene(pixels, (column + dot / 2, row + dot / 2), dot, bool(random.random() < 0.5))


def as_a_detector_would(
    radiograph: Radiograph, preprocessing: Preprocessing
) -> tuple[tuple[Mark, ...], HeatMap]:
    """Return marks and map: bright cells of the network image are probable."""
    network, affine = preprocess(radiograph, preprocessing)
    cells = network.reshape(SIZE // 4, 4, SIZE // 4, 4).mean(axis=(1, 3)) / 255
    probability = (0.98 * cells**4).astype(np.float32)
    height, width = radiograph.pixels.shape
    one_mark = MarkSettings(most=1, minimum_score=0)
    marks = to_marks(probability, one_mark, affine, width, height)
    return marks, HeatMap(probability[None], affine, SIZE)


def outline(report: Dataset) -> NDArray[np.float64]:
    """Return the (5, 2) corners of the one box of a report, as it was written."""
    again = pydicom.dcmread(BytesIO(content_of(report)))
    (region,) = [one for one in items(again) if one.ValueType == "SCOORD"]
    return np.array(region.GraphicData, dtype=np.float64).reshape(-1, 2)


def drawn_box(film: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return first and last column, first and last row of the solid box on a film."""
    coloured = (film == CONFIDENT_COLOUR).all(axis=-1)
    # A number stands above or below the box; only the box has long lines.
    along_x, along_y = coloured.sum(axis=0), coloured.sum(axis=1)
    columns = np.flatnonzero(along_x >= max(6, along_x.max() // 2))
    rows = np.flatnonzero(along_y >= max(6, along_y.max() // 2))
    return int(columns.min()), int(columns.max()), int(rows.min()), int(rows.max())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("crop", ["none", "collimation"])
@pytest.mark.parametrize("orientation", ORIENTATIONS, ids="".join)
def test_a_dot_is_inside_its_box(
    orientation: tuple[str, str], crop: Literal["none", "collimation"], seed: int
) -> None:
    made = scene(100 * seed + ORIENTATIONS.index(orientation))
    rows, columns = made.pixels.shape
    header = source(
        4095 - made.pixels if made.is_negative else made.pixels,
        PhotometricInterpretation="MONOCHROME1" if made.is_negative else "MONOCHROME2",
        PatientOrientation=list(orientation),
        WindowCenter="2048",
        WindowWidth="4096",
    )
    radiograph = read_content(content_of(header), "a")
    preprocessing = Preprocessing(SIZE, orientation="from_header", crop=crop)
    marks, heat = as_a_detector_would(radiograph, preprocessing)
    sure = Mark(marks[0].x, marks[0].y, marks[0].box, 0.9, None, Certainty.CONFIDENT)
    finding = FindingPrediction(0.9, (sure,), None, Certainty.CONFIDENT)
    prediction = ImagePrediction("a", "a", columns, rows, {"rib_fracture": finding})
    options = ResultOptions(objects=OBJECTS, longest_side=LONGEST_SIDE)
    report, boxes, warmth, state = dicom_results(
        header, prediction, MODEL, options, radiograph=radiograph, heat=heat
    )

    corners = outline(report)
    assert (corners[0] == corners[-1]).all()
    low, high = corners.min(axis=0), corners.max(axis=0)
    assert (low < made.centre).all()
    assert (made.centre < high).all()
    # And close around it: the dot, and what of a map's cell it touches on both sides.
    cell = 4 * max(rows, columns) / SIZE
    assert (high - low <= made.dot + 2.5 * cell).all()

    scale = min(1.0, LONGEST_SIDE / max(rows, columns))
    film = boxes.pixel_array[: round(rows * scale), : round(columns * scale)]
    left, right, top, bottom = drawn_box(film)
    x, y = scale * made.centre[0], scale * made.centre[1]
    assert left < x < right + 1
    assert top < y < bottom + 1
    np.testing.assert_allclose([left + 2, top + 2], low * scale, atol=2)
    np.testing.assert_allclose([right - 1, bottom - 1], high * scale, atol=2)
    assert film[int(y), int(x)].min() > 200, "the dot itself is in the drawn box"

    hot = np.ptp(warmth.pixel_array[: len(film), : film.shape[1]].astype(int), axis=-1)
    warm_rows, warm_columns = np.nonzero(hot > 0.8 * hot.max())
    assert abs(warm_columns.mean() + 0.5 - x) < cell * scale
    assert abs(warm_rows.mean() + 0.5 - y) < cell * scale

    (annotation,) = state.GraphicAnnotationSequence
    (graphic,) = annotation.GraphicObjectSequence
    np.testing.assert_allclose(np.reshape(graphic.GraphicData, (-1, 2)), corners, atol=1e-3)
