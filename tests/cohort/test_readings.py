"""An expert's readings overrule records; a table allots patients to splits."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from ribsight.cohort.readings import apply_readings, apply_split, compare_readings
from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.records import ColumnMapping, DiagnosisTable, read_diagnosis_table


def _table(tmp_path: Path, text: str, finding: str = "fracture") -> DiagnosisTable:
    path = tmp_path / "readings.csv"
    path.write_text(text)
    return read_diagnosis_table(path, ColumnMapping("image_id", {finding: finding}))


def _states(cohort: Cohort) -> dict[str, str]:
    return dict(cohort.diagnoses.select("radiograph", "state").rows())


def test_readings_replace_records_and_leave_the_others(
    small_cohort: Cohort, tmp_path: Path
) -> None:
    before = _states(small_cohort)
    assert (before["img000"], before["img001"]) == ("positive", "negative")
    readings = _table(tmp_path, "image_id,fracture\nimg000,0\nimg001.dcm,-1\nother,1\n")
    changed, unknown = apply_readings(small_cohort, readings)
    assert _states(changed) == {**before, "img000": "negative", "img001": "uncertain"}
    assert unknown == 1
    evidence = changed.diagnoses.filter(pl.col("radiograph") == "img000")["evidence"].item()
    assert evidence == "readings.csv, row 2, column fracture"
    assert (
        changed.diagnoses["radiograph"].to_list() == small_cohort.diagnoses["radiograph"].to_list()
    )


def test_where_an_expert_says_nothing_the_record_stays(
    small_cohort: Cohort, tmp_path: Path
) -> None:
    readings = _table(tmp_path, "image_id,fracture\nimg000,\nimg001,unknown\nimg002,0\n")
    changed, elsewhere = apply_readings(small_cohort, readings)
    assert elsewhere == 0
    keep = pl.col("radiograph").is_in(["img000", "img001"])
    assert changed.diagnoses.filter(keep).equals(small_cohort.diagnoses.filter(keep))
    assert _states(changed)["img002"] == "negative"
    counts = compare_readings(small_cohort, readings)["fracture"]
    assert sum(counts.values()) == 1


def test_readings_take_the_ribs_of_the_record_away(small_cohort: Cohort, tmp_path: Path) -> None:
    named = small_cohort.diagnoses.with_columns(ribs=pl.lit("left 4"))
    readings = _table(tmp_path, "image_id,fracture\nimg000,1\n")
    changed, _ = apply_readings(replace(small_cohort, diagnoses=named), readings)
    ribs = dict(changed.diagnoses.select("radiograph", "ribs").rows())
    assert ribs.pop("img000") == ""
    assert set(ribs.values()) == {"left 4"}


def test_readings_of_nothing_here_or_of_another_finding_are_refused(
    small_cohort: Cohort, tmp_path: Path
) -> None:
    with pytest.raises(RibsightError, match=r"readings\.csv reads none"):
        apply_readings(small_cohort, _table(tmp_path, "image_id,fracture\nother,1\n"))
    with pytest.raises(RibsightError, match="did you mean 'fracture'"):
        apply_readings(small_cohort, _table(tmp_path, "image_id,fractur\nimg000,1\n", "fractur"))


def test_two_readings_of_one_radiograph_are_refused(small_cohort: Cohort, tmp_path: Path) -> None:
    readings = _table(tmp_path, "image_id,fracture\nimg000,0\nimg001,1\nfilms/img000.png,1\n")
    with pytest.raises(RibsightError, match="rows 2 and 4 are both about img000; keep one"):
        apply_readings(small_cohort, readings)


def test_a_table_of_patients_may_come_from_a_spreadsheet(
    small_cohort: Cohort, tmp_path: Path
) -> None:
    path = tmp_path / "split.csv"
    patients = small_cohort.radiographs["patient"].unique().sort()
    rows = "".join(f"{patient} ;train\r\n" for patient in patients)
    path.write_text(f"patient_id;split\r\n{rows};\r\n", encoding="utf-8-sig")
    assert set(apply_split(small_cohort, path).radiographs["split"]) == {"train"}


def test_a_table_allots_patients(small_cohort: Cohort, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    rows = [f"p{k},{('train', 'val', 'test')[k % 3]}" for k in range(6)]
    path.write_text("\n".join(["patient_id,split", *rows, "p99,test"]) + "\n")
    split = apply_split(small_cohort, path)
    by_patient = dict(split.radiographs.select("patient", "split").rows())
    assert by_patient == {f"p{k}": ("train", "val", "test")[k % 3] for k in range(6)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("patient_id,split\np0,train\n", "no row for patient p1 of radiograph img002, and 9 more"),
        ("patient_id,split\np0,training\n", "row 2 says 'training': a split is train, val, test"),
        ("patient_id,split\np0,train\np0,val\n", "row 3 allots patient p0 a second time"),
        (
            "patient,split\np0,train\n",
            "needs one column 'patient_id'",
        ),
        ("patient_id,split\np0,\n", "row 2 lacks patient_id or split"),
    ],
)
def test_an_unusable_split_names_the_row(
    small_cohort: Cohort, tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "split.csv"
    path.write_text(text)
    with pytest.raises(RibsightError, match=sentence):
        apply_split(small_cohort, path)
