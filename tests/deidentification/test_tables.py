"""Tables with new identifiers: they join as before, and hold nothing that nobody accounted for."""

import csv
import json
from datetime import date
from pathlib import Path

import pytest

from ribsight.deidentification.annotations import deidentify_annotations
from ribsight.deidentification.columns import Declared, Kind, parse_kinds
from ribsight.deidentification.folder import Folder, Record, prepare
from ribsight.deidentification.run import keyed_image_id
from ribsight.deidentification.subject import Policy
from ribsight.deidentification.tables import (
    Links,
    TableSummary,
    deidentify_table,
    links_of,
)
from ribsight.errors import RibsightError
from ribsight.records.rows import TableFormat

PLAIN = Declared({})


@pytest.fixture
def folder(tmp_path: Path, policy: Policy) -> Folder:
    return prepare(tmp_path / "out", policy)


@pytest.fixture
def links(policy: Policy) -> Links:
    """One film, a.dcm of patient P1 in study S1."""
    row = {
        "patient_id": policy.key.name("patient", "P1"),
        "study_id": policy.key.name("study", "S1"),
    }
    return links_of([Record("s", "c", keyed_image_id(policy, "a"), image="f" * 32, row=row)])


def run(
    folder: Folder,
    policy: Policy,
    text: str,
    declared: Declared = PLAIN,
    links: Links | None = None,
    form: TableFormat | None = None,
) -> tuple[TableSummary, list[dict[str, str]]]:
    path = folder.out.parent / "table.csv"
    path.write_text(text, encoding="utf-8")
    done = deidentify_table(path, folder, policy, links or Links(), declared, form or TableFormat())
    with (folder.out / "tables" / "table.csv").open(newline="") as stream:
        return done, list(csv.DictReader(stream))


def test_codes(folder: Folder, policy: Policy) -> None:
    done, rows = run(
        folder,
        policy,
        "patient_id,study_id,accession_number,encounter_date,code,coding_system\n"
        "P1,S1,A1,2020-01-01,S22.41XA,ICD-10-CM\n"
        "P1,1.2.840.99.5,,20200111,807.03;V54.19,icd-9-cm\n",
    )
    assert done.rows == 2
    key = policy.key
    assert rows[0]["patient_id"] == rows[1]["patient_id"] == key.name("patient", "P1")
    assert rows[0]["study_id"] == key.name("study", "S1")
    assert rows[1]["study_id"] == key.uid("1.2.840.99.5")
    assert rows[0]["accession_number"] == key.name("accession", "A1")
    days = [date.fromisoformat(row["encounter_date"]) for row in rows]
    assert (days[1] - days[0]).days == 10
    assert days[0] == key.shifted(date(2020, 1, 1), rows[0]["patient_id"])
    assert rows[1]["code"] == "807.03;V54.19"


def test_names_of_columns_are_declared(folder: Folder, policy: Policy) -> None:
    declared = Declared(
        parse_kinds([("patient", "MRN"), ("date", "Tag"), ("age", "Alter")]),
        frozenset({"hint"}),
        frozenset({"report", "Arzt"}),
    )
    done, rows = run(
        folder,
        policy,
        "MRN;Tag;Alter;hint;report;Arzt\nP1;31.12.2019;93;two words;long text;Dr. No\n",
        declared,
        form=TableFormat(date_formats=("%d.%m.%Y",)),
    )
    assert done.dropped == ("report", "Arzt")
    assert rows[0]["MRN"] == policy.key.name("patient", "P1")
    assert rows[0]["Alter"] == "90"
    assert set(rows[0]) == {"MRN", "Tag", "Alter", "hint"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("patient_id,report\nP1,fell from Zebulon\n", "free text such as 'report'"),
        ("patient_id,rib_fracture,rib_fracture_evidence\nP1,1,Zebulon\n", "rib_fracture_evidence"),
        ("patient_id,ward\nP1,Zebulon\n", "columns ward is not known"),
        ("patient_id,code\nP1,Zebulon\n", "columns code is not known"),
        ("patient_id,study_date\nP1,Zebulon\n", "row 2, column 'study_date' is no date"),
    ],
)
def test_what_nobody_accounts_for_stops(
    folder: Folder, policy: Policy, text: str, says: str
) -> None:
    with pytest.raises(RibsightError) as error:
        run(folder, policy, text)
    assert says in str(error.value)
    assert "Zebulon" not in str(error.value)
    assert not (folder.out / "tables" / "table.csv").exists()


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("a fall from the second floor at home", "free text"),
        ("2020-02-03", "a date"),
        ("03/02/20", "a date"),
        ("19570312", "a date"),
        ("MRN-0042", "an identifier"),
    ],
)
def test_kept_cells_are_looked_at(folder: Folder, policy: Policy, cell: str, says: str) -> None:
    declared = Declared({}, keep=frozenset({"note"}))
    with pytest.raises(RibsightError) as error:
        run(folder, policy, f"patient_id,note\nMRN-0042,fine\nP2,{cell}\n", declared)
    assert f"row 3, column 'note' is to be kept and holds what looks like {says}" in str(
        error.value
    )
    assert cell not in str(error.value)


def test_images_and_rows_without_a_patient(folder: Folder, policy: Policy, links: Links) -> None:
    done, rows = run(
        folder,
        policy,
        "image_id,study_id,study_date,view\nfolder/a.dcm,S1,2020-01-01,PA\na,,2020-01-02,pa\n"
        "b,S9,2020-01-03,AP\n",
        links=links,
    )
    assert (done.rows, done.left_out, done.undated) == (2, 1, 0)
    assert [row["image_id"] for row in rows] == ["f" * 32] * 2
    patient = policy.key.name("patient", "P1")
    first = policy.key.shifted(date(2020, 1, 1), patient)
    assert first is not None
    assert rows[0]["study_date"] == first.isoformat()
    done, rows = run(folder, policy, "accession_number,study_date\nA9,2020-01-01\n", links=links)
    assert (done.undated, rows[0]["study_date"]) == (1, "")


def test_a_file_name_of_two_films_is_refused(folder: Folder, policy: Policy) -> None:
    links = Links({keyed_image_id(policy, "IM1"): {"e" * 32, "f" * 32}})
    with pytest.raises(RibsightError, match="row 2 names an image as 2 files are named"):
        run(folder, policy, "image_id,patient_id\nIM1,P1\n", links=links)


def test_regions(folder: Folder, policy: Policy, links: Links) -> None:
    path = folder.out.parent / "annotations.json"
    document = {
        "info": {"contributor": "Zebulon"},
        "images": [
            {"id": 1, "file_name": "a.dcm", "width": 8, "height": 9, "date_captured": "2020"},
            {"id": 2, "file_name": "gone.dcm", "width": 8, "height": 9},
        ],
        "annotations": [
            {"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "note": "Zebulon"},
            {"id": 6, "image_id": 2, "category_id": 1, "bbox": [1, 2, 3, 4]},
        ],
        "categories": [{"id": 1, "name": "rib_fracture", "supercategory": "Zebulon"}],
    }
    path.write_text(json.dumps(document))
    assert deidentify_annotations(path, folder, policy, links) == (1, 1)
    new = json.loads((folder.out / "tables" / "annotations.json").read_text())
    assert new == {
        "images": [{"id": 1, "width": 8, "height": 9, "file_name": f"{'f' * 32}.dcm"}],
        "annotations": [{"id": 5, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}],
        "categories": [{"id": 1, "name": "rib_fracture"}],
    }


def test_kinds_are_checked() -> None:
    assert parse_kinds([("patient", "MRN")]) == {"MRN": Kind.PATIENT}
    with pytest.raises(RibsightError, match="did you mean 'patient'"):
        parse_kinds([("pateint", "MRN")])
    with pytest.raises(RibsightError, match="says twice"):
        parse_kinds([("patient", "MRN"), ("date", "MRN")])
