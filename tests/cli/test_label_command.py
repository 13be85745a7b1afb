import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from ribsight.cohort.tables import load_cohort

CODES = """patient_id,study_id,accession_number,encounter_date,code,coding_system
P1,S1,A1,2020-01-01,S2241XA,
P2,S2,A2,2020-01-02,s22.42xa,icd-10-cm
P3,,,20200105,S42.021A,
P4,S4,A4,2020-01-05,J18.9,
P5,S5,A5,2020-01-05,S22.41XZ,
P6,S6,A6,2021-01-05,807.03,icd-9-cm
P7,S7,,2021-03-20,S22.31XA,
"""
REPORTS = """study_id,patient_id,accession_number,study_date,report
S1,P1,A1,2020-01-01,"EXAM: Chest PA.
INDICATION: Zebulon Quasimodo fell, rule out rib fx
FINDINGS: Acute displaced fractures of the right 4th through 6th ribs.
IMPRESSION: Right rib fractures, told to Dr. Yggdrasil."
S2,P2,A2,2020-01-02,FINDINGS: Acute fractures of the right ribs 4 and 5.
S3,P3,A3,2020-01-03,FINDINGS: No acute osseous abnormality.
S4,P4,A4,2020-01-05,FINDINGS: Old healed left clavicle fracture. Clear lungs.
S5,P5,A5,2020-01-05,FINDINGS: Lungs are clear.
C9,P5,A99,2020-01-06,"EXAM: CT chest. FINDINGS: Nondisplaced left 7th rib fracture."
S6,P6,A6,2021-01-05,No rib fracture.
S9,P9,A9,2021-01-05,No rib fracture.
"""
IMAGES = """image_id,patient_id,study_id,accession_number,study_date,view
i1a,P1,S1,A1,2020-01-01,PA
i1b,P1,S1,A1,2020-01-01,LATERAL
i2,P2,S2,A2,2020-01-02,PA
i3,P3,S3,A3,2020-01-03,PA
i4,P4,S4,A4,2020-01-05,PA
i5,P5,S5,A5,2020-01-05,PA
i6,P6,S6,A6,2021-01-05,PA
i7,P7,S7b,A7,2021-03-01,AP
i8,P8,S8,A8,2021-03-01,AP
"""
NAMES = ("Zebulon", "Quasimodo", "Yggdrasil")


def ribsight(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ribsight.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("codes", CODES), ("reports", REPORTS), ("images", IMAGES)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def label(
    folder: Path, *extra: object, out: str = "out", reports: str = "reports.csv"
) -> "subprocess.CompletedProcess[str]":
    return ribsight(
        "label", "--codes", folder / "codes.csv", "--coding-system", "icd-10-cm",
        "--reports", folder / reports, "--images", folder / "images.csv",
        "--out", folder / out, *extra,
    )  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_diagnoses_and_where_they_come_from(folder: Path) -> None:
    done = label(folder)
    assert done.returncode == 0, done.stderr
    found = {row["image"]: row for row in rows(folder / "out" / "diagnoses.csv")}
    rib = {
        name: (row["rib_fracture"], row["rib_fracture_acuity"], row["rib_fracture_side"])
        for name, row in found.items()
    }
    unknown = ("unknown", "unknown", "unknown")
    assert rib == {
        "i1a": ("positive", "acute", "right"),
        "i1b": ("positive", "acute", "right"),
        "i2": ("positive", "acute", "right"),  # the code says left
        "i3": ("negative", "unknown", "unknown"),
        "i4": unknown,
        "i5": ("uncertain", "unknown", "unknown"),  # seen on tomography only
        "i6": ("uncertain", "acute", "unknown"),  # coded, and denied
        "i7": unknown,  # coded 19 days later
        "i8": unknown,
    }
    assert found["i4"]["clavicle_fracture"] == "positive"
    assert found["i4"]["clavicle_fracture_acuity"] == "old"
    assert found["i3"]["clavicle_fracture"] == "uncertain"  # coded two days later, denied
    assert "codes.csv row 2, S22.41XA" in found["i1a"]["rib_fracture_evidence"]
    assert "reports.csv row 2, findings characters" in found["i1a"]["rib_fracture_evidence"]
    kinds = {
        (row["image"], row["contradiction"]) for row in rows(folder / "out" / "contradictions.csv")
    }
    assert kinds == {
        ("i2", "side"), ("i3", "code denied"), ("i4", "mention not coded"), ("i5", "ct only"),
        ("i6", "code denied"), ("i7", "late code"),
    }  # fmt: skip
    assert rows(folder / "out" / "unlinked.csv") == [
        {"file": "codes.csv", "row": "8", "reason": "no image of its patient within the window"},
        {"file": "reports.csv", "row": "9", "reason": "no image of its patient"},
    ]
    codes = rows(folder / "out" / "codes.csv")
    assert (codes[0]["written"], codes[0]["certainty"]) == ("S22.41XZ", "unknown")
    assert "S22.41XZ (1)" in done.stderr
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert summary["states"]["rib_fracture"]["positive"] == 3
    assert summary["codes"]["rib_fracture"] == {"807.03": 1, "S22.41XA": 2, "S22.42XA": 1}
    assert summary["years"]["2021"]["rib_fracture"] == {"uncertain": 1, "unknown": 2}


def test_no_report_text_is_written_anywhere(folder: Path) -> None:
    # Shifted columns put names where codes and dates belong.
    codes = CODES + "P9,S9,A9,2020-01-01,Zebulon Quasimodo fell on his way,\n"
    (folder / "codes.csv").write_text(codes)
    done = label(folder)
    assert done.returncode == 0, done.stderr
    printed = [done.stdout + done.stderr]
    for damage in ('2020-01-01,"EXAM', "S1,P1,A1,2020-01-01"):
        (folder / "bad.csv").write_text(REPORTS.replace(damage, f"Quasimodo{damage}", 1))
        printed.append(label(folder, out="bad", reports="bad.csv").stderr)
    text = REPORTS.replace("2020-01-02,FIND", "Yggdrasil was here,FIND")
    (folder / "bad.csv").write_text(text)
    refused = label(folder, out="worse", reports="bad.csv")
    assert refused.returncode == 2
    assert "row 3, column 'study_date'" in refused.stderr
    printed.append(refused.stderr)
    written = [path.read_bytes().decode("utf-8", "replace") for path in (folder / "out").iterdir()]
    for content in (*printed, *written):
        assert not any(name.lower() in content.lower() for name in NAMES)
    # The page of an audit is for reading reports; the other files of it still hold none.
    assert label(folder, "--force", "--audit", 20).returncode == 0
    assert "Yggdrasil" in (folder / "out" / "audit.html").read_text()
    for path in (folder / "out").iterdir():
        content = path.read_bytes().decode("utf-8", "replace").lower()
        is_page = path.name == "audit.html"
        assert is_page or not any(name.lower() in content for name in NAMES)


def test_the_order_of_rows_does_not_matter(folder: Path) -> None:
    assert label(folder, out="one").returncode == 0
    for name, text in (("codes", CODES), ("images", IMAGES)):
        header, *lines = text.splitlines()
        (folder / f"{name}.csv").write_text("\n".join([header, *reversed(lines)]) + "\n")
    assert label(folder, out="two").returncode == 0

    def states(out: str) -> list[list[str]]:
        return [
            [row[key] for key in row if not key.endswith("evidence")]
            for row in rows(folder / out / "diagnoses.csv")
        ]

    assert states("one") == states("two")


def test_the_cohort_takes_the_folder(folder: Path) -> None:
    assert label(folder).returncode == 0
    images = folder / "pixels"
    images.mkdir()
    for number, row in enumerate(rows(folder / "images.csv")):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 48), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{row['image_id']}.png")
    done = ribsight(
        "cohort", "build", "--images", images, "--diagnoses", folder / "out",
        "--out", folder / "cohort",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cohort = load_cohort(folder / "cohort")
    assert cohort.findings == ("rib_fracture", "clavicle_fracture")
    row = cohort.diagnoses.row(
        by_predicate=(pl.col("radiograph") == "i1a") & (pl.col("finding") == "rib_fracture"),
        named=True,
    )
    assert (row["state"], row["acuity"], row["side"]) == ("positive", "acute", "right")
    assert "codes.csv row 2, S22.41XA" in row["evidence"]
    assert cohort.radiographs["patient"].to_list()[0] == "P1"
    # Its files also do for options given by hand.
    done = ribsight(
        "cohort", "build", "--images", images, "--diagnoses", folder / "out" / "diagnoses.csv",
        "--columns", folder / "out" / "columns.toml", "--out", folder / "again",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_an_audit_is_drawn_worst_first_and_its_answers_are_read(folder: Path) -> None:
    done = label(folder, "--audit", 12)
    assert done.returncode == 0, done.stderr
    items = rows(folder / "out" / "audit.csv")
    assert len(items) == 12
    contradicted = [bool(one["contradictions"]) for one in items]
    assert contradicted == sorted(contradicted, reverse=True)
    assert len({(one["finding"], one["study"]) for one in items}) == 12  # a study once
    page = (folder / "out" / "audit.html").read_text()
    assert '<mark class="present"' in page
    assert "http" not in page
    for one in items:
        one["answer"] = "present" if one["state"] == "positive" else "no"
        one["answer_side"] = one["side"]
    with (folder / "answers.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(items[0]))
        writer.writeheader()
        writer.writerows(items)
    done = ribsight("label", "--answers", folder / "answers.csv", "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    assert "present, of those labelled positive 1.000" in done.stdout
    assert "[rib_fracture.false_positive_rate]" in (folder / "out" / "noise.toml").read_text()


def assert_refused(done: "subprocess.CompletedProcess[str]", *sentences: str) -> None:
    assert done.returncode == 2, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    for one in sentences:
        assert one in last


@pytest.mark.parametrize(
    ("name", "old", "new", "sentences"),
    [
        ("images", "i2,P2", "i1a,P2", ("rows 2 and 4 are about one image",)),
        ("images", "image_id", "imageid", ("no column 'image_id'", "did you mean 'imageid'?")),
        ("images", "2020-01-03", "03/01/2020", ("row 5", "form 99/99/9999", "--date-format")),
        ("images", "i4,P4,S4", "i4,P4,S4,x", ("row 6 has 7 cells, the header has 6",)),
        ("images", "i4,", ",", ("row 6 names no image",)),
        ("codes", ",code,", ",diagnosis,", ("no column 'code'", "--column codes.code=YOURS")),
        ("codes", "icd-9-cm", "icd10", ("row 7", "'icd10' is no coding system")),
        ("codes", "2020-01-02,s", '2020-01-02,"s', ("row 3", "quotation mark")),
        ("reports", "report\n", "text\n", ("no column 'report', 'findings' or 'impression'",)),
        ("reports", "Nondisplaced", "Nondisplac\udce9", ("line 10 is not UTF-8", "cp1252")),
    ],
)
def test_bad_tables_are_refused_by_row(
    folder: Path, name: str, old: str, new: str, sentences: tuple[str, ...]
) -> None:
    path = folder / f"{name}.csv"
    text = path.read_text()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode("utf-8", "surrogateescape"))
    assert_refused(label(folder), f"{name}.csv", *sentences)
    assert not (folder / "out" / "diagnoses.csv").exists()


def test_declared_repairs(folder: Path) -> None:
    text = IMAGES.replace("2020-01-03", "03/01/2020").replace("image_id", "Bild").replace(",", ";")
    (folder / "images.csv").write_bytes(text.replace("PA", "Präp").encode("cp1252"))
    done = label(
        folder, "--date-format", "%d/%m/%Y", "--column", "images.image_id=Bild",
        "--encoding", "cp1252",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(rows(folder / "out" / "diagnoses.csv")) == 9


def test_separate_columns_and_one_source_alone(folder: Path) -> None:
    (folder / "reports.csv").write_text(
        "study_id,findings,impression\nS1,Clear lungs.,Left rib fracture.\nS2,No rib fracture.,\n"
    )
    done = ribsight(
        "label", "--reports", folder / "reports.csv", "--images", folder / "images.csv",
        "--out", folder / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {row["image"]: row["rib_fracture"] for row in rows(folder / "out" / "diagnoses.csv")}
    assert (found["i1a"], found["i2"], found["i3"]) == ("positive", "negative", "unknown")
    assert rows(folder / "out" / "contradictions.csv") == []


def test_wrong_use_is_refused(folder: Path) -> None:
    assert label(folder).returncode == 0
    assert_refused(label(folder), "holds diagnoses already", "--force")
    (folder / "full").mkdir()
    (folder / "full" / "x").write_text("")
    assert_refused(label(folder, out="full"), "is not empty")
    nothing = ribsight("label", "--images", folder / "images.csv", "--out", folder / "new")
    assert_refused(nothing, "give --codes, --reports or both")
    unnamed = ribsight(
        "label", "--codes", folder / "codes.csv", "--images", folder / "images.csv",
        "--out", folder / "new",
    )  # fmt: skip
    assert_refused(unnamed, "row 2 names no coding system")
    assert_refused(
        ribsight("label", "--answers", folder / "codes.csv", "--out", folder / "out"),
        "has no readable audit.json",
    )
