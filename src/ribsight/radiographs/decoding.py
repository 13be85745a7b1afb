"""The compressed or plain samples of a DICOM dataset -> an array of stored values."""

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array

from ribsight.radiographs.attributes import UnusableDicomError
from ribsight.radiographs.codestream import codestream_size
from ribsight.radiographs.dicom_header import Header
from ribsight.radiographs.image_file import is_truncated_jpeg

_PLAIN = frozenset(
    {uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian}
)
_JPEG = frozenset(
    {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1}
)
_ALL = {8: 0xFF, 16: 0xFFFF}
# What these give are the words of the file, with whatever lies in bits that are not stored.
_WORDS = _PLAIN | {uid.RLELossless}
# One decoder each, so that a file gives the same pixels wherever more of them are installed.
_PYDICOM_DECODERS = {
    **dict.fromkeys(_PLAIN, ""),
    uid.RLELossless: "pydicom",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
    uid.HTJ2KLossless: "pylibjpeg",
    uid.HTJ2KLosslessRPCL: "pylibjpeg",
    uid.HTJ2K: "pylibjpeg",
    # Of colour; grey JPEG of all bit depths goes to libjpeg-turbo.
    uid.JPEGBaseline8Bit: "pillow",
    uid.JPEGExtended12Bit: "pillow",
}


def decode(dataset: Dataset, header: Header, notes: list[str]) -> NDArray[np.integer]:
    """Decode the one frame of a dataset that passed the gate.

    This is the only function that gives untrusted samples to native code, from bytes to array:
    where files may be hostile, it is what to run in a process of limited memory and time.

    Args:
        dataset: the whole file; what would contradict the checked frame is taken out of it.
        header: of that dataset.
        notes: takes what was noticed, one sentence each.

    Returns:
        (H, W) stored values of grey, or (H, W, 3) RGB.

    Raises:
        UnusableDicomError: an encoding that is not decoded, no samples, or samples of another
            size than the header states.
        Exception: whatever a decoder raises on damaged samples.
    """
    syntax = header.transfer_syntax
    if "PixelData" not in dataset:
        raise UnusableDicomError("has no pixels: it is no image, or its end is missing")
    if syntax not in _PLAIN | _PYDICOM_DECODERS.keys() | _JPEG:
        # A name that the standard does not give is the file's own text, whatever that is.
        known = syntax.name if syntax.name != syntax else "something that is not known"
        raise UnusableDicomError(f"is encoded as {known}, which is not decoded")
    frame = _checked_frame(dataset, header)
    if syntax in _JPEG and header.samples == 1:
        array = _stored_values(_words(imagecodecs.jpeg8_decode(frame)), header, notes)
    elif syntax in _WORDS and header.samples == 1:
        array = _stored_values(_pydicom_words(dataset, header), header, notes)
    elif syntax in _PYDICOM_DECODERS:
        array = pixel_array(dataset, index=0, decoding_plugin=_PYDICOM_DECODERS[syntax])
    else:
        raise UnusableDicomError(f"is colour encoded as {syntax.name}, which is not decoded")
    size = (header.rows, header.columns)
    if array.shape != (size if header.samples == 1 else (*size, header.samples)):
        raise UnusableDicomError("has pixels of another size than its header says")
    return array


def _checked_frame(dataset: Dataset, header: Header) -> bytes:
    """Return the compressed frame, of the size that the header says; nothing of plain samples."""
    syntax = header.transfer_syntax
    if syntax in _WORDS:
        return b""
    # Offsets of an extended table may point a decoder to another frame than the one looked at.
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        dataset.pop(keyword, None)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    if codestream_size(frame) != (header.rows, header.columns, header.samples):
        raise UnusableDicomError(
            "has a compressed image that is damaged or of another size than its header says"
        )
    if syntax in _JPEG and is_truncated_jpeg(frame):
        raise UnusableDicomError("is truncated within its JPEG data: get the file again")
    return frame


def _pydicom_words(dataset: Dataset, header: Header) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """Return all bits of the samples as they stand there."""
    allocated = int(dataset.BitsAllocated)
    words = pixel_array(
        dataset,
        index=0,
        decoding_plugin=_PYDICOM_DECODERS[header.transfer_syntax],
        bits_stored=allocated,
        high_bit=allocated - 1,
        pixel_representation=0,
    )
    return _words(words)


def _words(samples: NDArray[np.integer]) -> NDArray[np.uint16] | NDArray[np.uint8]:
    return (
        samples.view(np.uint8) if samples.itemsize == 1 else samples.astype(np.uint16, copy=False)
    )


def _stored_values(
    words: NDArray[np.uint16] | NDArray[np.uint8], header: Header, notes: list[str]
) -> NDArray[np.integer]:
    """Return samples without the bits outside those stored, with the sign they stand for.

    Overlays of old files lie in those bits.
    """
    bits = 8 * words.itemsize
    above = bits - header.low_bit - header.bits_stored
    if above < 0:  # a codestream of fewer bits than the header says
        return words
    signed: type[np.integer] = np.int8 if bits == 8 else np.int16
    values: NDArray[np.integer] = words << above
    values = (values.view(signed) if header.is_signed else values) >> (bits - header.bits_stored)
    outside = words & words.dtype.type(
        ~(((1 << header.bits_stored) - 1) << header.low_bit) & _ALL[bits]
    )
    is_extended = header.is_signed and ((values << header.low_bit).view(words.dtype) == words).all()
    if outside.any() and not is_extended:
        notes.append("bits outside those stored are dropped: an overlay, or BitsStored is wrong")
    return values
