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


@pytest.mark.parametrize(
    ("language", "text", "ribs"),
    [
        ("en", "Fractures of the left ribs IV-VII.", "left 4; left 5; left 6; left 7"),
        ("en", "Fracture of the VIth rib.", "6"),
        ("en", "Right rib fractures II, III and V.", "right 2; right 3; right 5"),
        ("en", "Fractures of the left IV and V ribs.", "left 4; left 5"),
        ("en", "Fracture of the left IX rib.", "left 9"),
        ("en", "Fractures of the right III through VI ribs.", "right 3; right 4; right 5; right 6"),
        ("en", "Fracture of the I rib.", "1"),
        ("en", "Fractures of ribs I-III on the left.", "left 1; left 2; left 3"),
        ("en", "Left rib fractures, IV line in place.", ""),
        ("en", "Left rib fractures IV contrast was given.", ""),
        ("en", "Type II rib fracture.", ""),
        ("en", "Grade III rib fractures.", ""),
        ("en", "Rib fractures grade III.", ""),
        ("en", "In the left ribs I see a fracture.", ""),
        ("en", "Rib fractures x 3.", ""),
        ("en", "Rib fracture I.", ""),
        ("en", "Fractures of left ribs V and VI, IV line.", "left 5; left 6"),
        ("en", "I think there is a rib fracture.", ""),
        ("en", "Fracture of left rib VI with pneumothorax.", "left 6"),
        (
            "es",
            "Fracturas de los arcos costales izquierdos IV a VII.",
            "left 4; left 5; left 6; left 7",
        ),
        ("es", "Fractura de la VI costilla derecha.", "right 6"),
        ("es", "Fracturas de V y VI arcos costales izquierdos.", "left 5; left 6"),
        ("es", "Fractura costal i.", ""),
        ("es", "Fractura costal tipo II.", ""),
        ("es", "Fracturas costales IV, V y VI derechas.", "right 4; right 5; right 6"),
    ],
)
def test_roman_numerals_beside_a_rib_are_its_number(language: str, text: str, ribs: str) -> None:
    reading = read_mentions(label_report(text, read_lexicon(language)), ("rib",), POLICY)
    assert ribs_text(reading.ribs) == ribs


BOTH = "left 3; left 4; left 5; right 2; right 3; right 4"


@pytest.mark.parametrize(
    ("language", "text", "ribs"),
    [
        ("en", "Right 2-4, left 3-5 rib fractures.", BOTH),
        ("en", "Rib fractures right 2-4 and left 3-5.", BOTH),
        ("en", "Rib fractures: right 2-4, left 3-5.", BOTH),
        ("en", "2-4 right and 3-5 left rib fractures.", BOTH),
        ("en", "Fractures of ribs 2-4 on the right and 3-5 on the left.", BOTH),
        ("en", "Bilateral rib fractures, right 2-4 and left 3-5.", BOTH),
        ("en", "Fractures of the right 2nd through 4th and left 3rd through 5th ribs.", BOTH),
        ("en", "Fractures of the right ribs II-IV and left III-V.", BOTH),
        ("en", "Right 2, 3 and 4 and left 3, 4, 5 rib fractures.", BOTH),
        ("en", "Right and left 4th rib fractures.", "left 4; right 4"),
        ("en", "4 right and 3 left rib fractures.", ""),
        ("en", "Fractures of ribs 2-4 on the right.", "right 2; right 3; right 4"),
        ("es", "Fracturas costales derechas 2-4 e izquierdas 3-5.", BOTH),
        ("es", "Fracturas de los arcos costales 2º a 4º derechos y 3º a 5º izquierdos.", BOTH),
    ],
)
def test_lists_of_both_sides_keep_each_number_at_its_side(
    language: str, text: str, ribs: str
) -> None:
    reading = read_mentions(label_report(text, read_lexicon(language)), ("rib",), POLICY)
    assert ribs_text(reading.ribs) == ribs


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
