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


def decode(dataset: Dataset, header: Header) -> NDArray[np.integer]:
    """Decode the one frame of a dataset that passed the gate.

    This is the only function that gives untrusted samples to native code, from bytes to array:
    where files may be hostile, it is what to run in a process of limited memory and time.

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
        raise UnusableDicomError(f"is encoded as {syntax.name}, which is not decoded")
    frame = _checked_frame(dataset, header)
    if syntax in _JPEG and header.samples == 1:
        array = _stored_values(imagecodecs.jpeg8_decode(frame), header)
    elif syntax in _PYDICOM_DECODERS:
        plugin = _PYDICOM_DECODERS[syntax]
        array = pixel_array(dataset, index=0, decoding_plugin=plugin)
    else:
        raise UnusableDicomError(f"is colour encoded as {syntax.name}, which is not decoded")
    size = (header.rows, header.columns)
    if array.shape != (size if header.samples == 1 else (*size, header.samples)):
        raise UnusableDicomError("has pixels of another size than its header says")
    return array


def _checked_frame(dataset: Dataset, header: Header) -> bytes:
    """Return the compressed frame, of the size that the header says; nothing of plain samples."""
    syntax = header.transfer_syntax
    if syntax in _PLAIN or syntax == uid.RLELossless:
        return b""
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    if codestream_size(frame) != (header.rows, header.columns, header.samples):
        raise UnusableDicomError(
            "has a compressed image that is damaged or of another size than its header says"
        )
    if syntax in _JPEG and is_truncated_jpeg(frame):
        raise UnusableDicomError("is truncated within its JPEG data: get the file again")
    return frame


def _stored_values(samples: NDArray[np.integer], header: Header) -> NDArray[np.integer]:
    """Return a JPEG's samples without bits above those stored, with the sign they stand for."""
    shift = 32 - header.bits_stored
    values = np.left_shift(samples.astype(np.uint32), np.uint32(shift))
    if header.is_signed:
        return np.right_shift(values.view(np.int32), shift)
    return np.right_shift(values, np.uint32(shift)).astype(np.int32)
