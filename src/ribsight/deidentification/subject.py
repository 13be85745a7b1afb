"""Who a file is about, under the new name."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from pydicom.dataset import Dataset

from ribsight.deidentification.key import Key
from ribsight.radiographs.attributes import text

Dates = Literal["shift", "drop"]
Characteristics = Literal["keep", "drop"]


@dataclass(frozen=True)
class Policy:
    """What is kept beyond the basic profile.

    Attributes:
        key: makes the new values.
        dates: `shift` moves each patient's dates back by a constant, `drop` empties them.
        characteristics: whether sex and age, 90 years at most, stay.
        blackout: whether text found in the picture is painted over without asking.
    """

    key: Key = field(repr=False)
    dates: Dates = "shift"
    characteristics: Characteristics = "keep"
    blackout: bool = False


@dataclass(frozen=True)
class Subject:
    """A patient as the new files name them.

    Attributes:
        policy: what is kept, and the key.
        name: the new patient id.
        is_patient: False if the file names no patient, and its study stands for one.
    """

    policy: Policy
    name: str
    is_patient: bool

    def day(self, old: date) -> str:
        """Return a date moved back, as DICOM writes it; blank if dates are dropped."""
        new = self.policy.key.shifted(old, self.name) if self.policy.dates == "shift" else None
        return f"{new:%Y%m%d}".zfill(8) if new else ""


def subject_of(dataset: Dataset, policy: Policy) -> Subject:
    """Return the patient of a file; without a PatientID, the study in the patient's place."""
    patient = text(dataset, "PatientID")
    if patient:
        return Subject(policy, policy.key.name("patient", patient), is_patient=True)
    study = text(dataset, "StudyInstanceUID") or text(dataset, "SOPInstanceUID") or ""
    return Subject(policy, policy.key.name("patient of study", study), is_patient=False)
