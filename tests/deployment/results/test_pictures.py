"""Secondary captures: what everybody sees."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
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

from ribsight.deployment.results import (
    NotProcessed,
    Outcome,
    ResultObject,
    ResultOptions,
    dicom_results,
)
from ribsight.deployment.results.heat import HeatMap
from ribsight.deployment.results.picture import CONFIDENT_COLOUR, DOUBTFUL_COLOUR
from ribsight.errors import RibsightError
from ribsight.radiographs import Affine
from ribsight.radiographs.guarded import read_guarded_content
from ribsight.radiographs.radiograph import UnreadableImageError

ONLY_SC = ResultOptions(objects=frozenset({ResultObject.SC}))
Picture = NDArray[np.uint8]


def picture_of(prediction: Any = FOUND, options: ResultOptions = ONLY_SC, **more: Any) -> Picture:
    (capture,) = dicom_results(source(**more), prediction, MODEL, options)
    pixels: Picture = capture.pixel_array
    return pixels


def is_colour(picture: Picture, colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    """Return where the film, without the panel, has a colour."""
    same: NDArray[np.bool_] = (picture[:, :COLUMNS] == colour).all(axis=-1)
    return same


def extent(where: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return the first and last column and row, as x0, y0, x1, y1 with the last one past."""
    rows, columns = np.nonzero(where)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_a_confident_box_is_solid_and_a_doubtful_one_dotted() -> None:
    picture = picture_of()
    solid = is_colour(picture, CONFIDENT_COLOUR)
    # Without the number above it: the box is the rest.
    solid[: int(SURE.box[1]) - 2] = False
    assert extent(solid) == (38, 58, 83, 92)
    assert solid[58:60, 38:83].all()
    assert solid[58:92, 38:40].all()
    dotted = is_colour(picture, DOUBTFUL_COLOUR)
    dotted[: int(UNSURE.box[1]) - 2] = False
    assert extent(dotted) == (148, 178, 212, 222)
    assert 0.3 < dotted[178:180, 148:212].mean() < 0.7


def test_inside_a_box_the_film_is_as_it_was() -> None:
    picture = picture_of()
    grey = read_guarded_content(content_of(source()), "a").pixels >> 8
    inside = (slice(62, 88), slice(42, 79))
    assert (picture[:, :COLUMNS][inside] == grey[inside][..., None]).all()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_bone_is_bright(photometric: str) -> None:
    pixels = film() if photometric == "MONOCHROME2" else 4095 - film()
    (capture,) = dicom_results(
        source(pixels, PhotometricInterpretation=photometric), NOTHING, MODEL, ONLY_SC
    )
    grey = capture.pixel_array[:, :COLUMNS, 0].astype(int)
    assert grey[-1].mean() - grey[0].mean() > 150


def test_a_large_film_is_reduced_and_its_boxes_with_it() -> None:
    large = np.repeat(np.repeat(film(), 3, axis=0), 3, axis=1)
    mark = replace(SURE, box=(120, 180, 240, 270))
    prediction = replace(FOUND, width=3 * COLUMNS, height=3 * ROWS, findings={
        "rib_fracture": replace(FOUND.findings["rib_fracture"], marks=(mark,))
    })  # fmt: skip
    options = replace(ONLY_SC, longest_side=ROWS)
    (capture,) = dicom_results(source(large), prediction, MODEL, options)
    assert capture.Columns < 3 * COLUMNS
    solid = is_colour(capture.pixel_array, CONFIDENT_COLOUR)
    solid[:55] = False
    assert extent(solid) == (38, 58, 82, 92)


def test_a_box_at_the_border_stays_on_the_film() -> None:
    mark = replace(SURE, box=(0, 0, COLUMNS, ROWS))
    finding = replace(FOUND.findings["rib_fracture"], marks=(mark,))
    picture = picture_of(replace(FOUND, findings={"rib_fracture": finding}))
    assert extent(is_colour(picture, CONFIDENT_COLOUR)) == (0, 0, COLUMNS, ROWS)


def test_the_panel_says_what_it_is_about() -> None:
    texts = [picture_of(one) for one in (FOUND, NOTHING, NotProcessed("is lateral"))]
    panels = [one[:, COLUMNS:] for one in texts]
    assert all(panel.shape[1] > 200 for panel in panels)
    assert not np.array_equal(panels[0][: len(panels[1])], panels[1][: len(panels[0])])
    assert not (panels[1][:ROWS] == panels[2][:ROWS]).all()


def test_what_the_capture_says_of_its_origin() -> None:
    header = source(PatientOrientation=["L", "F"], BurnedInAnnotation="NO")
    (capture,) = dicom_results(header, FOUND, MODEL, ONLY_SC)
    assert (capture.Modality, capture.SOPClassUID) == ("OT", uid.SecondaryCaptureImageStorage)
    assert list(capture.ImageType) == ["DERIVED", "SECONDARY"]
    assert capture.SourceImageSequence[0].ReferencedSOPInstanceUID == header.SOPInstanceUID
    assert (list(capture.PatientOrientation), capture.BurnedInAnnotation) == (["L", "F"], "NO")
    assert "PixelSpacing" not in capture
    assert capture.PatientName == "Doe^Jane"
    assert content_of(capture) == content_of(dicom_results(header, FOUND, MODEL, ONLY_SC)[0])


def test_a_copy_of_a_lossy_image_says_so() -> None:
    pixels = (film() >> 4).astype(np.uint8)
    header = source(pixels, uid.JPEGBaseline8Bit)
    (capture,) = dicom_results(header, FOUND, MODEL, ONLY_SC)
    assert capture.LossyImageCompression == "01"
    (capture,) = dicom_results(source(pixels), FOUND, MODEL, ONLY_SC)
    assert "LossyImageCompression" not in capture


def test_pictures_of_some_outcomes_only() -> None:
    options = replace(ONLY_SC, pictures_of=frozenset({Outcome.FOUND}))
    assert dicom_results(source(), NOTHING, MODEL, options) == []
    assert dicom_results(source(), NotProcessed("is lateral"), MODEL, options) == []
    assert len(dicom_results(source(), FOUND, MODEL, options)) == 1


def test_an_image_whose_pixels_cannot_be_read_gets_a_picture_of_the_reason() -> None:
    header = source()
    header.PixelData = header.PixelData[:1000]
    (capture,) = dicom_results(header, NotProcessed("is truncated"), MODEL, ONLY_SC)
    assert not capture.pixel_array[:, :600].any()
    del header["PixelData"]
    assert len(dicom_results(header, NotProcessed("is truncated"), MODEL, ONLY_SC)) == 1
    with pytest.raises(UnreadableImageError, match="the image has no pixels"):
        dicom_results(header, FOUND, MODEL, ONLY_SC)


def test_a_heat_map_lies_where_the_maps_say(verify: Verify) -> None:
    options = ResultOptions(objects=frozenset({ResultObject.HEATMAP}))
    with pytest.raises(RibsightError, match="needs the maps"):
        dicom_results(source(), FOUND, MODEL, options)
    maps = np.zeros((2, 75, 75), np.float32)
    maps[1, 20, 30] = 0.9
    # Turned: x and y of stored pixels change places.
    heat = HeatMap(maps, Affine(1.0, 1.0, 0.0, 0.0, transposed=True), 300)
    captures = dicom_results(source(), FOUND, MODEL, options, heat=heat)
    verify(captures)
    picture = captures[0].pixel_array[:, :COLUMNS].astype(int)
    coloured = np.ptp(picture, axis=-1) > 40
    x0, y0, x1, y1 = extent(coloured)
    assert (x0 + x1) / 2 == pytest.approx(82, abs=1)
    assert (y0 + y1) / 2 == pytest.approx(122, abs=1)
