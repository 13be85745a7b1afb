"""Every combination of what 7,469 real headers say about showing an image, around a small film."""

import ast
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ribsight.radiographs import View, read_radiograph

WriteDicom = Callable[..., Path]

NUMBERS = ("Window Center", "Window Width", "Pixel Spacing", "Imager Pixel Spacing")
# Two headers that agree in these are read alike.
DECIDING = (
    "SOP Class UID", "Photometric Interpretation", "Presentation LUT Shape", "Pixel Representation",
    "Bits Allocated", "Bits Stored", "High Bit", "Rescale Slope", "Rescale Intercept",
    "Rescale Type", "Pixel Intensity Relationship", "Pixel Intensity Relationship Sign",
    "View Position", "Patient Orientation", "Field of View Horizontal Flip",
    "Field of View Rotation", "Collimator Shape", "Window Center & Width Explanation",
    "Number of Frames", "Samples per Pixel",
)  # fmt: skip
WRITTEN = {
    **{name: name.replace(" ", "").replace("of", "Of").replace("per", "Per") for name in DECIDING},
    "SOP Class UID": "SOPClassUID",
    "Presentation LUT Shape": "PresentationLUTShape",
    "Window Center & Width Explanation": "WindowCenterWidthExplanation",
    **{name: name.replace(" ", "") for name in NUMBERS},
    **{
        f"Collimator {edge}": f"Collimator{edge.replace(' ', '')}"
        for edge in ("Left Vertical Edge", "Right Vertical Edge", "Upper Horizontal Edge",
                     "Lower Horizontal Edge")
    },
}  # fmt: skip
VIEWS = {"PA": View.PA, "AP": View.AP, **dict.fromkeys(
    ("LL", "RL", "LATERAL", "LARGE LATERAL"), View.LATERAL)}  # fmt: skip
LATERAL_ORIENTATION = ("['A', 'F']", "['P', 'F']")


@pytest.fixture(scope="module")
def headers(dicom_data: Path) -> list[dict[str, str | None]]:
    """One real header of each combination, with how many images have it."""
    with gzip.open(dicom_data / "openi_dicom_headers.csv.gz") as stream:
        table = pl.read_csv(stream.read(), infer_schema_length=0)
    keys = [pl.col(one) for one in DECIDING]
    given = [pl.col(one).is_not_null().alias(f"has {one}") for one in (*NUMBERS, "LUT Descriptor")]
    groups = table.group_by(*keys, *given, maintain_order=True)
    first = groups.agg(
        *(
            pl.col(one).first().alias(f"first {one}")
            for one in table.columns
            if one not in DECIDING
        ),
        pl.len().alias("images"),
    )
    return [
        {name.removeprefix("first "): value for name, value in row.items()}
        for row in first.iter_rows(named=True)
    ]


def test_every_combination_of_real_headers_shows_the_film_bone_bright(
    headers: list[dict[str, str | None]], write_dicom: WriteDicom
) -> None:
    assert len(headers) > 40
    assert sum(int(str(one["images"])) for one in headers) == 7469
    bone = np.linspace(0.1, 0.6, 60 * 48).reshape(60, 48)
    bone[20:30, 10:40] = 0.9
    for header in headers:
        attributes = written(header)
        path = write_dicom(pixels=stored(bone, header, attributes), **attributes)
        radiograph = read_radiograph(path)
        shown = radiograph.pixels / 65535
        assert np.corrcoef(shown.ravel(), bone.ravel())[0, 1] > 0.99, header
        assert radiograph.view is expected_view(header), header
        assert (radiograph.pixel_spacing is None) == (
            not header["Pixel Spacing"] and not header["Imager Pixel Spacing"]
        )
        mirrored = header["Patient Orientation"] == "['R', 'F']"
        assert any("mirrored" in one for one in radiograph.warnings) == mirrored
        assert [one for one in radiograph.warnings if "absent" in one or "window" in one] == []


def written(header: dict[str, str | None]) -> dict[str, object]:
    """Return the header's attributes as pydicom takes them."""
    attributes: dict[str, object] = {}
    for column, keyword in WRITTEN.items():
        value = header[column]
        if value is not None:
            attributes[keyword] = ast.literal_eval(value) if value.startswith("[") else value
    for keyword in ("PixelRepresentation", "BitsAllocated", "BitsStored", "HighBit",
                    "SamplesPerPixel", "PixelIntensityRelationshipSign"):  # fmt: skip
        if keyword in attributes:
            attributes[keyword] = int(str(attributes[keyword]))
    if header["LUT Descriptor"]:
        length, first, bits = map(int, ast.literal_eval(header["LUT Descriptor"]))
        item = Dataset()
        item.add_new("LUTDescriptor", "US", [length, first, bits])
        entries = np.linspace(0, (1 << bits) - 1, length).astype(int)
        item.add_new("LUTData", "US", [int(one) for one in entries])
        attributes["VOILUTSequence"] = [item]
    return attributes


def stored(
    bone: NDArray[np.float64], header: dict[str, str | None], attributes: dict[str, Any]
) -> NDArray[np.uint16]:
    """Return the film as stored values inside the header's table or window."""
    bits = int(header["Bits Stored"] or 12)
    low, high = 0.0, float((1 << bits) - 1)
    if "VOILUTSequence" in attributes:
        length, first, _ = attributes["VOILUTSequence"][0].LUTDescriptor
        low, high = first, first + length - 1
    elif header["Window Center"]:
        center = float(np.atleast_1d(np.asarray(attributes["WindowCenter"], float))[0])
        width = float(np.atleast_1d(np.asarray(attributes["WindowWidth"], float))[0])
        low, high = center - width / 2, center + width / 2
    if header["Photometric Interpretation"] == "MONOCHROME1":
        bone = 1 - bone
    values: NDArray[np.uint16] = np.rint(low + bone * (high - low)).astype(np.uint16)
    return values


def expected_view(header: dict[str, str | None]) -> View | None:
    position, orientation = header["View Position"], header["Patient Orientation"]
    if position:
        return VIEWS[position]
    if orientation:
        return View.LATERAL if orientation in LATERAL_ORIENTATION else View.FRONTAL
    return None
