"""A DICOM file -> a radiograph as a viewer shows it, bone bright."""

import io
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
import pydicom
import pydicom.config
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from ribsight.radiographs.attributes import UnusableDicomError, numbers, text, words
from ribsight.radiographs.decoding import decode
from ribsight.radiographs.dicom_header import read_header
from ribsight.radiographs.eligibility import eligibility
from ribsight.radiographs.field import collimated_field
from ribsight.radiographs.image_header import read_image_header
from ribsight.radiographs.orientation import orientation_of_patient
from ribsight.radiographs.presentation import present, present_wide
from ribsight.radiographs.quiet import silent_pydicom
from ribsight.radiographs.radiograph import (
    Identifiers,
    Orientation,
    Provenance,
    Radiograph,
    SpacingSource,
    UnreadableImageError,
)
from ribsight.radiographs.rendering import read_rendering
from ribsight.radiographs.view import read_view

_PREAMBLE = 128
_MARK = b"DICM"
_SPACINGS: tuple[SpacingSource, ...] = ("PixelSpacing", "ImagerPixelSpacing")


def is_dicom(content: bytes) -> bool:
    """Say whether a file's first bytes are those of DICOM: 128 of anything, then `DICM`."""
    return content[_PREAMBLE : _PREAMBLE + len(_MARK)] == _MARK


def starts_as_dicom(path: Path) -> bool:
    """Say whether a file starts as DICOM does; no for a file that cannot be read."""
    try:
        with path.open("rb") as stream:
            return is_dicom(stream.read(_PREAMBLE + len(_MARK)))
    except OSError:
        return False


def read_dicom(name: PurePath | str, content: bytes, *, wide: bool = False) -> Radiograph:
    """Read a CR, DX or secondary capture image of one frame.

    The order is: gate, decode, modality table or rescale, the first table or window that leaves
    something to see (else percentiles inside the collimated field), polarity once. Pixels are not
    rotated or flipped, because regions are drawn on the stored ones. `docs/radiographs.md` says
    what is believed where headers contradict themselves.

    Args:
        name: what errors call the file.
        content: the whole file.
        wide: keep what the file's linear window cuts off, and say in `window` what it shows.

    Raises:
        UnreadableImageError: whatever is wrong with the file; the sentence names no patient.
    """
    try:
        with silent_pydicom():
            return _read(content, wide=wide)
    except UnusableDicomError as error:
        raise UnreadableImageError(name, str(error)) from error
    except Exception as error:  # pydicom and decoders raise nearly anything on damaged bytes
        kind = type(error).__name__
        raise UnreadableImageError(
            name, f"is a damaged DICOM file ({kind}): get the file again"
        ) from error


def read_dicom_header(name: PurePath | str, content: bytes) -> Dataset:
    """Return all of a file that stands before its pixels.

    A parser in this process has no limits of its own: of a file that nobody has read in a guarded
    one, give a first part only.

    Args:
        name: what errors call the file.
        content: the file, or its first part.

    Raises:
        UnreadableImageError: it is no DICOM, deflated, or damaged.
    """
    if not is_dicom(content):
        raise UnreadableImageError(name, "is no DICOM file")
    try:
        with silent_pydicom():
            _readable_syntax(content)
            return pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
    except UnusableDicomError as error:
        raise UnreadableImageError(name, str(error)) from error
    except Exception as error:  # pydicom raises nearly anything on damaged bytes
        kind = type(error).__name__
        raise UnreadableImageError(
            name, f"is a damaged DICOM file ({kind}): get the file again"
        ) from error


def _readable_syntax(content: bytes) -> UID:
    syntax = _transfer_syntax(content)
    # Inflating a small file may take all memory there is, even for its header alone.
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        raise UnusableDicomError("is a deflated DICOM file, which is not read: inflate it first")
    if not syntax:
        raise UnusableDicomError("does not say how it is encoded: it has no TransferSyntaxUID")
    return syntax


def _read(content: bytes, *, wide: bool) -> Radiograph:
    syntax = _readable_syntax(content)
    dataset = pydicom.dcmread(io.BytesIO(content))
    header = read_header(dataset, syntax)
    notes: list[str] = []
    stored = decode(dataset, header, notes)
    if header.samples == 3:
        stored = _luminance(stored, notes)
    rendering, modality = read_rendering(dataset, header, notes)
    rendering = replace(rendering, field=rendering.field or collimated_field(stored))
    ends = None
    if wide:
        pixels, window, ends = present_wide(stored, rendering, notes)
    else:
        pixels, window = present(stored, rendering, notes)
    spacing, spacing_source = _spacing(dataset, notes)
    view, view_source = read_view(dataset, notes)
    orientation = orientation_of_patient(words(dataset, "PatientOrientation"))
    provenance = Provenance(
        sop_class=header.sop_class.name,
        transfer_syntax=syntax.name,
        photometric=header.photometric,
        modality=modality,
        window=window,
        inverted=rendering.is_negative,
        presentation="none" if rendering.presentation is None else "lookup table",
        orientation_source=None if orientation is None else "PatientOrientation",
        field_of_view=_field_of_view(dataset),
        view_source=view_source,
        spacing_source=spacing_source,
    )
    return Radiograph(
        pixels=pixels,
        bits=16,
        warnings=tuple(notes),
        pixel_spacing=spacing,
        view=view,
        provenance=provenance,
        identifiers=_identifiers(dataset),
        orientation=orientation or Orientation(),
        field=rendering.field,
        eligibility=eligibility(read_image_header(dataset)),
        window=ends,
    )


def _transfer_syntax(content: bytes) -> UID:
    """Return what the file meta information says, reading nothing after it."""
    stream = io.BytesIO(content)
    stream.seek(_PREAMBLE + len(_MARK))
    meta = read_dataset(stream, False, True, stop_when=_is_after_meta)
    return UID(meta.get("TransferSyntaxUID", ""))


def _is_after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return tag.group != 2


def _luminance(colour: NDArray[np.integer], notes: list[str]) -> NDArray[np.integer]:
    """Return the ITU-R 601 luminance of (H, W, 3) 8-bit RGB, as Pillow computes it."""
    if (colour != colour[..., :1]).any():
        notes.append("colour became luminance")
    weights = np.array([19595, 38470, 7471], dtype=np.uint32)
    luminance = np.empty(colour.shape[:2], np.uint8)
    for row, samples in enumerate(colour):
        luminance[row] = (samples @ weights + 0x8000) >> 16
    return luminance


def _field_of_view(dataset: Dataset) -> str:
    """Return what the device did to its detector's picture; the stored one is after that."""
    rotation = numbers(dataset, "FieldOfViewRotation", [])
    done = [f"turned {one:g}" for one in rotation[:1] if one]
    if words(dataset, "FieldOfViewHorizontalFlip")[:1] == ("YES",):
        done.append("flipped")
    return ", ".join(done) or "none"


def _spacing(
    dataset: Dataset, notes: list[str]
) -> tuple[tuple[float, float] | None, SpacingSource | None]:
    for source in _SPACINGS:
        spacing = numbers(dataset, source, notes)
        if len(spacing) == 2 and min(spacing) > 0:
            return (spacing[0], spacing[1]), source
        if spacing:
            notes.append(f"{source} is impossible and treated as absent")
    return None, None


def _identifiers(dataset: Dataset) -> Identifiers:
    return Identifiers(
        patient_id=text(dataset, "PatientID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        accession_number=text(dataset, "AccessionNumber"),
        study_date=text(dataset, "StudyDate"),
        sop_instance_uid=text(dataset, "SOPInstanceUID"),
    )
