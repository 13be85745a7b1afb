"""A dataset with nothing but what the allow-list lets through, and the statement of the method."""

from collections.abc import Sequence
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from ribsight import __version__
from ribsight.deidentification.allow_list import KEPT
from ribsight.deidentification.sequences import KEPT_SEQUENCES, clean_sequence, code_item
from ribsight.deidentification.subject import Policy, Subject
from ribsight.deidentification.vocabulary import standard_code
from ribsight.radiographs.dicom_header import Header

IMPLEMENTATION = UID("2.25.214836120157318374402217930564177130452")
# CID 7050, De-identification Method.
_BASIC = "113100"
_CLEAN_PIXELS = "113101"
_MODIFIED_DATES = "113107"
_CHARACTERISTICS = "113108"
_METHOD = (f"ribsight {__version__}, allow-list", "PS3.15 Annex E Basic Profile")
LOOKED_AT = "burned-in text painted over; looked at by a person"
NOT_LOOKED_AT = "burned-in text painted over; not looked at"


def clean_dataset(old: Dataset, header: Header, subject: Subject) -> Dataset:
    """Return a new dataset, without pixels, of what may stay of an old one that has a header."""
    new = Dataset()
    new.SOPClassUID = header.sop_class
    new.PatientName = new.PatientID = subject.name
    for kept in KEPT:
        was_there = kept.keyword in old
        value = kept.rule(old, kept.keyword, subject)
        if value is None and was_there:
            value = kept.instead
        if value is None and (kept.present == "always" or (kept.present == "was" and was_there)):
            value = ""
        if value is not None:
            _add(new, kept.keyword, value, is_signed=header.is_signed)
    for sequence in KEPT_SEQUENCES:
        items = clean_sequence(old, sequence, subject)
        if items is not None:
            setattr(new, sequence.keyword, items)
    # What the gate believes where the file says nothing.
    new.SamplesPerPixel = header.samples
    new.BitsStored = header.bits_stored
    new.HighBit = header.low_bit + header.bits_stored - 1
    new.PixelRepresentation = int(header.is_signed)
    _state_method(new, subject.policy)
    return new


def _add(dataset: Dataset, keyword: str, value: Any, *, is_signed: bool) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    representation = dictionary_VR(tag)
    if representation == "US or SS":
        representation = "SS" if is_signed else "US"
        low, high = (-0x8000, 0x7FFF) if is_signed else (0, 0xFFFF)
        if isinstance(value, list) and not all(low <= one <= high for one in value):
            return
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    dataset.add(DataElement(tag, representation, value))


def _state_method(dataset: Dataset, policy: Policy) -> None:
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = list(_METHOD)
    codes = [_BASIC]
    if policy.dates == "shift":
        codes.append(_MODIFIED_DATES)
    if policy.characteristics == "keep":
        codes.append(_CHARACTERISTICS)
    dataset.DeidentificationMethodCodeSequence = _code_items(codes)
    dataset.LongitudinalTemporalInformationModified = (
        "MODIFIED" if policy.dates == "shift" else "REMOVED"
    )


def _code_items(values: Sequence[str]) -> list[Dataset]:
    codes = [standard_code("DCM", value) for value in values]
    return [code_item(*code) for code in codes if code is not None]


def state_painted(dataset: Dataset, how: str) -> None:
    """State that text in the picture was painted over, by whose eyes.

    Args:
        dataset: de-identified, changed in place.
        how: `LOOKED_AT` or `NOT_LOOKED_AT`.
    """
    dataset.BurnedInAnnotation = "NO"
    codes = dataset.DeidentificationMethodCodeSequence
    if not any(item.CodeValue == _CLEAN_PIXELS for item in codes):
        codes.insert(1, *_code_items([_CLEAN_PIXELS]))
    method = [
        one for one in dataset.DeidentificationMethod if one not in (LOOKED_AT, NOT_LOOKED_AT)
    ]
    dataset.DeidentificationMethod = [*method, how]


def clean_meta(dataset: Dataset, transfer_syntax: UID) -> FileMetaDataset:
    """Return file meta information that says what has to be said and nothing of the old file."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = transfer_syntax
    meta.ImplementationClassUID = IMPLEMENTATION
    meta.ImplementationVersionName = "RIBSIGHT_DEID_1"
    return meta
