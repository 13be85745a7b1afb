"""The first bytes of a DICOM file -> what the index says of it, and where its pixel data start."""

import io
import re
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, cast

from pydicom import uid
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from ribsight.archive.header_values import SPACINGS, age, clean, spacing, whole
from ribsight.archive.reasons import Reason, RefusedError
from ribsight.radiographs.attributes import UnusableDicomError, text
from ribsight.radiographs.dicom_header import read_header
from ribsight.radiographs.eligibility import Eligibility, eligibility
from ribsight.radiographs.image_header import ImageHeader, read_image_header

MAX_HEADER_BYTES = 1 << 24

_META_START = 132
# Nothing that is asked for comes near; a million empty items would take minutes.
_LONGEST_VALUE = 1 << 16
_IMAGE_UID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_UNDEFINED = 0xFFFFFFFF
_TEXTS = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "accession": "AccessionNumber",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "sex": "PatientSex",
    "modality": "Modality",
    "sop_class": "SOPClassUID",
    "body_part": "BodyPartExamined",
    "study_description": "StudyDescription",
    "series_description": "SeriesDescription",
    "protocol": "ProtocolName",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "station": "StationName",
    "institution": "InstitutionName",
    "photometric": "PhotometricInterpretation",
    "presentation_intent": "PresentationIntentType",
    "burned_in": "BurnedInAnnotation",
}
_NUMBERS = {"rows": "Rows", "columns": "Columns", "bits_stored": "BitsStored"}
KEYWORDS = (
    *_TEXTS.values(),
    *_NUMBERS.values(),
    *SPACINGS,
    "SOPInstanceUID", "PatientAge", "PatientBirthDate",
    # of `read_header`
    "SamplesPerPixel", "NumberOfFrames", "BitsAllocated", "HighBit", "PixelRepresentation",
    # of `read_image_header` and `read_view`
    "ViewPosition", "ViewCodeSequence", "PatientOrientation", "ImageType", "ConversionType",
    "AnatomicRegionSequence", "AcquisitionDeviceProcessingDescription", "PostprocessingFunction",
    "ProcedureCodeSequence", "RequestedProcedureCodeSequence", "RequestAttributesSequence",
    "RequestedProcedureDescription", "PerformedProcedureStepDescription", "QualityControlImage",
)  # fmt: skip
"""What is read of a header; everything else is passed over."""
TAGS = [tag for tag in map(tag_for_keyword, KEYWORDS) if tag is not None]


class MoreNeededError(Exception):
    """The bytes end before the header does."""


def describe_dicom(content: bytes, size: int) -> tuple[str, dict[str, Any], int]:
    """Read the header of a DICOM file.

    Args:
        content: the file's first bytes.
        size: bytes of the whole file.

    Returns:
        SOP Instance UID; the columns of `index.HEADER`; where the pixel data start.

    Raises:
        MoreNeededError: the header goes on after `content`.
        RefusedError: it is no image, damaged, deflated, or nested beyond reason.
    """
    is_whole = len(content) >= size
    try:
        dataset, syntax, stream = _read(content)
    except RefusedError:
        raise
    except RecursionError as error:
        raise RefusedError(Reason.NESTED, "has sequences nested too deep") from error
    except MemoryError:
        raise
    except Exception as error:  # pydicom raises nearly anything on damaged bytes
        if not is_whole:
            raise MoreNeededError from error
        raise _damaged(error) from error
    start = stream.tell()
    if start > len(content) or _next_tag(content, start, syntax) not in _PIXELS:
        if not is_whole:
            raise MoreNeededError
        raise _without_pixels(dataset, start, size)
    try:
        _refuse_truncated(content, start, size, syntax)
        return image_uid(dataset), describe(dataset, syntax), start
    except RecursionError as error:
        raise RefusedError(Reason.NESTED, "has sequences nested too deep") from error
    except (RefusedError, MemoryError):
        raise
    except Exception as error:
        raise _damaged(error) from error


def describe(dataset: Dataset, syntax: str | None) -> dict[str, Any]:
    """Return the columns of `index.HEADER` for a dataset without its pixels."""
    said = read_image_header(dataset)
    millimetres, spacing_source = spacing(dataset)
    verdict = _eligibility(said)
    reason = _unusable(dataset, syntax) or ("" if verdict.eligible else verdict.reason)
    return {
        **{column: clean(text(dataset, keyword)) for column, keyword in _TEXTS.items()},
        **{column: whole(dataset, keyword) for column, keyword in _NUMBERS.items()},
        "age": age(dataset),
        "view": str(said.view) if said.view else None,
        "view_source": said.view_source,
        "transfer_syntax": clean(syntax),
        "spacing_mm": millimetres,
        "spacing_source": spacing_source,
        "kind": verdict.kind,
        "eligible": not reason,
        "ineligible_reason": reason,
    }


@lru_cache(maxsize=4096)
def _eligibility(said: ImageHeader) -> Eligibility:
    return eligibility(said)


def _unusable(dataset: Dataset, syntax: str | None) -> str:
    """Return why `read_radiograph` would refuse the image; the rest of a sentence, or nothing."""
    try:
        read_header(dataset, UID(syntax or ""))
    except UnusableDicomError as error:
        return str(error)
    return ""


def image_uid(dataset: Dataset) -> str:
    """Return the SOP Instance UID if it can be one.

    Raises:
        RefusedError: it is absent, or holds something else than a name.
    """
    found = text(dataset, "SOPInstanceUID") or ""
    # Real archives hold hashes here too; a path or a line of text is neither.
    if not _IMAGE_UID.fullmatch(found) or ".." in found:
        raise RefusedError(Reason.UID, "has no usable SOPInstanceUID: give it one of its own")
    return found


def _read(content: bytes) -> tuple[Dataset, UID, io.BytesIO]:
    stream = io.BytesIO(content)
    stream.seek(_META_START)
    meta = read_dataset(stream, False, True, stop_when=_is_after_meta)
    syntax = UID(str(meta.get("TransferSyntaxUID", "")).strip("\0 "))
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        # Inflating a small file may take all memory there is, even for its header alone.
        raise RefusedError(Reason.DEFLATED, "is a deflated DICOM file: inflate it first")
    if not syntax:
        raise ValueError("no transfer syntax")
    dataset = read_dataset(
        stream,
        syntax == uid.ImplicitVRLittleEndian,
        syntax != uid.ExplicitVRBigEndian,
        stop_when=_is_pixel_data,
        specific_tags=TAGS,
    )
    return _values(dataset), syntax, stream


def _values(dataset: Dataset) -> Dataset:
    """Return a dataset's values by keyword, which is all that is asked of it, each read once.

    A value that cannot be read is absent; a dataset would look it up and try again every time.
    """
    values: dict[str, Any] = {}
    for tag, element in list(dataset.items()):
        if isinstance(element, RawDataElement) and len(element.value or b"") > _LONGEST_VALUE:
            continue
        with suppress(Exception):  # pydicom raises nearly anything on damaged values
            values[keyword_for_tag(tag)] = dataset[tag].value
    return cast(Dataset, values)


def _is_after_meta(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) >> 16 != 2


def _is_pixel_data(tag: BaseTag, _vr: str | None, _length: int) -> bool:
    return int(tag) in _PIXELS


def _next_tag(content: bytes, start: int, syntax: UID) -> int:
    order = _byte_order(syntax)
    group, element = content[start : start + 2], content[start + 2 : start + 4]
    return int.from_bytes(group, order) << 16 | int.from_bytes(element, order)


def _byte_order(syntax: UID) -> Literal["big", "little"]:
    return "big" if syntax == uid.ExplicitVRBigEndian else "little"


def _without_pixels(dataset: Dataset, end: int, size: int) -> RefusedError:
    kind = UID(text(dataset, "SOPClassUID") or "")
    if end > size:
        return RefusedError(Reason.TRUNCATED, "ends within its header: get the file again")
    if kind == uid.MediaStorageDirectoryStorage:
        return RefusedError(Reason.NOT_AN_IMAGE, "is the table of contents of a medium, no image")
    if kind.name.endswith("Image Storage") or "Image Storage - " in kind.name:
        return RefusedError(Reason.TRUNCATED, "ends before its pixels: get the file again")
    named = kind.name if kind.name != kind else "object"
    return RefusedError(Reason.NOT_AN_IMAGE, f"is a DICOM {named} without pixel data")


def _refuse_truncated(content: bytes, start: int, size: int, syntax: UID) -> None:
    """Refuse native pixel data that are longer, by their own word, than the rest of the file."""
    order = _byte_order(syntax)
    is_implicit = syntax == uid.ImplicitVRLittleEndian
    at = start + (4 if is_implicit else 8)
    if at + 4 > len(content):
        if len(content) < size:
            raise MoreNeededError
        raise RefusedError(Reason.TRUNCATED, "ends where its pixels start: get the file again")
    length = int.from_bytes(content[at : at + 4], order)
    if length != _UNDEFINED and at + 4 + length > size:
        missing = at + 4 + length - size
        raise RefusedError(Reason.TRUNCATED, f"lacks {missing} bytes of pixels: get the file again")


def _damaged(error: Exception) -> RefusedError:
    return RefusedError(
        Reason.DAMAGED, f"is a damaged DICOM file ({type(error).__name__}): get the file again"
    )
