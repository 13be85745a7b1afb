"""A radiograph in memory: pixels, and what its file says about them."""

import dataclasses
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from ribsight.radiographs.eligibility import Eligibility

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W) samples of one greyscale image."""

ViewSource = Literal["ViewPosition", "ViewCodeSequence", "PatientOrientation"]
OrientationSource = Literal["PatientOrientation"]
SpacingSource = Literal["PixelSpacing", "ImagerPixelSpacing"]

MIN_SIDE = 32
MAX_PIXELS = 80_000_000


class UnreadableImageError(RibsightError):
    """A file that gives no usable pixels: corrupt, empty, no image, far too large or too small.

    Attributes:
        file: what was read, as it is named to the user.
        reason: goes on where the file's name ends, `has 0 x 0 pixels: ...`; names no patient.
    """

    def __init__(self, file: PurePath | str, reason: str):
        """Make the sentence `file reason`."""
        super().__init__(str(file), reason)
        self.file = str(file)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file} {self.reason}"


class View(StrEnum):
    """How the X-rays went through the patient."""

    PA = "pa"
    AP = "ap"
    FRONTAL = "frontal"
    """PA or AP, which is not said."""
    OBLIQUE = "oblique"
    LATERAL = "lateral"


@dataclass(frozen=True)
class Orientation:
    """What would make stored pixels stand upright with the patient's left on the right.

    In this order, each or none: rows and columns are exchanged, then left and right, then top and
    bottom.
    """

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False

    @property
    def is_as_stored(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.transposed or self.mirrored_x or self.mirrored_y)


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
        presentation: `lookup table` if one came after the window, else `none`.
        orientation_source: the attribute that says how the patient lies in the picture.
        field_of_view: what the device says it did to its detector's picture before storing it,
            such as `flipped` or `turned 90, flipped`; `none` if it says nothing.
        view_source: the attribute that says the view, None if none does.
        spacing_source: the attribute that gives the pixel spacing, None if none does.
    """

    sop_class: str
    transfer_syntax: str
    photometric: str
    modality: str
    window: str
    inverted: bool
    presentation: str = "none"
    orientation_source: OrientationSource | None = None
    field_of_view: str = "none"
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

    patient_id: str | None = dataclasses.field(default=None, repr=False)
    study_uid: str | None = dataclasses.field(default=None, repr=False)
    accession_number: str | None = dataclasses.field(default=None, repr=False)
    study_date: str | None = dataclasses.field(default=None, repr=False)
    sop_instance_uid: str | None = dataclasses.field(default=None, repr=False)


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
        orientation: what would make the pixels stand upright, as the file says, which may be
            wrong; `preprocess` does it where it is asked to.
        field: top, bottom, left and right of what the collimator left, bottom and right one past
            the last; None if nobody looked.
        eligibility: what the header says the image is, under the default policy; None if the file
            is no DICOM.
        window: the values that the file's own window shows black and white, where pixels were read
            wider than that; None if they are 0 and the largest.
    """

    pixels: Pixels
    bits: int
    warnings: tuple[str, ...] = ()
    pixel_spacing: tuple[float, float] | None = None
    view: View | None = None
    provenance: Provenance | None = None
    identifiers: Identifiers = dataclasses.field(default_factory=Identifiers, repr=False)
    orientation: Orientation = Orientation()
    field: tuple[int, int, int, int] | None = None
    eligibility: "Eligibility | None" = None
    window: tuple[int, int] | None = None

    def unit_pixels(self) -> NDArray[np.float32]:
        """Return (H, W) float32 from 0, black, to 1, white."""
        return self.pixels.astype(np.float32) / np.float32((1 << self.bits) - 1)


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
