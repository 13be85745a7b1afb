"""What all DICOM objects about an image share: its patient and study, codes, identifiers, no clock.

The objects of `ribsight regions convert --to dicom-sr` and of a detector at work are made of this.
"""

import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ribsight.errors import RibsightError
from ribsight.regions.formats.dicom_codes import ANY_FINDING, OWN_SCHEME, WRITTEN, Code

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

MANUFACTURER = "ribsight"
LONGEST = 64

_REFERENCE = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# Present in every object, empty where the image does not say.
_ALWAYS = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate",
           "StudyTime", "AccessionNumber", "ReferringPhysicianName")  # fmt: skip
_IF_STATED = ("IssuerOfPatientID", "PatientBirthTime", "PatientAge", "PatientSize", "PatientWeight",
              "PatientIdentityRemoved", "DeidentificationMethod", "StudyDescription",
              "LongitudinalTemporalInformationModified", "TimezoneOffsetFromUTC")  # fmt: skip
# What archives find patients and orders by: a value cut short or left out is another patient's.
_AS_THEY_ARE = frozenset({"PatientID", "PatientName", "AccessionNumber", "IssuerOfPatientID"})
_SEXES = frozenset({"M", "F", "O", ""})
# The last says only which library wrote the object, and when.
_CLOCKS = ("InstanceCreationDate", "InstanceCreationTime", "DateOfSecondaryCapture",
           "TimeOfSecondaryCapture", "ContributingEquipmentSequence")  # fmt: skip
_CONTENT = ("Content", "PresentationCreation")
_IDENTIFIER = re.compile(r"[0-9A-Za-z._-]{1,64}")
_UTF_8 = "ISO_IR 192"
_MOMENTS = (("AcquisitionDate", "AcquisitionTime"), ("ContentDate", "ContentTime"),
            ("StudyDate", "StudyTime"), ("SeriesDate", "SeriesTime"))  # fmt: skip
_NO_DATE = datetime(1900, 1, 1)


def named_uid(seed: str) -> str:
    """Return a UID under 2.25 (PS3.5 B.2) that is a function of `seed` alone."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, seed).int}"


def coded(code: Code) -> Any:
    """Return a code as highdicom takes it."""
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)


def finding_code(name: str) -> Code:
    """Return the code of a category. Raises RibsightError if DICOM cannot hold its name."""
    if name in WRITTEN:
        return WRITTEN[name][0]
    if not 0 < len(name) <= LONGEST or "\\" in name or not name.isprintable():
        raise RibsightError(f"DICOM cannot hold the category '{name}': rename it with --category")
    value = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if len(value) > 16 or value == ANY_FINDING.value or not value:
        value = f"c{uuid.uuid5(uuid.NAMESPACE_OID, name).hex[:15]}"
    return Code(value, OWN_SCHEME, name)


def subject(header: "Dataset", called: str) -> "Dataset":
    """Return what objects about an image repeat of it: its identifiers, patient and study.

    A value that breaks the rules of its kind is left out, but identifiers of the patient and the
    order stay as they are. Text keeps its character set; under one that DICOM does not know, it
    becomes UTF-8.

    Raises:
        RibsightError: the image has no identifier of its own, its series or its study.
    """
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    about = Dataset()
    for keyword in _REFERENCE:
        found = _element(header, keyword)
        value = str(found.value).strip("\0 ") if found else ""
        if not _IDENTIFIER.fullmatch(value):
            raise RibsightError(f"{called} has no usable {keyword}, which a report refers to")
        about.add(unchecked(keyword, value))
    sets = _character_sets(header)
    if sets:
        about.SpecificCharacterSet = sets
    for keyword in (*_ALWAYS, *_IF_STATED):
        found = _element(header, keyword)
        if found is not None and (keyword in _AS_THEY_ARE or _is_right(found)):
            about.add(DataElement(found.tag, found.VR, found.value, already_converted=True))
        elif keyword in _ALWAYS:
            about.add(unchecked(keyword, ""))
    return about


def reference(about: "Dataset") -> "Dataset":
    """Return `about` with its identifiers alone, as highdicom's constructors take it.

    They would refuse a patient's name that breaks a rule; `finished` puts the patient in.
    """
    from pydicom.dataset import Dataset

    bare = Dataset()
    for keyword in _REFERENCE:
        bare.add(about[keyword])
    for keyword in _ALWAYS:
        bare.add(unchecked(keyword, ""))
    return bare


def finished(made: "Dataset", about: "Dataset", moment: datetime) -> "Dataset":
    """Put patient and study into an object and take out when it was made: same input, same bytes.

    Args:
        made: changed in place.
        about: `subject` of the image.
        moment: stands as the object's content date and time.
    """
    for keyword in _CLOCKS:
        made.pop(keyword, None)
    for element in about:
        if element.keyword not in _REFERENCE:
            made.add(element)
    for what in _CONTENT:
        if f"{what}Date" in made:
            setattr(made, f"{what}Date", f"{moment:%Y%m%d}")
            setattr(made, f"{what}Time", f"{moment:%H%M%S}")
    return made


def moment_of(header: "Dataset") -> datetime:
    """Return when an image was taken, or else the study begun; 1 January 1900 if nothing says."""
    for day, time in _MOMENTS:
        date = _digits(header, day, 8)
        if date is None:
            continue
        clock = (_digits(header, time, 6) or _digits(header, time, 4) or "").ljust(6, "0")
        for said in (date + clock, date + "000000"):
            try:
                return datetime.strptime(said, "%Y%m%d%H%M%S")
            except ValueError:
                continue
    return _NO_DATE


def _digits(header: "Dataset", keyword: str, count: int) -> str | None:
    found = _element(header, keyword)
    value = str(found.value)[:count] if found else ""
    return value if len(value) == count and value.isascii() and value.isdigit() else None


def _element(header: "Dataset", keyword: str) -> "DataElement | None":
    """Return an attribute that is there and can be read."""
    try:
        return header[keyword] if keyword in header else None  # noqa: SIM401
    except Exception:  # pydicom raises nearly anything on damaged values
        return None


def unchecked(keyword: str, value: str) -> "DataElement":
    """Return an attribute as it is, without a warning that quotes it."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import DataElement
    from pydicom.valuerep import PersonName

    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)
    kept = PersonName(value) if vr == "PN" else value
    return DataElement(tag, vr, kept, already_converted=True)


def _is_right(element: "DataElement") -> bool:
    from pydicom.config import RAISE
    from pydicom.valuerep import validate_value

    value = element.value
    if element.is_empty:
        return True
    if element.VM != 1 or (element.keyword == "PatientSex" and value not in _SEXES):
        return False
    try:
        validate_value(element.VR, str(value), RAISE)
    except ValueError:
        return False
    # A range is right in a query only.
    return not (element.VR in ("DA", "TM") and "-" in str(value))


def _character_sets(header: "Dataset") -> list[str]:
    from pydicom.charset import python_encoding

    found = _element(header, "SpecificCharacterSet")
    named = list(_values(found)) if found is not None else []
    if not any(named):
        return []
    return named if all(one in python_encoding for one in named) else [_UTF_8]


def _values(element: "DataElement") -> Iterator[str]:
    values = element.value if element.VM > 1 else [element.value]
    yield from (str(one or "") for one in values)
