import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ribsight.errors import RibsightError
from ribsight.findings import Acuity, Side
from ribsight.records import CodeCertainty, CodingSystem, coding_system, read_code
from ribsight.records.codes import code_table

CM, ICD9 = CodingSystem.ICD_10_CM, CodingSystem.ICD_9_CM
WHO, GM = CodingSystem.ICD_10_WHO, CodingSystem.ICD_10_GM


@pytest.mark.parametrize(
    ("code", "system", "certainty", "sites", "acuity", "side", "fewest", "most", "is_open"),
    [
        ("S22.31XA", CM, "definite", ("rib",), "acute", "right", 1, 1, False),
        ("S22.42XB", CM, "definite", ("rib",), "acute", "left", 2, None, True),
        ("S22.43XD", CM, "definite", ("rib",), "healing", "both", 2, None, None),
        ("S22.49XS", CM, "definite", ("rib",), "old", "unknown", 2, None, None),
        ("S22.5XXA", CM, "definite", ("rib",), "acute", "unknown", None, None, False),
        ("S42.021A", CM, "definite", ("clavicle",), "acute", "right", None, None, False),
        ("S42.035P", CM, "definite", ("clavicle",), "healing", "left", None, None, None),
        ("M96.A3", CM, "definite", ("rib",), "acute", "unknown", 2, None, None),
        ("P13.4", CM, "definite", ("clavicle",), "acute", "unknown", None, None, None),
        ("M84.48XA", CM, "weak", ("rib",), "acute", "unknown", None, None, None),
        ("S22.9XXA", CM, "weak", ("rib",), "acute", "unknown", None, None, False),
        ("Z87.81", CM, "weak", ("rib", "clavicle"), "old", "unknown", None, None, None),
        ("M96.A1", CM, "not", (), "acute", "unknown", None, None, None),
        ("807.03", ICD9, "definite", ("rib",), "acute", "unknown", 3, 3, False),
        ("807.18", ICD9, "definite", ("rib",), "acute", "unknown", 8, None, True),
        ("807.4", ICD9, "definite", ("rib",), "acute", "unknown", 2, None, None),
        ("807.2", ICD9, "not", (), "acute", "unknown", None, None, None),
        ("810.12", ICD9, "definite", ("clavicle",), "acute", "unknown", None, None, True),
        ("767.2", ICD9, "definite", ("clavicle",), "acute", "unknown", None, None, None),
        ("905.1", ICD9, "weak", ("rib",), "old", "unknown", None, None, None),
        ("V15.51", ICD9, "weak", ("rib", "clavicle"), "old", "unknown", None, None, None),
        ("733.19", ICD9, "weak", ("rib", "clavicle"), "acute", "unknown", None, None, None),
        ("S22.41", WHO, "definite", ("rib",), "acute", "unknown", 2, None, True),
        ("T91.2", WHO, "weak", ("rib",), "old", "unknown", None, None, None),
        ("S22.31", GM, "definite", ("rib",), "acute", "unknown", 1, 1, None),
        ("S22.44", GM, "definite", ("rib",), "acute", "unknown", 4, None, None),
    ],
)  # fmt: skip
def test_a_code_says_what_its_system_says(
    code: str,
    system: CodingSystem,
    certainty: str,
    sites: tuple[str, ...],
    acuity: str,
    side: str,
    fewest: int | None,
    most: int | None,
    is_open: bool | None,
) -> None:
    meaning = read_code(code, system)
    assert (meaning.certainty, meaning.sites) == (certainty, sites)
    assert (meaning.acuity, meaning.side) == (acuity, side)
    assert (meaning.fewest, meaning.most, meaning.is_open) == (fewest, most, is_open)
    assert meaning.source


def test_the_same_string_means_other_things_in_other_systems() -> None:
    in_cm, in_who, in_gm = (read_code("S22.41", system) for system in (CM, WHO, GM))
    assert in_cm.side is Side.RIGHT
    assert (in_who.side, in_who.is_open) == (Side.UNKNOWN, True)
    assert (in_gm.side, in_gm.is_open, in_gm.part) == (Side.UNKNOWN, None, "first")
    assert [read_code("S42.02", one).part for one in (CM, GM)] == ["shaft", "shaft"]
    assert read_code("S42.02", WHO).certainty is CodeCertainty.UNKNOWN


@pytest.mark.parametrize("spelling", ["S2241XA", "s22.41xa", " S22.41XA ", "S22 41 XA", "S22-41XA"])
def test_any_spelling_is_understood(spelling: str) -> None:
    assert read_code(spelling, CM) == read_code("S22.41XA", CM)
    assert read_code("80703", ICD9) == read_code("807.03", ICD9)


def test_a_code_cut_short_says_what_all_its_codes_say() -> None:
    assert read_code("S22.41", CM).side is Side.RIGHT
    assert read_code("S22.41", CM).acuity is Acuity.UNKNOWN
    assert read_code("S22.4", CM).side is Side.UNKNOWN
    # A whole chapter says nothing: S22 holds vertebrae and the sternum too.
    assert read_code("S22", CM).certainty is CodeCertainty.OTHER


@pytest.mark.parametrize(
    ("code", "certainty", "acuity", "side"),
    [
        ("S22.32 G R", "definite", "acute", "right"),
        ("S42.02GL", "definite", "acute", "left"),
        ("S22.32V", "weak", "acute", "unknown"),
        ("S22.32 Z", "definite", "old", "unknown"),
        ("S22.32A", "excluded", "unknown", "unknown"),
        ("S22.44B", "definite", "acute", "both"),
    ],
)
def test_german_suffixes_say_how_sure_and_which_side(
    code: str, certainty: str, acuity: str, side: str
) -> None:
    meaning = read_code(code, GM)
    assert (meaning.certainty, meaning.acuity, meaning.side) == (certainty, acuity, side)


@pytest.mark.parametrize(
    ("code", "system", "certainty", "title"),
    [
        ("J18.9", CM, "other", ""),
        ("S22.41XZ", CM, "unknown", "icd-10-cm has no such code in S22"),
        ("807.03", CM, "unknown", "not spelled like a code of icd-10-cm, but of icd-9-cm"),
        ("S22.41XA", ICD9, "unknown", "not spelled like a code of icd-9-cm, but of icd-10-cm"),
        ("", CM, "unknown", "blank"),
        ("807.7", ICD9, "unknown", "icd-9-cm has no such code in 807"),
    ],
)
def test_what_is_no_code_of_the_system_is_said(
    code: str, system: CodingSystem, certainty: str, title: str
) -> None:
    meaning = read_code(code, system)
    assert (meaning.certainty, meaning.title) == (certainty, title)


def test_the_tables_are_complete_and_each_row_has_a_source() -> None:
    whole = [one for one in code_table(CM).values() if "category" not in one.source]
    prefixes = ("S22.3", "S22.4", "S22.5", "S42.0", "M96.A")
    # All billable codes of these categories, as simple-icd-10-cm counts them.
    assert sum(one.code.startswith(prefixes) for one in whole) == 221
    assert sum(one.certainty == "definite" for one in whole) == 220
    for system in CodingSystem:
        assert all(one.source and one.title for one in code_table(system).values())
    assert sum(one.code.startswith("807.0") for one in code_table(ICD9).values()) == 11


@pytest.mark.parametrize(
    ("name", "system"), [("ICD-10-CM", CM), ("icd10cm", CM), ("ICD9CM", ICD9), ("icd-9", ICD9)]
)
def test_names_of_systems_in_any_spelling(name: str, system: CodingSystem) -> None:
    assert coding_system(name) is system


def test_a_name_that_could_be_three_systems_is_refused() -> None:
    with pytest.raises(RibsightError, match="'ICD-10' is no coding system"):
        coding_system("ICD-10")


@given(st.text(alphabet=string.printable + "äß†", max_size=12), st.sampled_from(CodingSystem))
def test_any_text_gives_a_meaning(code: str, system: CodingSystem) -> None:
    meaning = read_code(code, system)
    assert meaning.system is system
    # What stands in the table is found again however it is written.
    if meaning.certainty is CodeCertainty.DEFINITE and meaning.phase != "history":
        assert read_code(meaning.code, system).sites == meaning.sites
