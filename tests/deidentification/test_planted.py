"""Identifiers planted everywhere a DICOM file has room for them; nothing of them comes out."""

import io
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import uid
from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID

from ribsight.deidentification.one_file import deidentify
from ribsight.deidentification.subject import Policy
from ribsight.radiographs import read_radiograph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
MakeFilm = Callable[..., bytes]

WORD = "QXZPHI7"
# A value of each kind, that no rule could let through for being of a known form or size.
PLANTED: dict[str, Any] = {
    "AE": f"{WORD}AE", "AS": "987D", "CS": f"{WORD}CS", "DA": "19010203",
    "DS": "31415926535.7", "DT": "19010203044321.987", "IS": "2071828182",
    "LO": f"{WORD}LO", "LT": f"{WORD}LT", "PN": f"{WORD}^PN", "SH": f"{WORD}SH",
    "ST": f"{WORD}ST", "TM": "054321.987", "UC": f"{WORD}UC", "UI": "1.2.77777.55555.3",
    "UR": f"http://{WORD}.example/UR", "UT": f"{WORD}UT",
    "OB": f"{WORD}-OB!".encode(), "OW": f"{WORD}-OW!".encode(), "OD": f"{WORD}--OD--!!".encode(),
    "OF": f"{WORD}-OF--!".encode(), "OL": f"{WORD}-OL--!".encode(),
    "OV": f"{WORD}--OV--!!".encode(), "UN": f"{WORD}-UN!".encode(),
    "FD": -7.77777777e77, "FL": -7.25e33, "UL": 0xCAFEBABE, "SL": -1234567891,
    "UV": 0xCAFEBABEDEADBEEF, "SV": -1234567891234567891,
}  # fmt: skip
SOUGHT = [
    WORD.encode(), WORD.encode("utf-16-le"), WORD.encode("utf-16-be"), WORD.lower().encode(),
    b"987D", b"19010203", b"31415926535", b"2071828182", b"4321.987", b"77777.55555",
    struct.pack("<d", -7.77777777e77), struct.pack("<f", -7.25e33), struct.pack("<I", 0xCAFEBABE),
    struct.pack("<i", -1234567891), struct.pack("<Q", 0xCAFEBABEDEADBEEF),
    struct.pack("<q", -1234567891234567891),
]  # fmt: skip
# Without these there is no film to read.
NEEDED = frozenset(
    {"SOPClassUID", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation",
     "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "NumberOfFrames",
     "PixelData", "FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable",
     "ExtendedOffsetTableLengths", "PresentationLUTShape", "SpecificCharacterSet",
     "PixelPaddingValue"}
)  # fmt: skip


def element(tag: int, representation: str) -> DataElement | None:
    """Return a planted element, None of kinds that only hold numbers too short to be found."""
    if representation == "SQ":
        item = Dataset()
        item.add(DataElement(0x00100010, "PN", PLANTED["PN"]))
        item.add(DataElement(0x00080104, "LO", PLANTED["LO"]))
        item.add(DataElement(0x00080100, "SH", PLANTED["SH"]))
        item.add(DataElement(0x00081155, "UI", PLANTED["UI"]))
        inner = Dataset()
        inner.add(DataElement(0x00204000, "LT", PLANTED["LT"]))
        item.add(DataElement(0x00081140, "SQ", [inner]))
        item.add(DataElement(0x00540222, "SQ", [inner]))
        return DataElement(tag, "SQ", [item])
    first = representation.split(" ")[0]
    value = PLANTED.get(first)
    return None if value is None else DataElement(tag, first, value)


def plant_everything(dataset: Dataset) -> None:
    """Put a planted value into every attribute of the dictionary, and where no dictionary looks."""
    for tag, (representation, _, _, _, keyword) in DicomDictionary.items():
        if tag >> 16 < 8 or keyword in NEEDED or tag >> 16 in (0xFFFA, 0xFFFC, 0xFFFE):
            continue
        planted = element(tag, representation)
        if planted is not None:
            dataset.add(planted)
    for group in (0x0009, 0x0029, 0x7FE1):
        dataset.private_block(group, f"{WORD} CREATOR", create=True)
        for offset, representation in enumerate(sorted(PLANTED), start=0x1000):
            dataset.add(DataElement(group << 16 | offset, representation, PLANTED[representation]))
        dataset.add(DataElement(group << 16 | 0x10F0, "SQ", [Dataset()]))
    for group in (0x6000, 0x601E):
        dataset.add(DataElement(group << 16 | 0x0022, "LO", PLANTED["LO"]))
        dataset.add(DataElement(group << 16 | 0x3000, "OW", PLANTED["OW"]))
        dataset.add(DataElement(group << 16 | 0x4000, "LT", PLANTED["LT"]))
    for group in (0x5000, 0x501E):
        dataset.add(DataElement(group << 16 | 0x0040, "SH", PLANTED["SH"]))
        dataset.add(DataElement(group << 16 | 0x3000, "OW", PLANTED["OW"]))
    dataset.add(DataElement(0xFFFCFFFC, "OB", PLANTED["OB"]))
    dataset.file_meta.SourceApplicationEntityTitle = PLANTED["AE"]
    dataset.file_meta.ImplementationVersionName = PLANTED["SH"]
    dataset.file_meta.ImplementationClassUID = PLANTED["UI"]
    dataset.file_meta.PrivateInformationCreatorUID = PLANTED["UI"]
    dataset.file_meta.PrivateInformation = PLANTED["OB"]


def surrounded(content: bytes) -> bytes:
    """Return a file with a planted preamble, and planted bytes after its end."""
    preamble = (WORD.encode() * 19)[:128]
    return preamble + content[128:] + f"{WORD} after the end ".encode() * 2


def found_in(content: bytes) -> list[bytes]:
    return [sought for sought in SOUGHT if sought in content]


def test_every_attribute_of_the_dictionary(make_film: MakeFilm, policy: Policy) -> None:
    content = surrounded(make_film(change=plant_everything))
    assert len(found_in(content)) >= len(SOUGHT) - 3  # utf-16 and small letters are not planted
    clean = deidentify(content, policy)
    assert found_in(clean.content) == []
    assert clean.content[:128] == bytes(128)
    assert found_in(repr(clean).encode()) == []


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_every_attribute_in_other_encodings(
    make_film: MakeFilm, policy: Policy, syntax: UID
) -> None:
    clean = deidentify(surrounded(make_film(change=plant_everything, syntax=syntax)), policy)
    assert found_in(clean.content) == []


@pytest.mark.parametrize("representation", ["LO", "LT", "PN", "UT", "SH", "OB", "UN"])
def test_known_attributes_of_a_wrong_kind(
    make_film: MakeFilm, policy: Policy, representation: str
) -> None:
    # pydicom turns UN into what it knows while writing: it is put in its place in the bytes.
    written = "OB" if representation == "UN" else representation
    value = PLANTED[written]

    def change(dataset: Dataset) -> None:
        for tag, (usual, _, _, _, keyword) in DicomDictionary.items():
            is_kept = keyword not in NEEDED | {"SOPInstanceUID", "StudyInstanceUID"}
            if 8 <= tag >> 16 < 0x50 and is_kept and usual != "SQ":
                dataset.add(DataElement(tag, written, value))

    content = make_film(change=change)
    if representation == "UN":
        content = content.replace(b"OB\0\0\x0c\0\0\0", b"UN\0\0\x0c\0\0\0")
    assert found_in(deidentify(content, policy).content) == []


NAME = "Ηλεκτρα^Zürich"
ENCODINGS = ["utf-8", "utf-16-le", "utf-16-be", "iso8859-7", "latin-1", "gb18030"]


@pytest.mark.parametrize("character_set", ["ISO_IR 192", "ISO_IR 126", "GB18030"])
def test_other_alphabets(make_film: MakeFilm, policy: Policy, character_set: str) -> None:
    name = NAME.replace("ü", "u") if character_set == "ISO_IR 126" else NAME

    def change(dataset: Dataset) -> None:
        dataset.SpecificCharacterSet = character_set
        for keyword in ("PatientName", "PatientComments", "StudyDescription", "InstitutionName"):
            setattr(dataset, keyword, name)

    clean = deidentify(make_film(change=change), policy).content
    for part in ("Ηλεκτρα", "Zürich", "Zurich"):
        for encoding in ENCODINGS:
            assert part.encode(encoding, "ignore") not in clean or not part.encode(
                encoding, "ignore"
            )


def _jpeg_with(frame: bytes) -> bytes:
    comment = f"{WORD} comment".encode()
    segments = b"".join(
        b"\xff" + bytes([kind]) + struct.pack(">H", 2 + len(comment)) + comment
        for kind in (0xFE, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF)
    )
    return frame[:2] + segments + frame[2:] + WORD.encode() * 3


def _jpeg_2000_with(frame: bytes) -> bytes:
    text = f"{WORD} comment".encode()
    comment = b"\xff\x64" + struct.pack(">HH", 4 + len(text), 1) + text
    main = frame.index(b"\xff\x90")  # before the first tile-part
    size = struct.unpack_from(">I", frame, main + 6)[0]
    tile = bytearray(frame[main:])
    if size:
        struct.pack_into(">I", tile, 6, size + len(comment))
    return frame[:main] + comment + bytes(tile[:12]) + comment + bytes(tile[12:]) + WORD.encode()


def _in_boxes(frame: bytes) -> bytes:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    rows, columns = struct.unpack_from(">II", frame, 8)[::-1]
    header = box(b"ihdr", struct.pack(">IIHBBBB", rows, columns, 1, 11, 7, 0, 0))
    signature = box(b"jP  ", b"\r\n\x87\n")
    return (
        signature
        + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        + box(b"jp2h", header + box(b"colr", struct.pack(">BBBI", 1, 0, 0, 17)))
        + box(b"xml ", WORD.encode())
        + box(b"jp2c", frame)
        + box(b"uuid", WORD.encode() * 4)
    )


JPEGS = (uid.JPEGLosslessSV1, uid.JPEGExtended12Bit, uid.JPEGLSLossless)


def _replaced(content: bytes, change: Callable[[bytes], bytes], padding: bytes = b"") -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    changed = change(frame) + padding
    dataset.PixelData = encapsulate([changed])
    dataset["PixelData"].is_undefined_length = True
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("syntax", "change"),
    [
        *((syntax, _jpeg_with) for syntax in JPEGS),
        (uid.JPEG2000Lossless, _jpeg_2000_with),
        (uid.JPEG2000Lossless, lambda frame: _in_boxes(_jpeg_2000_with(frame))),
        (uid.RLELossless, lambda frame: frame + WORD.encode() * 2),
    ],
)
def test_comments_and_ends_of_compressed_images(
    make_film: MakeFilm,
    policy: Policy,
    tmp_path: Path,
    syntax: UID,
    change: Callable[[bytes], bytes],
) -> None:
    content = _replaced(make_film(syntax=syntax), change)
    assert WORD.encode() in content
    clean = deidentify(content, policy).content
    assert found_in(clean) == []
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    before.write_bytes(make_film(syntax=syntax))
    after.write_bytes(clean)
    assert np.array_equal(read_radiograph(before).pixels, read_radiograph(after).pixels)
    assert pydicom.dcmread(after).file_meta.TransferSyntaxUID == syntax


def test_bits_above_those_stored_and_bytes_after_the_samples(
    make_film: MakeFilm, film: NDArray[np.uint16], policy: Policy
) -> None:
    overlay = np.zeros_like(film)
    overlay[10:20, 10:60] = 0xA000

    def change(dataset: Dataset) -> None:
        dataset.PixelData = (film | overlay).tobytes() + WORD.encode() + b"!"

    clean = deidentify(make_film(change=change), policy).content
    assert found_in(clean) == []
    samples = np.frombuffer(pydicom.dcmread(io.BytesIO(clean)).PixelData, "<u2")
    assert np.array_equal(samples.reshape(film.shape), film)


def test_overlay_bits_of_a_compressed_image(
    make_film: MakeFilm, film: NDArray[np.uint16], policy: Policy
) -> None:
    def change(dataset: Dataset) -> None:
        frame = imagecodecs.jpeg8_encode(
            film | np.uint16(0xA000), lossless=True, predictor=1, bitspersample=16
        )
        dataset.file_meta.TransferSyntaxUID = uid.JPEGLosslessSV1
        dataset.PixelData = encapsulate([bytes(frame)])
        dataset["PixelData"].is_undefined_length = True
        dataset["PixelData"].VR = "OB"

    clean = deidentify(make_film(change=change), policy)
    dataset = pydicom.dcmread(io.BytesIO(clean.content))
    samples = np.frombuffer(dataset.PixelData, "<u2").reshape(film.shape)
    assert np.array_equal(samples, film)
    assert clean.remarks == (
        "held more than its image in its samples: written uncompressed, without it",
    )


def _walk(dataset: Dataset) -> Iterator[DataElement]:
    for one in dataset:
        yield one
        if one.VR == "SQ":
            for item in one.value:
                yield from _walk(item)


TEXTS = st.text(
    st.characters(codec="ascii", categories=("Lu", "Ll", "Nd", "Zs", "Po")), min_size=6, max_size=16
)


@settings(max_examples=60)
@given(values=st.dictionaries(st.sampled_from(sorted(DicomDictionary)), TEXTS, max_size=25))
def test_random_datasets(make_film: MakeFilm, policy: Policy, values: dict[int, str]) -> None:
    planted: list[str] = []

    def change(dataset: Dataset) -> None:
        for number, (tag, text) in enumerate(values.items()):
            representation = DicomDictionary[tag][0]
            if keyword_for_tag(tag) in NEEDED or tag >> 16 < 8:
                continue
            if representation in ("LO", "SH", "LT", "ST", "UT", "UC", "PN", "CS", "AE"):
                word = f"zq{number}{text.strip()}"[:16]
                planted.append(word)
                dataset.add(DataElement(tag, representation, word))

    clean = deidentify(make_film(change=change), policy).content
    elements = _walk(pydicom.dcmread(io.BytesIO(clean)))
    written = [str(one.value) for one in elements if one.VR != "SQ"]
    for word in planted:
        assert not any(word in value for value in written)


def test_the_command_says_and_writes_nothing_of_them(
    make_film: MakeFilm, film: NDArray[np.uint16], tmp_path: Path
) -> None:
    source = tmp_path / "in" / f"{WORD} folder"
    source.mkdir(parents=True)
    for number, syntax in enumerate(
        (uid.ExplicitVRLittleEndian, uid.JPEGLosslessSV1, uid.JPEG2000Lossless, uid.RLELossless)
    ):

        def change(dataset: Dataset, number: int = number) -> None:
            plant_everything(dataset)
            dataset.SOPInstanceUID = f"{PLANTED['UI']}.{number}"

        content = make_film(change=change, syntax=syntax)
        (source / f"{WORD}_{number}.dcm").write_bytes(surrounded(content))
    broken: dict[str, Any] = {
        "no_dicom": WORD.encode() * 100,
        "kind": make_film(SOPClassUID=str(PLANTED["UI"]), change=plant_everything),
        "encoding": make_film(change=plant_everything).replace(
            b"1.2.840.10008.1.2.1\0", b"1.2.77777.55555.3\0\0\0"
        ),
        "cut": make_film(change=plant_everything)[:9000],
        "report": make_film(
            BurnedInAnnotation="YES", PatientID=WORD, SOPInstanceUID="1.2.77777.55555.9"
        ),
        "photometric": make_film(PhotometricInterpretation=str(PLANTED["CS"])),
    }
    for name, content in broken.items():
        (source / f"{WORD}_{name}").write_bytes(content)
    arguments = ["deidentify", str(source), "--out", "out", "--key", "key", "--new-key"]
    done = subprocess.run(
        [sys.executable, "-m", "ribsight.cli.main", *arguments],
        capture_output=True,
        cwd=tmp_path,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    files = sorted(path for path in out.rglob("*") if path.is_file())
    assert len([path for path in files if path.suffix == ".dcm"]) == 5
    names = [str(path.relative_to(out)).encode() for path in files]
    everything = [done.stdout, done.stderr, *names]
    everything += [path.read_bytes() for path in files]
    for content in everything:
        assert found_in(content) == []
    quarantine = (out / "quarantine.csv").read_text()
    assert "is no DICOM file" in quarantine
    assert len(quarantine.splitlines()) == 1 + 5
