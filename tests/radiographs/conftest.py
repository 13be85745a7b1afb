"""A small film, and DICOM files of it with any header and encoding."""

import os
from collections.abc import Callable
from io import BytesIO
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

WriteDicom = Callable[..., Path]

ROWS, COLUMNS = 60, 48


@pytest.fixture(scope="session")
def film() -> NDArray[np.uint16]:
    """(60, 48) stored values of 12 bits from 300 to 3900: a slope with noise and a bright bar."""
    random = np.random.default_rng(0)
    slope = np.linspace(300, 3000, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    slope += random.normal(0, 40, slope.shape)
    slope[20:30, 10:40] = 3900
    return slope.clip(0, 4095).astype(np.uint16)


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
def encode() -> Callable[..., bytes]:
    """Return the function that makes a DICOM file of pixels, encoding and attributes."""
    return dicom_bytes


@pytest.fixture
def write_dicom(tmp_path: Path, film: NDArray[np.uint16]) -> WriteDicom:
    """Return a function that writes the film, or other pixels, with any attributes."""

    def write(
        name: str = "a.dcm",
        pixels: NDArray[Any] | None = None,
        syntax: UID = uid.ExplicitVRLittleEndian,
        **attributes: object,
    ) -> Path:
        path = tmp_path / name
        path.write_bytes(dicom_bytes(film if pixels is None else pixels, syntax, attributes))
        return path

    return write


def dicom_bytes(pixels: NDArray[Any], syntax: UID, attributes: dict[str, object]) -> bytes:
    """Return a DICOM file of (H, W) pixels; an attribute that is None is left out."""
    dataset = dicom_dataset(pixels, attributes)
    _encode(dataset, pixels, syntax)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def dicom_dataset(pixels: NDArray[Any], attributes: dict[str, object]) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    bits = 12 if pixels.dtype.itemsize == 2 else 8
    values: dict[str, object] = {
        "SOPClassUID": uid.ComputedRadiographyImageStorage,
        "SOPInstanceUID": "2.25.3",
        "StudyInstanceUID": "2.25.1",
        "SeriesInstanceUID": "2.25.2",
        "PatientID": "P1",
        "Modality": "CR",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "BitsAllocated": 8 * pixels.dtype.itemsize,
        "BitsStored": bits,
        **attributes,
    }
    values.setdefault("HighBit", int(str(values["BitsStored"])) - 1)
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def _encode(dataset: Dataset, pixels: NDArray[Any], syntax: UID) -> None:
    plain = syntax if not syntax.is_encapsulated else uid.ExplicitVRLittleEndian
    dataset.file_meta.TransferSyntaxUID = plain
    native = pixels.astype(pixels.dtype.newbyteorder("<" if plain.is_little_endian else ">"))
    dataset.PixelData = native.tobytes()
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    if not syntax.is_encapsulated:
        return
    bits = int(dataset.BitsStored)
    frame: bytes | bytearray
    if syntax in (uid.JPEGLosslessSV1, uid.JPEGLossless):
        predictor = 1 if syntax == uid.JPEGLosslessSV1 else 4
        frame = imagecodecs.jpeg8_encode(
            pixels, lossless=True, predictor=predictor, bitspersample=bits
        )
    elif syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):
        frame = imagecodecs.jpeg8_encode(pixels, level=98, bitspersample=bits)
    elif syntax in (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL):
        frame = imagecodecs.htj2k_encode(pixels, reversible=True)
    else:
        dataset.compress(syntax, generate_instance_uid=False)
        return
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([bytes(frame)])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
