"""What is known better than by records: an expert's readings, and who is held out."""

import csv
from dataclasses import replace
from pathlib import Path

import polars as pl

from ribsight.cohort.tables import DIAGNOSES, Cohort
from ribsight.errors import RibsightError, nearest
from ribsight.findings import Acuity, Side, Split
from ribsight.records import DiagnosisTable


def apply_readings(cohort: Cohort, readings: DiagnosisTable) -> tuple[Cohort, int]:
    """Let an expert's readings replace what the records say of the same radiographs.

    Args:
        cohort: built from records.
        readings: rows of radiographs and findings of the cohort; rows of others are counted.

    Returns:
        The cohort, and how many rows named no radiograph of it.

    Raises:
        RibsightError: a finding that the cohort lacks, or no row about any of its radiographs.
    """
    known = set(cohort.ids)
    for finding in readings.mapping.findings:
        if finding not in cohort.findings:
            raise RibsightError(
                f"the cohort has no finding '{finding}'{nearest(finding, cohort.findings)}"
            )
    records = [
        {
            "radiograph": _stem(row.image, known),
            "finding": finding,
            "state": state.value,
            "acuity": Acuity.UNKNOWN.value,
            "side": Side.UNKNOWN.value,
            "evidence": readings.evidence(row, finding),
        }
        for row in readings.rows
        for finding, state in row.states.items()
    ]
    read = pl.DataFrame(records, schema=DIAGNOSES).filter(pl.col("radiograph").is_in(known))
    if read.is_empty():
        raise RibsightError(f"{readings.path} reads none of the cohort's radiographs")
    keys = ["radiograph", "finding"]
    replaced = cohort.diagnoses.update(
        read, on=keys, how="left", include_nulls=True, maintain_order="left"
    )
    unknown = len(readings.rows) - read["radiograph"].n_unique()
    provenance = {**cohort.provenance, "readings": readings.path.name}
    return replace(cohort, diagnoses=replaced, provenance=provenance), unknown


def _stem(image: str, known: set[str]) -> str:
    return image if image in known else Path(image).stem


def apply_split(cohort: Cohort, path: Path) -> Cohort:
    """Allot patients to splits as a table says, instead of drawing.

    Args:
        cohort: with patients.
        path: CSV with the columns `patient_id` and `split` (train, val, test); further columns
            and patients that the cohort lacks are passed over.

    Raises:
        RibsightError: no readable table, a patient twice or with another word, or a radiograph
            whose patient is not in the table.
    """
    split_of = _read_split(path)
    radiographs = cohort.radiographs
    missing = [
        (radiograph, patient)
        for radiograph, patient in radiographs.select("radiograph", "patient").rows()
        if patient not in split_of
    ]
    if missing:
        radiograph, patient = missing[0]
        raise RibsightError(
            f"{path} has no row for patient {patient or '(unknown)'} of radiograph {radiograph}"
            + (f", and {len(missing) - 1} more are missing" if len(missing) > 1 else "")
        )
    splits = [split_of[patient] for patient in radiographs["patient"]]
    changed = radiographs.with_columns(split=pl.Series(splits, dtype=pl.String))
    provenance = {**cohort.provenance, "split_file": path.name}
    return replace(cohort, radiographs=changed, provenance=provenance)


def _read_split(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RibsightError(f"cannot read {path}: {error}") from error
    split_of: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        patient, split = row.get("patient_id"), row.get("split")
        if not patient or not split:
            raise RibsightError(f"{path}, row {number} lacks patient_id or split")
        if split not in set(Split):
            raise RibsightError(
                f"{path}, row {number} says '{split}': a split is {', '.join(Split)}"
            )
        if split_of.setdefault(patient, split) != split:
            raise RibsightError(f"{path}, row {number} allots patient {patient} a second time")
    return split_of
