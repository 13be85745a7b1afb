"""What is known better than by records: an expert's readings, and who is held out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from ribsight.cohort.images import find_id, names_of
from ribsight.cohort.split import HELD_OUT_KEYS
from ribsight.cohort.tables import DIAGNOSES, PLACES, Cohort
from ribsight.errors import RibsightError, nearest
from ribsight.findings import Acuity, DiagnosisState, Side, Split
from ribsight.records import DiagnosisTable
from ribsight.records.diagnosis_table import read_cells

_AGREEMENT = "readings_agreement_"


def apply_readings(cohort: Cohort, readings: DiagnosisTable) -> tuple[Cohort, int]:
    """Let an expert's readings replace what the records say of the same radiographs.

    Where the expert says nothing (a blank cell, or `unknown`) the record stays.

    Args:
        cohort: built from records.
        readings: rows of radiographs and findings of the cohort; rows of others are counted.

    Returns:
        The cohort, and how many rows named no radiograph of it.

    Raises:
        RibsightError: a finding that the cohort lacks, two rows about one of its radiographs, or
            no row about any.
    """
    names = _names(cohort)
    for finding in readings.mapping.findings:
        if finding not in cohort.findings:
            raise RibsightError(
                f"the cohort has no finding '{finding}'{nearest(finding, cohort.findings)}"
            )
    _refuse_doubled(readings, names)
    agreement = compare_readings(cohort, readings)
    records = [
        {
            "radiograph": find_id(row.image, names) or "",
            "finding": finding,
            "state": state.value,
            "acuity": Acuity.UNKNOWN.value,
            "side": Side.UNKNOWN.value,
            "evidence": readings.evidence(row, finding),
            "ribs": "",
        }
        for row in readings.rows
        for finding, state in row.states.items()
        if state is not DiagnosisState.UNKNOWN
    ]
    schema = {**DIAGNOSES, **PLACES}
    read = pl.DataFrame(records, schema=schema).filter(pl.col("radiograph") != "")
    known = sum(find_id(row.image, names) is not None for row in readings.rows)
    if not known:
        raise RibsightError(f"{readings.path} reads none of the cohort's radiographs")
    keys = ["radiograph", "finding"]
    replaced = cohort.diagnoses.update(
        read.select(cohort.diagnoses.columns),
        on=keys,
        how="left",
        include_nulls=True,
        maintain_order="left",
    )
    unknown = len(readings.rows) - known
    noted = {
        f"{_AGREEMENT}{finding}": ", ".join(
            f"{record}/{read} {count}" for (record, read), count in sorted(counts.items())
        )
        for finding, counts in agreement.items()
        if counts
    }
    provenance = {**cohort.provenance, "readings": readings.path.name, **noted}
    return replace(cohort, diagnoses=replaced, provenance=provenance), unknown


def _refuse_doubled(readings: DiagnosisTable, names: Mapping[str, str]) -> None:
    first: dict[str, int] = {}
    for row in readings.rows:
        id_ = find_id(row.image, names)
        if id_ is None:
            continue
        if first.setdefault(id_, row.row) != row.row:
            raise RibsightError(
                f"{readings.path}: rows {first[id_]} and {row.row} are both about {id_}; keep one"
            )


def compare_readings(
    cohort: Cohort, readings: DiagnosisTable
) -> dict[str, dict[tuple[str, str], int]]:
    """Count, for each finding, what the cohort says and what the expert says of one radiograph.

    Where the expert says nothing nothing is counted.
    """
    names = _names(cohort)
    counts: dict[str, Counter[tuple[str, str]]] = {one: Counter() for one in cohort.findings}
    states = {
        (id_, finding): state
        for id_, finding, state in cohort.diagnoses.select(
            "radiograph", "finding", "state"
        ).iter_rows()
    }
    for row in readings.rows:
        for finding, read in row.states.items():
            record = states.get((find_id(row.image, names) or "", finding))
            is_read = read is not DiagnosisState.UNKNOWN and finding in counts
            if record is not None and is_read:
                counts[finding][record, read.value] += 1
    return {finding: dict(one) for finding, one in counts.items()}


def recorded_agreement(cohort: Cohort) -> dict[str, dict[tuple[str, str], int]]:
    """Return what `compare_readings` counted when readings were applied; nothing if never."""
    agreement: dict[str, dict[tuple[str, str], int]] = {}
    for finding in cohort.findings:
        noted = cohort.provenance.get(f"{_AGREEMENT}{finding}")
        if isinstance(noted, str):
            pairs = (one.rpartition(" ") for one in noted.split(", "))
            agreement[finding] = {
                (key.partition("/")[0], key.partition("/")[2]): int(count)
                for key, _, count in pairs
            }
    return agreement


def _names(cohort: Cohort) -> dict[str, str]:
    """Return the id of each id, and of each name of a file in an archive."""
    if "name" not in cohort.radiographs.columns:
        return {id_: id_ for id_ in cohort.ids}
    files = cohort.radiographs.select("radiograph", "name").rows()
    return names_of({id_: name or id_ for id_, name in files})


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
    earlier = {key: one for key, one in cohort.provenance.items() if key not in HELD_OUT_KEYS}
    provenance = {**earlier, "split_file": path.name}
    return replace(cohort, radiographs=changed, provenance=provenance)


def _read_split(path: Path) -> dict[str, str]:
    header, rows = read_cells(path)
    for column in ("patient_id", "split"):
        if header.count(column) != 1:
            raise RibsightError(
                f"{path} needs one column '{column}'{nearest(column, header)}; its columns are: "
                f"{', '.join(header)}"
            )
    split_of: dict[str, str] = {}
    for number, cells in rows:
        patient, split = cells[header.index("patient_id")], cells[header.index("split")]
        if not patient or not split:
            raise RibsightError(f"{path}, row {number} lacks patient_id or split")
        if split not in set(Split):
            raise RibsightError(
                f"{path}, row {number} says '{split}': a split is {', '.join(Split)}"
            )
        if split_of.setdefault(patient, split) != split:
            raise RibsightError(f"{path}, row {number} allots patient {patient} a second time")
    return split_of
