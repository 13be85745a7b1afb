"""DICOM files made on the spot, and real ones: pixels, polarity, and what their headers say."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_windowing
from pydicom.uid import UID

from ribsight.radiographs import UnreadableImageError, View, image_files, image_id, read_radiograph

WriteDicom = Callable[..., Path]

LOSSLESS = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
)


def table(first: int, entries: NDArray[Any], bits: int = 16, kind: str = "US") -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "US", [int(one) for one in entries])
    item.ModalityLUTType = kind
    return item


GAMMA = (65535 * np.linspace(0, 1, 3000) ** 1.5).astype(np.uint16)
# Each way of looking, for a film and for its negative: 4095 - stored, so entries run backwards.
LOOKS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "nothing": ({}, {}),
    "window": (
        {"WindowCenter": 2000, "WindowWidth": 3000},
        {"WindowCenter": 4096 - 2000, "WindowWidth": 3000},
    ),
    "window exact": (
        {"WindowCenter": 2000, "WindowWidth": 3000, "VOILUTFunction": "LINEAR_EXACT"},
        {"WindowCenter": 4095 - 2000, "WindowWidth": 3000, "VOILUTFunction": "LINEAR_EXACT"},
    ),
    "sigmoid": (
        {"WindowCenter": 2000, "WindowWidth": 3000, "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": 4095 - 2000, "WindowWidth": 3000, "VOILUTFunction": "SIGMOID"},
    ),
    "table": (
        {"VOILUTSequence": [table(500, GAMMA)]},
        {"VOILUTSequence": [table(4095 - 500 - 2999, 65535 - GAMMA[::-1])]},
    ),
}


@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda one: UID(one).keyword)
@pytest.mark.parametrize("look", LOOKS)
def test_a_film_and_its_negative_are_the_same_in_every_encoding(
    write_dicom: WriteDicom, film: NDArray[np.uint16], syntax: UID, look: str
) -> None:
    as_film, as_negative = LOOKS[look]
    expected = read_radiograph(write_dicom("plain.dcm", **as_film))
    same = read_radiograph(write_dicom(syntax=syntax, **as_film))
    negative = read_radiograph(
        write_dicom(
            pixels=4095 - film,
            syntax=syntax,
            PhotometricInterpretation="MONOCHROME1",
            PresentationLUTShape="INVERSE",
            **as_negative,
        )
    )
    assert np.array_equal(same.pixels, expected.pixels)
    assert np.array_equal(negative.pixels, expected.pixels)
    assert (same.provenance and same.provenance.inverted) is False
    assert (negative.provenance and negative.provenance.inverted) is True
    assert same.warnings == negative.warnings == ()


def test_the_same_window_as_table_and_as_window_is_the_same_picture(
    write_dicom: WriteDicom,
) -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 3001}
    entries = np.rint(65535 * np.arange(3001) / 3000).astype(int)
    as_window = read_radiograph(write_dicom("a.dcm", **window)).pixels
    as_table = read_radiograph(write_dicom("b.dcm", VOILUTSequence=[table(500, entries)])).pixels
    wrong = {"WindowCenter": 100, "WindowWidth": 5, "VOILUTSequence": [table(500, entries)]}
    assert as_window.max() > 60000
    assert np.abs(as_window.astype(int) - as_table.astype(int)).max() <= 65535 * 0.5 / 3000 + 1
    assert np.array_equal(read_radiograph(write_dicom("c.dcm", **wrong)).pixels, as_table)


@pytest.mark.parametrize(
    ("syntax", "bits"), [(uid.JPEGExtended12Bit, 12), (uid.JPEGBaseline8Bit, 8)]
)
def test_lossy_jpeg_is_as_close_as_its_quality(
    write_dicom: WriteDicom, film: NDArray[np.uint16], syntax: UID, bits: int
) -> None:
    pixels = film if bits == 12 else (film >> 4).astype(np.uint8)
    window = {"WindowCenter": 1 << (bits - 1), "WindowWidth": 1 << bits}
    plain = read_radiograph(write_dicom("a.dcm", pixels, **window)).pixels.astype(int)
    lossy = read_radiograph(write_dicom("b.dcm", pixels, syntax, **window)).pixels.astype(int)
    assert np.abs(plain - lossy).mean() < 65535 * 0.005


def test_signed_values_are_the_same_picture_in_jpeg_lossless(
    write_dicom: WriteDicom, film: NDArray[np.uint16]
) -> None:
    signed = film.astype(np.int16) - 2048
    window = {"WindowCenter": -48, "WindowWidth": 3000}
    plain = read_radiograph(write_dicom("a.dcm", signed, **window)).pixels
    as_unsigned = read_radiograph(write_dicom("b.dcm", WindowCenter=2000, WindowWidth=3000)).pixels
    words = (signed & 0xFFF).astype(np.uint16)
    coded = write_dicom("c.dcm", words, uid.JPEGLosslessSV1, PixelRepresentation=1, **window)
    assert np.array_equal(plain, as_unsigned)
    assert np.array_equal(read_radiograph(coded).pixels, as_unsigned)


ORACLE_CASES: dict[str, dict[str, object]] = {
    "linear": {"WindowCenter": 2000, "WindowWidth": 3000},
    "linear exact": {"WindowCenter": 2000, "WindowWidth": 900, "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"WindowCenter": 1500, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"},
    "several windows": {"WindowCenter": [2000, 1000], "WindowWidth": [3000, 20]},
    "table before window": {
        "VOILUTSequence": [table(500, GAMMA)],
        "WindowCenter": 2000,
        "WindowWidth": 3000,
    },
    "modality table": {
        "ModalityLUTSequence": [table(0, (np.arange(4096) ** 1.1).astype(int))],
        "WindowCenter": 4000,
        "WindowWidth": 6000,
    },
}


@pytest.mark.parametrize("case", ORACLE_CASES)
@pytest.mark.parametrize(
    ("photometric", "shape"),
    [("MONOCHROME1", None), ("MONOCHROME1", "INVERSE"), ("MONOCHROME2", None),
     ("MONOCHROME2", "IDENTITY")],
)  # fmt: skip
def test_presentation_is_what_highdicom_computes(
    write_dicom: WriteDicom, case: str, photometric: str, shape: str | None
) -> None:
    path = write_dicom(
        PhotometricInterpretation=photometric, PresentationLUTShape=shape, **ORACLE_CASES[case]
    )
    expected = highdicom.imread(path).get_frame(
        1, apply_voi_transform=True, apply_presentation_lut=True, voi_output_range=(0.0, 1.0)
    )
    pixels = read_radiograph(path).pixels
    np.testing.assert_allclose(pixels / 65535, expected, rtol=0, atol=0.51 / 65535)


def test_rescale_comes_before_the_window_as_pydicom_does_it(write_dicom: WriteDicom) -> None:
    path = write_dicom(
        RescaleSlope="0.5", RescaleIntercept="-100", WindowCenter=900, WindowWidth=1500
    )
    dataset = pydicom.dcmread(path)
    expected = apply_windowing(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    expected = (expected + 100) / (0.5 * 4095)
    radiograph = read_radiograph(path)
    np.testing.assert_allclose(radiograph.pixels / 65535, expected, rtol=0, atol=0.51 / 65535)
    assert radiograph.provenance
    assert radiograph.provenance.modality == "rescale"


def test_a_relative_log_exposure_is_not_rescaled(write_dicom: WriteDicom) -> None:
    window = {"WindowCenter": 2000, "WindowWidth": 3000}
    plain = read_radiograph(write_dicom("a.dcm", **window))
    log = write_dicom(
        "b.dcm", RescaleSlope=1, RescaleIntercept=-900, RescaleType="LOG_E REL", **window
    )
    assert np.array_equal(read_radiograph(log).pixels, plain.pixels)


@pytest.mark.parametrize(
    "absent",
    [
        {"WindowCenter": "", "WindowWidth": ""},
        {"WindowCenter": 2000, "WindowWidth": 0},
        {"WindowCenter": 2000},
        {"WindowCenter": ["", "2000"], "WindowWidth": ["", "0"]},
    ],
)
def test_windows_that_are_blank_or_zero_wide_are_absent_with_a_warning(
    write_dicom: WriteDicom, absent: dict[str, object]
) -> None:
    without = read_radiograph(write_dicom("a.dcm"))
    radiograph = read_radiograph(write_dicom("b.dcm", **absent))
    assert np.array_equal(radiograph.pixels, without.pixels)
    assert radiograph.provenance
    assert radiograph.provenance.window == "percentiles"
    (warning,) = radiograph.warnings
    assert "treated as absent" in warning


def test_a_window_that_shows_nothing_gives_way_to_the_next(write_dicom: WriteDicom) -> None:
    path = write_dicom(WindowCenter=[9000, 2000], WindowWidth=[10, 3000])
    radiograph = read_radiograph(path)
    assert radiograph.provenance
    assert radiograph.provenance.window == "linear 2000/3000"
    assert radiograph.warnings == (
        "the window (linear 9000/10) leaves nothing to see and is not used",
    )


def test_a_contradiction_of_polarity_inverts_once_and_is_noted(write_dicom: WriteDicom) -> None:
    plain = read_radiograph(write_dicom("a.dcm")).pixels
    odd = read_radiograph(write_dicom("b.dcm", PresentationLUTShape="INVERSE"))
    assert np.array_equal(odd.pixels, 65535 - plain)
    assert "contradicts" in odd.warnings[0]


@pytest.mark.parametrize(("sign", "bone_is_bright"), [(1, False), (-1, True)])
@pytest.mark.parametrize("relationship", ["LIN", "LOG"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_detectors_own_values_show_bone_bright_by_their_sign(
    write_dicom: WriteDicom,
    film: NDArray[np.uint16],
    sign: int,
    bone_is_bright: bool,
    relationship: str,
    photometric: str,
) -> None:
    path = write_dicom(
        pixels=film if bone_is_bright else 4095 - film,
        SOPClassUID=uid.DigitalXRayImageStorageForProcessing,
        PixelIntensityRelationship=relationship,
        PixelIntensityRelationshipSign=sign,
        PhotometricInterpretation=photometric,
    )
    pixels = read_radiograph(path).pixels
    assert pixels[25, 25] == 65535
    assert pixels[0].mean() < 20000


def test_padding_is_black_and_does_not_count(
    write_dicom: WriteDicom, film: NDArray[np.uint16]
) -> None:
    padded = film.copy()
    padded[:8] = 4095
    path = write_dicom(
        pixels=padded, PixelPaddingValue=4095, PixelPaddingRangeLimit=4090,
        PhotometricInterpretation="MONOCHROME2",
    )  # fmt: skip
    pixels = read_radiograph(path).pixels
    assert not pixels[:8].any()
    assert pixels[25, 25] == 65535


def test_overlay_bits_above_those_stored_are_no_picture(
    write_dicom: WriteDicom, film: NDArray[np.uint16]
) -> None:
    plain = read_radiograph(write_dicom("a.dcm")).pixels
    drawn = film.copy()
    drawn[::3] |= 0x8000
    assert np.array_equal(read_radiograph(write_dicom("b.dcm", drawn)).pixels, plain)


def test_8_bits_made_for_looking_at_keep_their_whole_range(
    write_dicom: WriteDicom, film: NDArray[np.uint16]
) -> None:
    pixels = (film >> 4).astype(np.uint8)
    path = write_dicom(pixels=pixels, SOPClassUID=uid.SecondaryCaptureImageStorage)
    assert np.array_equal(read_radiograph(path).pixels, pixels.astype(int) * 257)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colour_becomes_the_luminance_that_pillow_computes(
    write_dicom: WriteDicom, tmp_path: Path, photometric: str
) -> None:
    colour = np.random.default_rng(1).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    picture = Image.fromarray(colour)
    if photometric != "RGB":
        colour = np.asarray(picture.convert("YCbCr"))
    path = write_dicom(
        pixels=colour, SOPClassUID=uid.SecondaryCaptureImageStorage, SamplesPerPixel=3,
        PlanarConfiguration=0, PhotometricInterpretation=photometric,
    )  # fmt: skip
    radiograph = read_radiograph(path)
    expected = np.asarray(picture.convert("L")).astype(int) * 257
    tolerance = 0 if photometric == "RGB" else 2 * 257
    assert np.abs(radiograph.pixels - expected).max() <= tolerance
    assert radiograph.warnings == ("colour became luminance",)


@pytest.mark.parametrize(
    ("attributes", "spacing", "source"),
    [
        (
            {"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [1, 1]},
            (0.2, 0.1),
            "PixelSpacing",
        ),
        ({"ImagerPixelSpacing": [0.15, 0.15]}, (0.15, 0.15), "ImagerPixelSpacing"),
        ({}, None, None),
    ],
)
def test_spacing_comes_with_its_source(
    write_dicom: WriteDicom,
    attributes: dict[str, object],
    spacing: tuple[float, float] | None,
    source: str | None,
) -> None:
    radiograph = read_radiograph(write_dicom(**attributes))
    assert radiograph.pixel_spacing == spacing
    assert radiograph.provenance
    assert radiograph.provenance.spacing_source == source
    assert radiograph.warnings == ()


def test_a_spacing_of_zero_is_absent_with_a_warning(write_dicom: WriteDicom) -> None:
    path = write_dicom(PixelSpacing=["0.000", "0.000"], ImagerPixelSpacing=[0.15, 0.15])
    radiograph = read_radiograph(path)
    assert radiograph.pixel_spacing == (0.15, 0.15)
    assert radiograph.warnings == ("PixelSpacing is impossible and treated as absent",)


def test_identifiers_are_read_and_never_shown(
    write_dicom: WriteDicom, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    path = write_dicom(
        PatientID="SECRET-1",
        AccessionNumber="SECRET-2",
        StudyDate="20240229",
        SpecificCharacterSet="ISO_IR 6",
    )
    # A character set that is none: pydicom warns of it and logs it, with what stands there.
    broken = path.with_name("b.dcm")
    broken.write_bytes(path.read_bytes().replace(b"ISO_IR 6", b"SECRET-3"))
    with caplog.at_level(logging.DEBUG):
        radiograph = read_radiograph(path)
        read_radiograph(broken)
    assert radiograph.identifiers.patient_id == "SECRET-1"
    assert radiograph.identifiers.accession_number == "SECRET-2"
    assert radiograph.identifiers.study_date == "20240229"
    assert radiograph.identifiers.study_uid == "2.25.1"
    assert radiograph.identifiers.sop_instance_uid == "2.25.3"
    assert "SECRET" not in f"{radiograph} {radiograph.identifiers} {caplog.text}"
    assert not recwarn.list


def test_files_are_told_apart_by_content(write_dicom: WriteDicom, tmp_path: Path) -> None:
    named_png = write_dicom("a.png")
    assert read_radiograph(named_png).bits == 16
    Image.new("L", (48, 40)).save(tmp_path / "b.dcm", format="PNG")
    assert read_radiograph(tmp_path / "b.dcm").bits == 8


def test_dicom_files_are_found_without_an_ending(write_dicom: WriteDicom, tmp_path: Path) -> None:
    names = ["1.2.840.1", "IM0001", "a.DCM", "b.dicom", "c.dat"]
    for name in names:
        write_dicom(name)
    write_dicom("DICOMDIR")
    (tmp_path / "note.txt").write_text("a note")
    (tmp_path / "1.2.840.2").write_bytes(b"too short")
    found = image_files(tmp_path)
    assert [path.name for path in found] == names
    assert [image_id(path) for path in found] == ["1.2.840.1", "IM0001", "a", "b", "c.dat"]


def test_the_real_files_are_upright_with_bone_bright(dicom_data: Path) -> None:
    chest = [read_radiograph(dicom_data / f"RG1_CR_CHEST_PA_{one}.dcm") for one in ("j2ki", "jlsn")]
    for radiograph in chest:
        pixels = radiograph.pixels.astype(float)
        assert pixels.shape == (1955, 1841)
        # Spine over lungs, and the abdomen below both.
        assert pixels[800, 920] > pixels[800, 550] + 5000
        assert pixels[1700:1800].mean() > pixels[700:800].mean()
        # The heart is on the patient's left, the picture's right.
        assert pixels[1250, 1200] > pixels[1250, 680] + 5000
        assert radiograph.view is View.PA
        assert radiograph.pixel_spacing is None
        assert radiograph.warnings == ("PixelSpacing is impossible and treated as absent",)
    difference = np.abs(chest[0].pixels.astype(int) - chest[1].pixels.astype(int))
    assert difference.mean() < 0.005 * 65535


def test_the_real_files_decode_as_simpleitk_decodes_them(dicom_data: Path) -> None:
    hips = {one: dicom_data / f"RG2_CR_HIP_{one}.dcm" for one in ("rle", "j2kr", "jpll")}
    pictures = {one: read_radiograph(path).pixels for one, path in hips.items()}
    stored = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(hips["rle"])))[0]
    expected = np.rint(((stored - 510.5) / 1023 + 0.5).clip(0, 1) * 65535)
    for pixels in pictures.values():
        assert np.array_equal(pixels, expected)
    femur, air = pictures["rle"][850, 870], pictures["rle"][1800, 700]
    assert femur > 2 * air


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        (
            {"SOPClassUID": uid.CTImageStorage},
            "is no radiograph but a DICOM CT Image Storage object",
        ),
        ({"SOPClassUID": "1.2.3"}, "is no radiograph but a DICOM object of another kind"),
        ({"NumberOfFrames": 3}, "has 3 frames"),
        ({"Rows": 65535, "Columns": 65535}, "claims 65535 x 65535 pixels, more than 80 megapixels"),
        ({"Rows": 8}, "at least 32 on each side"),
        ({"Rows": None}, "has no usable Rows"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "samples of 32 bits"),
        ({"HighBit": 8}, "HighBit 8"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "PhotometricInterpretation"),
        ({"Rows": 70}, "is a damaged DICOM file"),
    ],
)
def test_what_is_no_single_radiograph_is_refused_in_one_sentence(
    write_dicom: WriteDicom, attributes: dict[str, object], sentence: str
) -> None:
    path = write_dicom(**attributes)
    with pytest.raises(UnreadableImageError, match=sentence) as caught:
        read_radiograph(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.RLELossless]
)
@pytest.mark.parametrize("change", [{"Rows": 8000, "Columns": 9000}, {"Rows": 48, "Columns": 60}])
def test_a_compressed_image_of_another_size_than_the_header_is_refused(
    write_dicom: WriteDicom, syntax: UID, change: dict[str, int]
) -> None:
    path = write_dicom(syntax=syntax)
    dataset = pydicom.dcmread(path)
    dataset.Rows, dataset.Columns = change["Rows"], change["Columns"]
    dataset.save_as(path)
    if syntax == uid.RLELossless and change["Rows"] == 48:
        return  # its segments do not say which side is which
    with pytest.raises(
        UnreadableImageError, match=r"of another size than its header|is a damaged DICOM"
    ):
        read_radiograph(path)


def test_a_deflated_file_is_refused_before_it_is_inflated(write_dicom: WriteDicom) -> None:
    path = write_dicom(syntax=uid.DeflatedExplicitVRLittleEndian)
    content = path.read_bytes()
    path.write_bytes(content[:400] + b"\xff" * 100)  # inflating would fail
    with pytest.raises(UnreadableImageError, match="is a deflated DICOM file"):
        read_radiograph(path)


def test_deep_nesting_is_refused(write_dicom: WriteDicom) -> None:
    content = write_dicom().read_bytes()
    # RequestAttributesSequence of undefined length, with an item of undefined length, and again.
    deeper = b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    path = write_dicom("b.dcm")
    path.write_bytes(content[: content.index(b"\xe0\x7f\x10\x00")] + 20_000 * deeper)
    with pytest.raises(UnreadableImageError, match="RecursionError"):
        read_radiograph(path)
