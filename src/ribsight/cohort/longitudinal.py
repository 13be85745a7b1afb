"""Patients with several studies: their order, the days between them, and which to keep."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from enum import StrEnum

import polars as pl

from ribsight.cohort.images import ReadImage
from ribsight.cohort.left_out import LeftOut
from ribsight.cohort.linking import image_moment

LONGITUDINAL = pl.Schema(
    {
        "study_number": pl.Int32,  # of the patient's studies in the cohort, by date, from 1
        "days_since_first": pl.Int32,  # since the first of them
    }
)


class Studies(StrEnum):
    """Which studies of a patient are kept."""

    ALL = "all"
    FIRST = "first"
    LAST = "last"


def choose_studies(
    read: Mapping[str, ReadImage], studies: Studies
) -> tuple[dict[str, ReadImage], list[LeftOut]]:
    """Keep each patient's first or last study; images without patient or date stay.

    Returns:
        What is kept, and the others with their reasons.
    """
    if studies is Studies.ALL:
        return dict(read), []
    of_patient = _studies_of_patients(read)
    end = 0 if studies is Studies.FIRST else -1
    chosen = {patient: list(dates)[end] for patient, dates in of_patient.items()}
    kept, left_out = {}, []
    for id_, image in read.items():
        study = _study_of(image)
        if study is None or image.patient is None or chosen[image.patient] == study:
            kept[id_] = image
        else:
            left_out.append(LeftOut(image.file, "", f"not the patient's {studies} study"))
    return kept, left_out


def longitudinal_columns(read: Mapping[str, ReadImage]) -> dict[str, dict[str, int | None]]:
    """Return the columns of `LONGITUDINAL` by id; null without patient or date."""
    of_patient = _studies_of_patients(read)
    columns: dict[str, dict[str, int | None]] = {}
    for id_, image in read.items():
        study = _study_of(image)
        if study is None or image.patient is None:
            columns[id_] = dict.fromkeys(LONGITUDINAL)
            continue
        dates = of_patient[image.patient]
        columns[id_] = {
            "study_number": list(dates).index(study) + 1,
            "days_since_first": (dates[study] - min(dates.values())).days,
        }
    return columns


_Moment = tuple[date, str]


def _study_of(image: ReadImage) -> str | None:
    """Return the name of the image's study, None if it has no date."""
    return None if image_moment(image) is None else image.study or f"image {image.id}"


def _studies_of_patients(read: Mapping[str, ReadImage]) -> dict[str, dict[str, date]]:
    """Return the dates of each patient's studies, in their order."""
    found: defaultdict[str, dict[str, _Moment]] = defaultdict(dict)
    for image in read.values():
        study, moment = _study_of(image), image_moment(image)
        if study is None or moment is None or image.patient is None:
            continue
        at = moment.at.date(), str(image.origin.get("study_time") or "")
        known = found[image.patient]
        known[study] = min(at, known.get(study, at))
    return {
        patient: {
            study: day for (day, _), study in sorted((at, study) for study, at in known.items())
        }
        for patient, known in found.items()
    }
