"""Pixel data with the same samples and nothing beside them."""

from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import get_expected_length, pixel_array
from pydicom.uid import UID

from ribsight.deidentification.codestreams import bare_jpeg, bare_jpeg_2000
from ribsight.radiographs.attributes import UnusableDicomError
from ribsight.radiographs.dicom_header import Header

Stored = NDArray[np.integer]

_JPEG = frozenset(
    {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1}
)
_JPEG_LS = frozenset({uid.JPEGLSLossless, uid.JPEGLSNearLossless})
_JPEG_2000 = frozenset(
    {uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K}
)


@dataclass(frozen=True)
class CleanPixels:
    """Samples as they are written.

    Attributes:
        content: the value of PixelData.
        transfer_syntax: how it is encoded.
        photometric: of the samples, which RGB that was decoded has changed.
        by_plane: PlanarConfiguration of colour, None of grey.
    """

    content: bytes
    transfer_syntax: UID
    photometric: str
    by_plane: int | None = None


def clean_pixels(old: Dataset, header: Header, stored: Stored) -> CleanPixels:
    """Return the samples of a file without comments, trailing bytes and unused bits.

    A compressed image stays compressed as it was, without its comments and application segments.
    RLE, which does not say where it ends, is encoded again. A compressed image with something in
    the bits above BitsStored, as overlays once were, is written uncompressed without them.

    Args:
        old: the dataset as it came.
        header: of it.
        stored: (H, W) or (H, W, 3), decoded from it.

    Raises:
        UnusableDicomError: a compressed image whose segments cannot be told apart.
    """
    syntax = header.transfer_syntax
    if syntax == uid.RLELossless:
        return _run_lengths(stored, old, header)
    if not syntax.is_encapsulated:
        grey = header.samples == 1
        return plain_pixels(stored, old, header) if grey else _plain_colour(old, header)
    frame = next(generate_frames(old.PixelData, number_of_frames=1))
    if header.samples == 1 and _uses_other_bits(old, frame, header, stored):
        return plain_pixels(stored, old, header)
    if syntax in _JPEG | _JPEG_LS:
        bare = bare_jpeg(frame, colour=header.samples == 3)
    elif syntax in _JPEG_2000:
        bare = bare_jpeg_2000(frame)
    else:
        raise UnusableDicomError("is encoded in a way that cannot be de-identified")
    by_plane = None if header.samples == 1 else int(old.get("PlanarConfiguration", 0) or 0)
    return CleanPixels(encapsulate([bare]), syntax, header.photometric, by_plane)


def plain_pixels(stored: Stored, old: Dataset, header: Header) -> CleanPixels:
    """Return decoded samples as uncompressed pixel data: grey, or RGB by pixel.

    Args:
        stored: (H, W) or (H, W, 3), decoded.
        old: the dataset that they came from.
        header: of that.
    """
    if header.samples == 3:
        content = np.ascontiguousarray(stored, np.uint8).tobytes()
        return CleanPixels(_even(content), uid.ExplicitVRLittleEndian, "RGB", 0)
    words = stored.astype(f"<{'i' if header.is_signed else 'u'}{_sample_bytes(old)}")
    return CleanPixels(_even(words.tobytes()), uid.ExplicitVRLittleEndian, header.photometric)


def put_pixels(dataset: Dataset, pixels: CleanPixels) -> None:
    """Set the samples of a dataset and what depends on how they are written."""
    dataset.PhotometricInterpretation = pixels.photometric
    if not pixels.transfer_syntax.is_encapsulated or pixels.transfer_syntax == uid.RLELossless:
        dataset.HighBit = dataset.BitsStored - 1
    if pixels.by_plane is not None:
        dataset.PlanarConfiguration = pixels.by_plane
    is_encapsulated = pixels.transfer_syntax.is_encapsulated
    representation = "OB" if is_encapsulated or dataset.BitsAllocated == 8 else "OW"
    element = DataElement("PixelData", representation, pixels.content)
    element.is_undefined_length = is_encapsulated
    dataset.add(element)


def _sample_bytes(dataset: Dataset) -> int:
    return int(dataset.BitsAllocated) // 8


def _even(content: bytes) -> bytes:
    return content + b"\0" * (len(content) % 2)


def _plain_colour(old: Dataset, header: Header) -> CleanPixels:
    """Return uncompressed colour samples as they are, to the last of them."""
    if header.transfer_syntax == uid.ExplicitVRBigEndian:
        raise UnusableDicomError("is colour in big endian order, which is not de-identified")
    content = old.PixelData[: get_expected_length(old)]
    by_plane = int(old.get("PlanarConfiguration", 0) or 0)
    return CleanPixels(_even(content), uid.ExplicitVRLittleEndian, header.photometric, by_plane)


def _run_lengths(stored: Stored, old: Dataset, header: Header) -> CleanPixels:
    """Encode samples as DICOM RLE, PS3.5 Annex G: one segment a byte of a sample, row by row."""
    plain = plain_pixels(stored, old, header)
    samples = plain.content[: stored.size * _sample_bytes(old)]
    planes = np.frombuffer(samples, np.uint8).reshape(*stored.shape[:2], -1)
    # Of each grey sample the high byte comes first.
    order = range(planes.shape[2]) if header.samples == 3 else range(planes.shape[2])[::-1]
    segments = [
        _even(b"".join(map(imagecodecs.packbits_encode, np.ascontiguousarray(planes[..., index]))))
        for index in order
    ]
    starts = 64 + np.cumsum([0, *map(len, segments[:-1])])
    table = np.zeros(16, "<u4")
    table[0], table[1 : 1 + len(segments)] = len(segments), starts
    frame = b"".join((table.tobytes(), *segments))
    return CleanPixels(encapsulate([frame]), uid.RLELossless, plain.photometric, plain.by_plane)


def _uses_other_bits(old: Dataset, frame: bytes, header: Header, stored: Stored) -> bool:
    """Say whether a compressed image holds anything in the bits above those stored."""
    if header.transfer_syntax in _JPEG:
        raw = imagecodecs.jpeg8_decode(frame)
    else:
        plugin = "pyjpegls" if header.transfer_syntax in _JPEG_LS else "pylibjpeg"
        raw = pixel_array(old, index=0, decoding_plugin=plugin, raw=True, correct_unused_bits=False)
    if header.low_bit:
        return True
    low = np.asarray(raw).astype(np.int64) & 0xFFFF
    values = stored.astype(np.int64)
    unsigned = (low == (values & ((1 << header.bits_stored) - 1))).all()
    return not (unsigned or (low == (values & 0xFFFF)).all())
