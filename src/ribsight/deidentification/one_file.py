"""One DICOM file -> its de-identified copy, or the reason why there is none."""

from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset

from ribsight.deidentification.blackout import painted
from ribsight.deidentification.burned_in import TextBox, find_text
from ribsight.deidentification.dataset import (
    NOT_LOOKED_AT,
    clean_dataset,
    state_painted,
)
from ribsight.deidentification.opening import Film, open_dataset, open_film
from ribsight.deidentification.pixels import clean_pixels
from ribsight.deidentification.subject import Policy, Subject, subject_of
from ribsight.deidentification.values import parse_day
from ribsight.deidentification.writing import file_content
from ribsight.radiographs.attributes import UnusableDicomError, text, words
from ribsight.radiographs.quiet import silent_pydicom
from ribsight.radiographs.view import read_view

NO_PATIENT = "names no patient: its study stands for one"
CLAIMS_TEXT = "says of itself that something is burnt in"
REWRITTEN = "held more than its image in its samples: written uncompressed, without it"
_IDENTIFIERS = {
    "patient_id": "PatientID",
    "study_uid": "StudyInstanceUID",
    "study_id": "StudyID",
    "accession_number": "AccessionNumber",
    "study_date": "StudyDate",
    "sop_instance_uid": "SOPInstanceUID",
}


@dataclass(frozen=True)
class Identity:
    """What a file says of its patient, study and image, by column.

    Attributes:
        old: as it came.
        new: as it is after de-identification.
    """

    old: dict[str, str] = field(repr=False)
    new: dict[str, str]


@dataclass(frozen=True)
class Clean:
    """A de-identified file.

    Attributes:
        content: the file.
        name: of the file, without ending.
        identity: who and what it is about.
        view: `pa`, `ap`, `frontal`, `oblique`, `lateral` or blank.
        text: where text may be burnt into the picture.
        held: whether a person has to look before it is handed on.
        painted: whether that text was painted over.
        remarks: what was noticed, naming no patient.
    """

    content: bytes = field(repr=False)
    name: str
    identity: Identity
    view: str
    text: tuple[TextBox, ...]
    held: bool
    painted: bool
    remarks: tuple[str, ...]


def deidentify(content: bytes, policy: Policy) -> Clean:
    """Return the de-identified copy of a DICOM file's content: the same for the same key.

    The copy is read again, and must decode to the same stored values and show the same picture.

    Raises:
        UnusableDicomError: why there is none, continuing a sentence about the file without
            anything of the patient.
    """
    try:
        with silent_pydicom():
            return _deidentify(content, policy)
    except UnusableDicomError:
        raise
    except Exception as error:  # pydicom and decoders raise nearly anything on damaged bytes
        raise UnusableDicomError(f"is a damaged DICOM file ({type(error).__name__})") from None


def identify(content: bytes, policy: Policy) -> Identity:
    """Return old and new identifiers of a file's content; none of what is no DICOM file."""
    try:
        with silent_pydicom():
            dataset, _ = open_dataset(content, pixels=False)
            return _identity(dataset, subject_of(dataset, policy))
    except Exception:  # pydicom raises nearly anything on damaged bytes
        return Identity({}, {})


def _deidentify(content: bytes, policy: Policy) -> Clean:
    film = open_film(content)
    old, subject = film.dataset, subject_of(film.dataset, policy)
    identity = _identity(old, subject)
    if not (identity.old["sop_instance_uid"] and identity.old["study_uid"]):
        raise UnusableDicomError("does not say which image of which study it is")
    new = clean_dataset(old, film.header, subject)
    pixels = clean_pixels(old, film.header, film.stored)
    found = find_text(film.shown)
    finished = file_content(new, pixels)
    _check_same(finished, film)
    claims = "YES" in words(old, "BurnedInAnnotation")
    # Who says that there is text knows more than a search: a person has to look.
    paints = policy.blackout and bool(found) and not claims
    if paints:
        state_painted(new, NOT_LOOKED_AT)
        finished = file_content(new, painted(film, [one.box for one in found]))
    rewritten = pixels.transfer_syntax != film.header.transfer_syntax
    noticed = {
        NO_PATIENT: not subject.is_patient,
        CLAIMS_TEXT: claims,
        REWRITTEN: rewritten and film.header.transfer_syntax.is_encapsulated,
    }
    return Clean(
        content=finished,
        name=policy.key.file_name(identity.old["sop_instance_uid"]),
        identity=identity,
        view=read_view(old, [])[0] or "",
        text=found,
        held=claims or (bool(found) and not paints),
        painted=paints,
        remarks=tuple(remark for remark, applies in noticed.items() if applies),
    )


def _check_same(content: bytes, film: Film) -> None:
    again = open_film(content)
    same = film.header.samples == 3 or np.array_equal(again.stored, film.stored)
    if not same or not np.array_equal(again.shown, film.shown):
        raise UnusableDicomError("would not show the same picture without what has to go")


def _identity(dataset: Dataset, subject: Subject) -> Identity:
    key = subject.policy.key
    old = {column: text(dataset, keyword) or "" for column, keyword in _IDENTIFIERS.items()}
    day = parse_day(old["study_date"])
    shifted = subject.day(day) if day else ""
    new = {
        "patient_id": subject.name,
        "study_uid": key.uid(old["study_uid"]) if old["study_uid"] else "",
        "study_id": key.name("study", old["study_id"]) if old["study_id"] else "",
        "accession_number": (
            key.name("accession", old["accession_number"]) if old["accession_number"] else ""
        ),
        "study_date": f"{shifted[:4]}-{shifted[4:6]}-{shifted[6:]}" if shifted else "",
        "sop_instance_uid": key.uid(old["sop_instance_uid"]) if old["sop_instance_uid"] else "",
    }
    return Identity(old, new)
