"""A radiograph in memory: pixels, and what its file says about them."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W) samples of one greyscale image."""

ViewSource = Literal["ViewPosition", "ViewCodeSequence", "PatientOrientation"]
SpacingSource = Literal["PixelSpacing", "ImagerPixelSpacing"]

MIN_SIDE = 32
MAX_PIXELS = 80_000_000


class UnreadableImageError(RibsightError):
    """A file that gives no usable pixels: corrupt, empty, no image, far too large or too small."""


class View(StrEnum):
    """How the X-rays went through the patient."""

    PA = "pa"
    AP = "ap"
    FRONTAL = "frontal"
    """PA or AP, which is not said."""
    OBLIQUE = "oblique"
    LATERAL = "lateral"


@dataclass(frozen=True)
class Provenance:
    """How a DICOM file's stored values became presentation values.

    Attributes:
        sop_class: name of the kind of object, `Computed Radiography Image Storage`.
        transfer_syntax: name of the encoding, `JPEG 2000 Image Compression`.
        photometric: `MONOCHROME1`, `MONOCHROME2`, or a colour space.
        modality: `none`, `lookup table`, `rescale`, or `skipped` for a relative log exposure.
        window: `lookup table`, a window such as `linear 2048/4096`, `percentiles`, `full range`.
        inverted: whether light and dark were exchanged to show bone bright.
        view_source: the attribute that says the view, None if none does.
        spacing_source: the attribute that gives the pixel spacing, None if none does.
    """

    sop_class: str
    transfer_syntax: str
    photometric: str
    modality: str
    window: str
    inverted: bool
    view_source: ViewSource | None = None
    spacing_source: SpacingSource | None = None


@dataclass(frozen=True)
class Identifiers:
    """Who and what a DICOM file is about, None where it does not say.

    Its `repr` is empty, so that no patient is named in a log or an error.

    Attributes:
        patient_id: as the hospital names the patient.
        study_uid: of the study, which may hold several images.
        accession_number: of the order, which a report carries too.
        study_date: YYYYMMDD.
        sop_instance_uid: of this image.
    """

    patient_id: str | None = field(default=None, repr=False)
    study_uid: str | None = field(default=None, repr=False)
    accession_number: str | None = field(default=None, repr=False)
    study_date: str | None = field(default=None, repr=False)
    sop_instance_uid: str | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Radiograph:
    """The pixels of one image: not rotated, not flipped, not cut.

    Attributes:
        pixels: (H, W) uint8 or uint16. Of PNG, JPEG and TIFF the stored samples; of DICOM
            presentation values from 0, black, to 65535, white as displayed: bone is bright.
        bits: 8 or 16, of the samples.
        warnings: what was noticed while reading, one sentence each, naming no patient.
        pixel_spacing: mm between the centres of neighbouring rows, and of neighbouring columns.
        view: None if the file does not say.
        provenance: None if the file is no DICOM.
        identifiers: all None if the file is no DICOM.
    """

    pixels: Pixels
    bits: int
    warnings: tuple[str, ...] = ()
    pixel_spacing: tuple[float, float] | None = None
    view: View | None = None
    provenance: Provenance | None = None
    identifiers: Identifiers = field(default_factory=Identifiers, repr=False)


def pixels_sha256(pixels: Pixels) -> str:
    """Return the SHA-256 of type, shape and samples of (H, W) pixels, in hexadecimal."""
    digest = hashlib.sha256(f"{pixels.dtype.name} {pixels.shape}".encode())
    digest.update(np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def why_impossible(width: int, height: int) -> str | None:
    """Return what is wrong with an image of that many pixels, or None."""
    if width * height > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        return f"claims {width} x {height} pixels, more than {limit} megapixels"
    if min(width, height) < MIN_SIDE:
        return f"has {width} x {height} pixels: a radiograph has at least {MIN_SIDE} on each side"
    return None
