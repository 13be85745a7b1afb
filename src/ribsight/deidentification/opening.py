"""A DICOM file's bytes -> dataset, header, stored values and picture, or the reason why not."""

import io
from dataclasses import dataclass

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from ribsight.deidentification.vocabulary import is_standard_uid
from ribsight.radiographs.attributes import UnusableDicomError, text
from ribsight.radiographs.decoding import decode
from ribsight.radiographs.dicom import is_dicom
from ribsight.radiographs.dicom_header import Header, read_header
from ribsight.radiographs.presentation import Rendering, present
from ribsight.radiographs.rendering import read_rendering

NOT_DICOM = "is no DICOM file"
_HEAD = 132


@dataclass(frozen=True, eq=False)
class Film:
    """A file that passed the gate, decoded.

    Attributes:
        dataset: all of it.
        header: what decides how the samples are decoded.
        stored: (H, W) or (H, W, 3) stored values.
        shown: (H, W) presentation values, 0 black to 65535 white.
        rendering: how stored values became those.
    """

    dataset: Dataset
    header: Header
    stored: NDArray[np.integer]
    shown: NDArray[np.uint16]
    rendering: Rendering


def open_film(content: bytes) -> Film:
    """Read and decode one radiograph.

    Raises:
        UnusableDicomError: no DICOM, another kind of object, or nothing that is decoded.
        Exception: whatever pydicom or a decoder raises on damaged bytes.
    """
    dataset, syntax = open_dataset(content)
    header = read_header(dataset, syntax)
    stored = decode(dataset, header, [])
    rendering, _ = read_rendering(dataset, header, [])
    # Where text may stand, the mean of the colours shows it as well as the luminance.
    grey = stored if header.samples == 1 else np.rint(stored.mean(axis=2)).astype(np.uint8)
    shown, _ = present(grey, rendering, [])
    return Film(dataset, header, stored, shown, rendering)


def open_dataset(content: bytes, *, pixels: bool = True) -> tuple[Dataset, UID]:
    """Return a file's dataset and encoding.

    Raises:
        UnusableDicomError: no DICOM, or an encoding that is not opened.
        Exception: whatever pydicom raises on damaged bytes.
    """
    if not is_dicom(content):
        raise UnusableDicomError(NOT_DICOM)
    meta = read_dataset(
        io.BytesIO(content[_HEAD:]),
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag >> 16 != 2,
    )
    syntax = UID(text(meta, "TransferSyntaxUID") or "")
    # Inflating a small file may take all memory there is, even for its header alone.
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        raise UnusableDicomError("is a deflated DICOM file, which is not read: inflate it first")
    if not is_standard_uid(syntax):
        raise UnusableDicomError("does not say how it is encoded, or in a way nobody knows")
    return pydicom.dcmread(io.BytesIO(content), stop_before_pixels=not pixels), syntax
