"""The DICOM objects that say what became of an accepted image."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydicom.dataset import Dataset

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.results import (
    NotProcessed,
    ResultObject,
    ResultOptions,
    SrKind,
    dicom_results,
    edition_of,
)
from ribsight.deployment.results import Outcome as Pictured
from ribsight.deployment.service.header import trusted_header, untrusted_header
from ribsight.deployment.service.logs import told
from ribsight.deployment.service.outcomes import Outcome
from ribsight.deployment.service.settings import ObjectSettings
from ribsight.errors import RibsightError
from ribsight.radiographs.attributes import text
from ribsight.radiographs.radiograph import Identifiers

_LOG = logging.getLogger(__name__)


def options_of(settings: ObjectSettings) -> ResultOptions:
    """Return the options that settings name."""
    return ResultOptions(
        objects=frozenset(map(ResultObject, settings.objects)),
        sr=SrKind(settings.sr),
        least_score=settings.least_score,
        pictures_of=frozenset(map(Pictured, settings.pictures_of)),
        series_number=settings.series_number,
    )


class Objects:
    """What makes objects: the model that they name, and which of them are wanted."""

    def __init__(self, detector: DetectorAtWork, options: ResultOptions):
        """Make the objects of `options`; others for other thresholds of the model."""
        self._identity = detector.identity
        self._options = replace(options, edition=edition_of(detector.levels))

    def of(self, path: Path, outcome: Outcome) -> Outcome:
        """Return an outcome with its objects; with a remark where an image can have none.

        Args:
            path: the image's file.
            outcome: what became of it.

        Raises:
            Exception: a bug, here or in highdicom.
        """
        if outcome.radiograph is None:
            header = untrusted_header(path)
            if header is None:
                return outcome
            made = self._attempted(header, outcome)
            return replace(outcome, objects=made, identifiers=_identifiers(header))
        try:
            return replace(outcome, objects=self._made(trusted_header(path), outcome))
        except RibsightError as error:  # the file lacks an identifier that objects must repeat
            return _remarked(outcome, f"has no DICOM objects: {error}")

    def _attempted(self, header: Dataset, outcome: Outcome) -> Sequence[Dataset]:
        try:
            return self._made(header, outcome)
        except Exception as error:  # anything may be missing in a file that could not be read
            _LOG.info("an image that could not be read gets no objects: %s", told(error))
            return []

    def _made(self, header: Dataset, outcome: Outcome) -> Sequence[Dataset]:
        said = outcome.prediction or NotProcessed(outcome.reason or "is not scored")
        return dicom_results(
            header, said, self._identity, self._options, radiograph=outcome.radiograph
        )


def _identifiers(header: Dataset) -> Identifiers:
    return Identifiers(
        patient_id=text(header, "PatientID"),
        study_uid=text(header, "StudyInstanceUID"),
        accession_number=text(header, "AccessionNumber"),
    )


def _remarked(outcome: Outcome, remark: str) -> Outcome:
    if outcome.prediction is None:
        return replace(outcome, reason=f"{outcome.reason}; {remark}")
    said = outcome.prediction
    return replace(outcome, prediction=replace(said, warnings=(*said.warnings, remark)))
