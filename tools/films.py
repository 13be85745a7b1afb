"""Films to try readers on: simulated values, any DICOM header and encoding around them."""

import copy
import io
from collections.abc import Mapping
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

PLAIN = (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian)
LOSSLESS = (
    *PLAIN,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
)
LOSSY = (
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLSNearLossless,
    uid.JPEG2000,
    uid.HTJ2K,
)


def film(rows: int = 240, columns: int = 200, bits: int = 12, seed: int = 0) -> NDArray[np.uint16]:
    """Return (rows, columns) stored values: a bright chest-like field with ribs and grain."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    lungs = np.exp(-(((x - 0.28) / 0.16) ** 2) - ((y - 0.5) / 0.33) ** 2)
    lungs += np.exp(-(((x - 0.72) / 0.16) ** 2) - ((y - 0.5) / 0.33) ** 2)
    ribs = np.clip(np.sin(40 * (y + 0.6 * (x - 0.5) ** 2)), 0, 1)
    shown = 0.75 - 0.5 * lungs + 0.1 * ribs * lungs + 0.15 * np.exp(-(((x - 0.5) / 0.08) ** 2))
    shown += random.normal(0, 0.008, shown.shape)
    top = (1 << bits) - 1
    return np.rint(shown.clip(0.02, 0.98) * top).astype(np.uint16)


def lookup_table(
    first: int, entries: NDArray[Any], bits: int = 16, signed: bool = False
) -> Dataset:
    """Return the item of a sequence of tables."""
    item = Dataset()
    length = len(entries) % 0x10000
    item.add_new("LUTDescriptor", "SS" if signed else "US", [length, first, bits])
    item.add_new("LUTData", "OW", np.asarray(entries).astype("<u2").tobytes())
    return item


def dicom_dataset(pixels: NDArray[Any], attributes: Mapping[str, object]) -> Dataset:
    """Return an uncompressed computed radiograph; an attribute that is None is left out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    allocated = 8 * pixels.dtype.itemsize
    values: dict[str, object] = {
        "SOPClassUID": uid.ComputedRadiographyImageStorage,
        "SOPInstanceUID": "2.25.3",
        "StudyInstanceUID": "2.25.1",
        "SeriesInstanceUID": "2.25.2",
        "PatientID": "P1",
        "PatientName": "Nobody^Nowhere",
        "StudyDate": "20200101",
        "AccessionNumber": "A1",
        "Modality": "CR",
        "ViewPosition": "PA",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": pixels.shape[2] if pixels.ndim == 3 else 1,
        "PlanarConfiguration": 0 if pixels.ndim == 3 else None,
        "PhotometricInterpretation": "RGB" if pixels.ndim == 3 else "MONOCHROME2",
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        "BitsAllocated": allocated,
        "BitsStored": allocated,
        **attributes,
    }
    values.setdefault("HighBit", int(str(values["BitsStored"])) - 1)
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    content = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OB" if allocated == 8 else "OW"
    return dataset


def encoded(pixels: NDArray[Any], syntax: UID, attributes: Mapping[str, object]) -> Dataset:
    """Return the film in a transfer syntax, lossy ones at high quality.

    Raises:
        Exception: the encoder does not take these pixels.
    """
    dataset = dicom_dataset(pixels, attributes)
    if not syntax.is_encapsulated:
        dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == uid.ExplicitVRBigEndian:
            dataset = copy.deepcopy(dataset)  # a table may be of another dataset too
            dataset.walk(_swap_words)
        return dataset
    bits = int(dataset.BitsStored)
    # The patterns of the bits that are stored: what JPEG knows of negative values.
    words = pixels.view(f"u{pixels.itemsize}") & ((1 << bits) - 1)
    frame: bytes | bytearray
    if syntax in (uid.JPEGLosslessSV1, uid.JPEGLossless):
        predictor = 1 if syntax == uid.JPEGLosslessSV1 else 4
        frame = imagecodecs.jpeg8_encode(
            words, lossless=True, predictor=predictor, bitspersample=bits
        )
    elif syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):
        frame = imagecodecs.jpeg8_encode(words, level=98, bitspersample=bits)
    elif syntax in (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K):
        frame = imagecodecs.htj2k_encode(pixels, reversible=syntax != uid.HTJ2K)
    elif syntax == uid.JPEG2000:
        dataset.compress(syntax, j2k_psnr=[70], generate_instance_uid=False)
        return dataset
    elif syntax == uid.JPEGLSNearLossless:
        dataset.compress(syntax, jls_error=2, generate_instance_uid=False)
        return dataset
    else:
        dataset.compress(syntax, generate_instance_uid=False)
        return dataset
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([bytes(frame)])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    return dataset


def _swap_words(_dataset: Dataset, element: DataElement) -> None:
    if element.VR == "OW":
        element.value = np.frombuffer(element.value, "<u2").byteswap().tobytes()


def content(dataset: Dataset) -> bytes:
    """Return a dataset as a file."""
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
