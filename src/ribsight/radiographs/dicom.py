"""A DICOM file -> a radiograph as a viewer shows it, bone bright."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
import pydicom.config
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID

from ribsight.radiographs.attributes import UnusableDicomError, numbers, text
from ribsight.radiographs.decoding import decode
from ribsight.radiographs.dicom_header import read_header
from ribsight.radiographs.presentation import present
from ribsight.radiographs.radiograph import (
    Identifiers,
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


def read_dicom(path: Path, content: bytes) -> Radiograph:
    """Read a CR, DX or secondary capture image of one frame.

    The order is: gate, decode, modality table or rescale, the first table or window that leaves
    something to see (else percentiles inside the collimated field), polarity once. Pixels are not
    rotated or flipped, because regions are drawn on the stored ones. `docs/radiographs.md` says
    what is believed where headers contradict themselves.

    Args:
        path: named in errors; the file meta information is read from it.
        content: the whole file.

    Raises:
        UnreadableImageError: whatever is wrong with the file; the sentence names no patient.
    """
    try:
        with _silent_pydicom():
            return _read(path, content)
    except UnusableDicomError as error:
        raise UnreadableImageError(f"{path} {error}") from error
    except Exception as error:  # pydicom and decoders raise nearly anything on damaged bytes
        raise UnreadableImageError(
            f"{path} is a damaged DICOM file ({type(error).__name__}): get the file again"
        ) from error


@contextmanager
def _silent_pydicom() -> Iterator[None]:
    """Keep pydicom from warning and logging: it quotes values, which may name the patient."""
    was_disabled = pydicom.config.logger.disabled
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.config.logger.disabled = True
        try:
            yield
        finally:
            pydicom.config.logger.disabled = was_disabled


def _read(path: Path, content: bytes) -> Radiograph:
    syntax = UID(read_file_meta_info(path).get("TransferSyntaxUID", ""))
    # Inflating a small file may take all memory there is, even for its header alone.
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        raise UnusableDicomError("is a deflated DICOM file, which is not read: inflate it first")
    if not syntax:
        raise UnusableDicomError("does not say how it is encoded: it has no TransferSyntaxUID")
    dataset = pydicom.dcmread(io.BytesIO(content))
    header = read_header(dataset, syntax)
    notes: list[str] = []
    stored = decode(dataset, header)
    if header.samples == 3:
        stored = _luminance(stored, notes)
    rendering, modality = read_rendering(dataset, header, notes)
    pixels, window = present(stored, rendering, notes)
    spacing, spacing_source = _spacing(dataset, notes)
    view, view_source = read_view(dataset, notes)
    provenance = Provenance(
        sop_class=header.sop_class.name,
        transfer_syntax=syntax.name,
        photometric=header.photometric,
        modality=modality,
        window=window,
        inverted=rendering.inverted,
        view_source=view_source,
        spacing_source=spacing_source,
    )
    return Radiograph(pixels, 16, tuple(notes), spacing, view, provenance, _identifiers(dataset))


def _luminance(colour: NDArray[np.integer], notes: list[str]) -> NDArray[np.integer]:
    """Return the ITU-R 601 luminance of (H, W, 3) 8-bit RGB, as Pillow computes it."""
    if (colour != colour[..., :1]).any():
        notes.append("colour became luminance")
    weighted = colour.astype(np.uint32) @ np.array([19595, 38470, 7471], dtype=np.uint32)
    return (weighted + 0x8000) >> 16


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
