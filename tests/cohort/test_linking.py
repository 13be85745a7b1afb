"""Rows that are about a study, an order, or a patient at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ribsight.cohort.images import ReadImage
from ribsight.cohort.join_rule import (
    Combine,
    Direction,
    JoinBy,
    JoinRule,
    Pick,
    StudyLabel,
    parse_moment,
    parse_window,
)
from ribsight.cohort.linking import Joined, join_records, read_records
from ribsight.errors import RibsightError
from ribsight.findings import Acuity, DiagnosisState, Side, ribs_text
from ribsight.radiographs import View
from ribsight.records import ColumnMapping, DiagnosisTable

MAPPING = ColumnMapping("image", {"rib": "rib"})


def film(name: str, **about: Any) -> ReadImage:
    origin = {key: about.pop(key, None) for key in ("accession", "study_date", "study_time")}
    return ReadImage(name, f"{name}.dcm", 48, 40, 16, name, name, (), origin=origin, **about)


def by_patient(within: str = "2d", **options: Any) -> JoinRule:
    return JoinRule(JoinBy.PATIENT, "patient", "date", parse_window(within), **options)


def table_of(folder: Path, rule: JoinRule, rows: Sequence[str]) -> DiagnosisTable:
    path = folder / "records.csv"
    header = "patient,study,accession,date,rib,rib_acuity,rib_side,rib_ribs"
    lines = [row + "," * (header.count(",") - row.count(",")) for row in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
    return read_records(path, MAPPING, rule)


def joined(folder: Path, rule: JoinRule, rows: Sequence[str], *films: ReadImage) -> Joined:
    return join_records(table_of(folder, rule, rows), {one.id: one for one in films}, rule)


def state(joined: Joined, name: str) -> DiagnosisState:
    return joined.said[name].states["rib"]


def test_a_study_row_is_about_all_its_frontal_images_and_no_oblique(tmp_path: Path) -> None:
    films = [
        film("pa", study="1.2", view=View.PA),
        film("unsaid", study="1.2"),
        film("oblique", study="1.2", view=View.OBLIQUE),
        film("other", study="1.3", view=View.PA),
        film("nothing", view=View.PA),
    ]
    rule = JoinRule(JoinBy.STUDY, "study")
    found = joined(tmp_path, rule, ["a,1.2,,,1,acute,left", "b,9.9,,,0"], *films)
    assert state(found, "pa") == state(found, "unsaid") == "positive"
    assert found.said["pa"].sides == {"rib": Side.LEFT}
    assert found.said["pa"].acuities == {"rib": Acuity.ACUTE}
    assert found.said["pa"].evidence["rib"] == "records.csv, row 2, column rib (by study)"
    assert state(found, "oblique") == "unknown"
    assert found.said["oblique"].evidence["rib"].startswith("of its study, not of an oblique view")
    assert [(one.file, one.reason) for one in found.without_record] == [
        ("other.dcm", "no record of its study"),
        ("nothing.dcm", "its header names no study"),
    ]
    assert [(one.row, one.reason) for one in found.unused_rows] == [("3", "no image of its study")]
    everywhere = JoinRule(JoinBy.STUDY, "study", study_label=StudyLabel.ALL)
    assert state(joined(tmp_path, everywhere, ["a,1.2,,,1"], *films), "oblique") == "positive"


def test_an_order_joins_by_its_accession_number(tmp_path: Path) -> None:
    rule = JoinRule(JoinBy.ACCESSION, "accession")
    found = joined(tmp_path, rule, [",,A7,,0"], film("one", accession="A7"), film("two"))
    assert state(found, "one") == "negative"
    assert found.without_record[0].reason == "its header names no accession"
    blank = joined(tmp_path, rule, [",,A7,,0", ",,,,1"], film("one", accession="A7"))
    assert [(one.row, one.reason) for one in blank.unused_rows] == [("3", "names no accession")]


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2019-03-08", True), ("2019-03-12", True), ("2019-03-07", False), ("20190313", False)],
)
def test_a_window_of_days_counts_dates_and_includes_its_ends(
    tmp_path: Path, day: str, expected: bool
) -> None:
    one = film("one", patient="a", study_date="20190310", study_time="235900")
    other = film("other", patient="b", study_date="20190310")
    rows = [f"a,,,{day},1", "b,,,2019-03-10,0"]
    found = joined(tmp_path, by_patient(), rows, one, other)
    assert ("one" in found.said) is expected
    if not expected:
        assert found.unused_rows[0].reason.startswith("no image of its patient within 2d")
        assert found.without_record[0].reason == "no record of its patient within 2d"


def test_hours_need_a_time_on_both_sides(tmp_path: Path) -> None:
    films = [
        film("timed", patient="a", study_date="20190310", study_time="1200"),
        film("untimed", patient="a", study_date="20190310"),
    ]
    rows = ["a,,,2019-03-11 09:00,1", "a,,,2019-03-10,0", "a,,,2019-03-12T13:00:00,0"]
    found = joined(tmp_path, by_patient("36h"), rows, *films)
    assert state(found, "timed") == "positive"
    assert "21h after the film" in found.said["timed"].evidence["rib"]
    assert found.without_record[0].reason == "its header has no time"
    assert [one.reason.partition(",")[0] for one in found.unused_rows] == [
        "no time",
        "no image of its patient within 36h",
    ]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [(Direction.BOTH, "uncertain"), (Direction.AFTER, "negative"), (Direction.BEFORE, "positive")],
)
def test_the_direction_is_seen_from_the_film(
    tmp_path: Path, direction: Direction, expected: str
) -> None:
    one = film("one", patient="a", study_date="20190310")
    rows = ["a,,,2019-03-09,1", "a,,,2019-03-11,0"]
    rule = by_patient(direction=direction, combine=Combine.AGREE)
    assert state(joined(tmp_path, rule, rows, one), "one") == expected


def test_the_nearest_record_counts_and_of_two_equally_near_both(tmp_path: Path) -> None:
    one = film("one", patient="a", study_date="20190310")
    near = ["a,,,2019-03-11,0", "a,,,2019-03-12,1"]
    assert state(joined(tmp_path, by_patient(), near, one), "one") == "negative"
    assert state(joined(tmp_path, by_patient(pick=Pick.ALL), near, one), "one") == "positive"
    tie = joined(tmp_path, by_patient(), ["a,,,2019-03-11,1", "a,,,2019-03-09,1"], one)
    assert tie.said["one"].evidence["rib"].endswith("(by patient, 1d after the film, with row 3)")
    assert not tie.unused_rows


@pytest.mark.parametrize(
    ("combine", "expected"),
    [(Combine.STRONGEST, "positive"), (Combine.LATEST, "negative"), (Combine.AGREE, "uncertain")],
)
def test_several_records_combine_as_declared(
    tmp_path: Path, combine: Combine, expected: str
) -> None:
    one = film("one", study="1.2")
    rows = ["a,1.2,,2019-03-09,1,acute,left", "a,1.2,,2019-03-10,0", "a,1.2,,2019-03-11,"]
    rule = JoinRule(JoinBy.STUDY, "study", "date", combine=combine)
    assert state(joined(tmp_path, rule, rows, one), "one") == expected


def test_sides_add_up_and_contradicting_ages_are_unknown(tmp_path: Path) -> None:
    rows = ["a,1.2,,,1,acute,left", "a,1.2,,,1,old,right", "a,1.2,,,0,healing,"]
    said = joined(tmp_path, JoinRule(JoinBy.STUDY, "study"), rows, film("one", study="1.2")).said
    assert said["one"].sides == {"rib": Side.BOTH}
    assert said["one"].acuities == {"rib": Acuity.UNKNOWN}


def test_ribs_of_the_deciding_rows_add_up_and_are_not_of_an_oblique(tmp_path: Path) -> None:
    rows = ["a,1.2,,,1,,left,left 4", "a,1.2,,,1,,left,left 5; left 4", "a,1.2,,,0,,,left 9"]
    films = [film("pa", study="1.2", view=View.PA), film("ob", study="1.2", view=View.OBLIQUE)]
    said = joined(tmp_path, JoinRule(JoinBy.STUDY, "study"), rows, *films).said
    assert ribs_text(said["pa"].ribs["rib"]) == "left 4; left 5"
    assert said["ob"].ribs["rib"] == ()


def test_a_positive_record_says_nothing_of_other_films_unless_carried(tmp_path: Path) -> None:
    films = [
        film("before", patient="a", study_date="20190201"),
        film("at", patient="a", study_date="20190310"),
        film("healing", patient="a", study_date="20190401"),
        film("healed", patient="a", study_date="20190901"),
        film("own", patient="a", study_date="20190410"),
    ]
    rows = ["a,,,2019-03-10,1,acute,left", "a,,,2019-04-10,0"]
    plain = joined(tmp_path, by_patient(), rows, *films)
    assert plain.said.keys() == {"at", "own"}
    carried = joined(tmp_path, by_patient(carry_days=90), rows, *films)
    assert {name: str(one.states["rib"]) for name, one in carried.said.items()} == {
        "at": "positive",
        "own": "negative",
        "healing": "uncertain",
    }
    assert carried.said["healing"].acuities == {"rib": Acuity.HEALING}
    assert carried.said["healing"].sides == {"rib": Side.LEFT}
    assert carried.said["healing"].evidence["rib"].startswith("carried forward from records.csv")
    # It is still a film without a record of its own.
    assert "healing.dcm" in {one.file for one in carried.without_record}


@given(st.permutations(["1", "0", "-1", "", "0"]), st.data())
def test_the_order_of_rows_decides_nothing(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, 5))
    rows = [f"a,1.2,,,{cell}" for cell in cells[:count]]
    rule = JoinRule(
        JoinBy.STUDY,
        "study",
        combine=data.draw(st.sampled_from([Combine.STRONGEST, Combine.AGREE])),
    )
    folder = tmp_path_factory.getbasetemp()
    one = film("one", study="1.2")
    forward = state(joined(folder, rule, rows, one), "one")
    assert state(joined(folder, rule, rows[::-1], one), "one") is forward
    known = {cell for cell in cells[:count] if cell}
    if rule.combine is Combine.STRONGEST:
        expected = next((word for word in ("1", "-1", "0") if word in known), "")
    else:
        expected = (known.pop() if len(known) == 1 else "-1") if known else ""
    names = {"1": "positive", "-1": "uncertain", "0": "negative", "": "unknown"}
    assert forward == names[expected]


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    one = film("one", patient="a", study_date="20190310")
    with pytest.raises(RibsightError, match=r"records\.csv, row 2, column 'date' is no date"):
        joined(tmp_path, by_patient(), ["a,,,10.3.2019,1"], one)
    with pytest.raises(RibsightError, match="about other images: none of its 1 rows"):
        joined(tmp_path, by_patient(), ["z,,,2019-03-10,1"], one)
    with pytest.raises(RibsightError, match="needs --within"):
        JoinRule(JoinBy.PATIENT, "patient")
    with pytest.raises(RibsightError, match="for --join patient"):
        JoinRule(JoinBy.STUDY, "study", carry_days=3)
    with pytest.raises(RibsightError, match="--combine latest needs --date-column"):
        JoinRule(JoinBy.STUDY, "study", combine=Combine.LATEST)
    for text in ("2", "two days", "-1d", "2w", "99999999999d"):
        with pytest.raises(RibsightError, match="--within"):
            parse_window(text)


@pytest.mark.parametrize("text", ["2019-02-30", "20191301", "19-03-10", "2019-03-10 25:00", "x"])
def test_what_is_no_moment_is_none(text: str) -> None:
    assert parse_moment(text) is None
