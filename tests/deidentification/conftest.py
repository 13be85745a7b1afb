"""A key, and small films with any attributes, encodings and things planted in them."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from ribsight.deidentification.key import Key
from ribsight.deidentification.subject import Policy

MakeFilm = Callable[..., bytes]


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy(Key(bytes(range(32))))


@pytest.fixture(scope="session")
def dicom_data() -> Path:
    """The folder of the real DICOM files, or a skip."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("RIBSIGHT_DATA", beside)) / "dicom"
    if not folder.is_dir():
        pytest.skip(
            f"no DICOM files at {folder}; set RIBSIGHT_DATA to the folder that holds dicom/"
        )
    return folder


@pytest.fixture(scope="session")
def film() -> NDArray[np.uint16]:
    """(64, 80) stored values of 12 bits: a smooth slope with noise, nothing that looks written."""
    random = np.random.default_rng(0)
    slope = np.linspace(300, 3000, 64 * 80).reshape(64, 80)
    return (slope + random.normal(0, 20, slope.shape)).clip(0, 4095).astype(np.uint16)


@pytest.fixture(scope="session")
def make_film(film: NDArray[np.uint16]) -> MakeFilm:
    """Return a function that makes a DICOM file with attributes; None takes one away."""

    def make(
        pixels: NDArray[Any] | None = None,
        syntax: UID = uid.ExplicitVRLittleEndian,
        change: Callable[[Dataset], None] | None = None,
        **attributes: object,
    ) -> bytes:
        return film_bytes(film if pixels is None else pixels, syntax, change, attributes)

    return make


def film_bytes(
    pixels: NDArray[Any],
    syntax: UID,
    change: Callable[[Dataset], None] | None,
    attributes: dict[str, object],
) -> bytes:
    dataset = film_dataset(pixels, attributes)
    encode(dataset, pixels, syntax)
    if change is not None:
        change(dataset)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def film_dataset(pixels: NDArray[Any], attributes: dict[str, object]) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    values: dict[str, object] = {
        "SOPClassUID": uid.ComputedRadiographyImageStorage,
        "SOPInstanceUID": "1.2.826.0.1.77.3",
        "StudyInstanceUID": "1.2.826.0.1.77.1",
        "SeriesInstanceUID": "1.2.826.0.1.77.2",
        "PatientID": "MRN-0042",
        "PatientName": "Planted^Name",
        "PatientSex": "F",
        "PatientBirthDate": "19500607",
        "StudyDate": "20200305",
        "StudyTime": "134501",
        "AccessionNumber": "ACC-77",
        "StudyID": "S-77",
        "Modality": "CR",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "ReferringPhysicianName": "Doctor^Planted",
        "Manufacturer": "Philips Medical Systems",
        "SeriesNumber": "1",
        "InstanceNumber": "1",
        "PatientOrientation": ["L", "F"],
        "PixelSpacing": ["0.15", "0.15"],
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "BitsAllocated": 8 * pixels.dtype.itemsize,
        "BitsStored": 12 if pixels.dtype.itemsize == 2 else 8,
        "WindowCenter": "1700",
        "WindowWidth": "3400",
        **attributes,
    }
    values.setdefault("HighBit", int(str(values["BitsStored"])) - 1)
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def encode(dataset: Dataset, pixels: NDArray[Any], syntax: UID) -> None:
    plain = syntax if not syntax.is_encapsulated else uid.ExplicitVRLittleEndian
    dataset.file_meta.TransferSyntaxUID = plain
    native = pixels.astype(pixels.dtype.newbyteorder("<" if plain.is_little_endian else ">"))
    dataset.PixelData = native.tobytes()
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    if not syntax.is_encapsulated:
        return
    frame = compressed(pixels, syntax)
    if frame is None:
        dataset.compress(syntax, generate_instance_uid=False)
        return
    put_frame(dataset, syntax, frame)


def compressed(pixels: NDArray[Any], syntax: UID, bits: int = 12) -> bytes | None:
    if syntax in (uid.JPEGLosslessSV1, uid.JPEGLossless):
        return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits))
    if syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):
        bits = 8 * pixels.dtype.itemsize if pixels.dtype.itemsize == 1 else bits
        return bytes(imagecodecs.jpeg8_encode(pixels, level=95, bitspersample=bits))
    return None


def put_frame(dataset: Dataset, syntax: UID, frame: bytes) -> None:
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
