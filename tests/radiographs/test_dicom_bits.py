"""Where the values of a DICOM file lie in its words, and what comes after the window."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_presentation_lut, apply_voi_lut
from pydicom.uid import UID

from ribsight.radiographs import read_radiograph

WriteDicom = Callable[..., Path]

WINDOW = {"WindowCenter": 2000, "WindowWidth": 3000}
WORDS = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
)
DROPPED = "bits outside those stored are dropped: an overlay, or BitsStored is wrong"


def table(entries: NDArray[np.int64], bits: int = 16) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), 0, bits])
    item.add_new("LUTData", "US", [int(one) for one in entries])
    return item


@pytest.mark.parametrize("syntax", WORDS, ids=lambda one: UID(one).keyword)
def test_bits_may_lie_at_the_top_of_the_word(
    write_dicom: WriteDicom, film: NDArray[np.uint16], syntax: UID
) -> None:
    expected = read_radiograph(write_dicom("a.dcm", **WINDOW))
    high = read_radiograph(write_dicom("b.dcm", film << 4, syntax, HighBit=15, **WINDOW))
    assert np.array_equal(high.pixels, expected.pixels)
    assert high.warnings == ()


@pytest.mark.parametrize("syntax", WORDS, ids=lambda one: UID(one).keyword)
@pytest.mark.parametrize("signed", [False, True])
def test_an_overlay_in_unused_bits_is_no_picture_and_is_noted(
    write_dicom: WriteDicom, film: NDArray[np.uint16], syntax: UID, signed: bool
) -> None:
    window = {"WindowCenter": 2000 - 2048 * signed, "WindowWidth": 3000}
    words = (film.astype(np.int32) - 2048 * signed) & 0xFFF
    drawn = words.copy()
    drawn[::3, ::2] |= 0x8000
    representation = int(signed)
    plain = write_dicom("a.dcm", words.astype(np.uint16), PixelRepresentation=representation,
                        **window)  # fmt: skip
    overlaid = write_dicom(
        "b.dcm", drawn.astype(np.uint16), syntax, PixelRepresentation=representation, **window
    )
    expected = read_radiograph(write_dicom("c.dcm", **WINDOW))
    assert np.array_equal(read_radiograph(plain).pixels, expected.pixels)
    assert read_radiograph(plain).warnings == ()
    assert np.array_equal(read_radiograph(overlaid).pixels, expected.pixels)
    assert read_radiograph(overlaid).warnings == (DROPPED,)


def test_an_overlay_beside_the_pixels_is_no_picture(write_dicom: WriteDicom) -> None:
    plain = read_radiograph(write_dicom("a.dcm", **WINDOW))
    path = write_dicom("b.dcm", **WINDOW)
    dataset = dcmread(path)
    dataset.add_new(0x60000010, "US", 60)
    dataset.add_new(0x60000011, "US", 48)
    dataset.add_new(0x60000040, "CS", "G")
    dataset.add_new(0x60000050, "SS", [1, 1])
    dataset.add_new(0x60000100, "US", 1)
    dataset.add_new(0x60000102, "US", 0)
    dataset.add_new(0x60003000, "OW", b"\xff" * 360)
    dataset.save_as(path)
    assert np.array_equal(read_radiograph(path).pixels, plain.pixels)


def test_a_presentation_table_comes_after_the_window_as_pydicom_does_it(
    write_dicom: WriteDicom,
) -> None:
    entries = np.rint(65535 * np.linspace(0, 1, 4096) ** 1.8).astype(int)
    path = write_dicom(**WINDOW, PresentationLUTSequence=[table(entries)])
    dataset = dcmread(path)
    windowed = apply_voi_lut(dataset.pixel_array, dataset)
    windowed[0, 0], windowed[0, 1] = 0, 4095  # pydicom stretches what is there to the table
    expected = apply_presentation_lut(windowed, dataset).astype(int)
    radiograph = read_radiograph(path)
    step = np.abs(np.diff(entries)).max()  # pydicom cuts where we round
    difference = np.abs(radiograph.pixels.astype(int) - expected)
    difference[0, :2] = 0
    assert difference.max() <= step
    assert radiograph.provenance is not None
    assert radiograph.provenance.presentation == "lookup table"
    assert radiograph.warnings == ()


def test_a_presentation_table_and_polarity_invert_once(
    write_dicom: WriteDicom, film: NDArray[np.uint16]
) -> None:
    rising = np.rint(65535 * np.linspace(0, 1, 4096) ** 1.8).astype(int)
    expected = read_radiograph(write_dicom("a.dcm", **WINDOW,
                                           PresentationLUTSequence=[table(rising)]))  # fmt: skip
    negative = read_radiograph(
        write_dicom("b.dcm", 4095 - film, WindowCenter=4096 - 2000, WindowWidth=3000,
                    PhotometricInterpretation="MONOCHROME1",
                    PresentationLUTSequence=[table(rising[::-1])])
    )  # fmt: skip
    contradiction = read_radiograph(
        write_dicom("c.dcm", 4095 - film, WindowCenter=4096 - 2000, WindowWidth=3000,
                    PhotometricInterpretation="MONOCHROME1",
                    PresentationLUTSequence=[table(65535 - rising[::-1])])
    )  # fmt: skip
    step = np.diff(rising).max()
    for one in (negative, contradiction):
        assert np.abs(one.pixels.astype(int) - expected.pixels).max() <= step
        assert one.provenance is not None
        assert one.provenance.inverted
    assert negative.warnings == ()
    assert contradiction.warnings == (
        "PresentationLUTSequence contradicts a negative: inverted after it",
    )


def test_a_damaged_presentation_table_is_absent_with_a_warning(write_dicom: WriteDicom) -> None:
    item = table(np.arange(4096))
    item.LUTDescriptor = [60000, 0, 12]
    damaged = read_radiograph(write_dicom("a.dcm", **WINDOW, PresentationLUTSequence=[item]))
    assert np.array_equal(damaged.pixels, read_radiograph(write_dicom("b.dcm", **WINDOW)).pixels)
    assert damaged.warnings == ("PresentationLUTSequence is damaged and treated as absent",)


@pytest.mark.parametrize(
    "command",
    [("dcmconv", "+ti"), ("dcmconv", "+tb"), ("dcmcrle",), ("dcmcjpeg", "+e1"), ("dcmcjpeg", "+el"),
     ("dcmcjpls", "+el")],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("signed", [False, True])
def test_what_dcmtk_wrote_is_the_same_picture(
    write_dicom: WriteDicom, film: NDArray[np.uint16], command: tuple[str, ...], signed: bool
) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} of dcmtk is not installed")
    pixels = film.astype(np.int16) - 2048 if signed else film
    window = {"WindowCenter": 2000 - 2048 * signed, "WindowWidth": 3000}
    path = write_dicom("a.dcm", pixels, PhotometricInterpretation="MONOCHROME1", **window)
    subprocess.run([*command, path, path.with_name("b.dcm")], check=True)
    again = read_radiograph(path.with_name("b.dcm"))
    assert np.array_equal(again.pixels, read_radiograph(path).pixels)
    assert again.provenance != read_radiograph(path).provenance
