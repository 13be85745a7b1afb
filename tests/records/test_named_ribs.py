"""From `fractures of the left 4th and 5th ribs` to the ribs of a diagnosis."""

from pathlib import Path

import pytest

from ribsight.errors import RibsightError
from ribsight.findings import Acuity, NamedRib, Side, ribs_text
from ribsight.records import (
    CodeFact,
    CodeSignal,
    ReportFact,
    ReportSignal,
    fuse,
    label_report,
    read_lexicon,
    read_mentions,
    read_policy,
)
from ribsight.records.diagnosis_table import ColumnMapping, read_diagnosis_table

POLICY = read_policy()
ENGLISH, SPANISH = read_lexicon("en"), read_lexicon("es")


@pytest.mark.parametrize(
    ("text", "ribs"),
    [
        ("Fractures of the left 4th and 5th ribs.", "left 4; left 5"),
        ("Acute fractures of the right third through sixth ribs.",
         "right 3; right 4; right 5; right 6"),
        ("Fractures of the right 7th rib and left 2nd rib.", "left 2; right 7"),
        ("Fracture of the sixth rib.", "6"),
        ("Multiple left rib fractures.", ""),
        ("No fracture of the left 4th rib.", ""),
        ("Old fracture of the left 9th rib. Acute fracture of the right 3rd rib.", "right 3"),
        ("Old fracture of the left 9th rib.", "left 9"),
        ("Fracture of the left 5th rib. Possible fracture of the left 6th rib.", "left 5"),
    ],
)  # fmt: skip
def test_reports_name_ribs(text: str, ribs: str) -> None:
    reading = read_mentions(label_report(text, ENGLISH), ("rib",), POLICY)
    assert ribs_text(reading.ribs) == ribs


def test_spanish_reports_name_ribs() -> None:
    text = "Fracturas del 4º y 5º arcos costales izquierdos."
    reading = read_mentions(label_report(text, SPANISH), ("rib",), POLICY)
    assert ribs_text(reading.ribs) == "left 4; left 5"


def report(signal: str, side: Side, *numbers: int, ct: bool = False) -> ReportFact:
    ribs = tuple(NamedRib(side, one) for one in numbers)
    return ReportFact(ReportSignal(signal), Acuity.ACUTE, side, f"r {numbers}", ct, ribs=ribs)


def test_the_deciding_reports_name_the_ribs_together() -> None:
    told = [report("present", Side.LEFT, 4), report("present", Side.LEFT, 5)]
    others = [report("possible", Side.LEFT, 8), report("present", Side.LEFT, 11, ct=True)]
    assert ribs_text(fuse([], [*told, *others], POLICY).ribs) == "left 4; left 5"


def test_ribs_of_a_side_that_was_decided_against_are_dropped() -> None:
    code = CodeFact(CodeSignal("positive"), Acuity.ACUTE, Side.RIGHT, "c")
    by_code = POLICY.model_copy(update={"side": "code"})
    assert fuse([code], [report("present", Side.LEFT, 4)], by_code).ribs == ()
    kept = fuse([code], [report("present", Side.UNKNOWN, 4)], by_code).ribs
    assert ribs_text(kept) == "4"
    neither = POLICY.model_copy(update={"side": "unknown"})
    numbers = fuse([code], [report("present", Side.LEFT, 4)], neither).ribs
    assert ribs_text(numbers) == "4"


def test_what_is_no_finding_names_no_rib() -> None:
    assert fuse([], [report("negated", Side.LEFT, 4)], POLICY).ribs == ()


MAPPING = ColumnMapping(image="image", findings={"rib_fracture": "rib"})


def test_a_table_names_ribs(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image,rib,rib_ribs\na,1,right 4; 5\nb,0,\n", encoding="utf-8")
    first, second = read_diagnosis_table(path, MAPPING).rows
    assert ribs_text(first.ribs["rib_fracture"]) == "right 4; 5"
    assert second.ribs == {}


def test_a_cell_that_names_no_rib_is_an_error_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image,rib,rib_ribs\na,1,left 4\nb,1,left 14\n", encoding="utf-8")
    with pytest.raises(RibsightError, match=r"t\.csv, row 3, column 'rib_ribs': 'left 14' names"):
        read_diagnosis_table(path, MAPPING)
