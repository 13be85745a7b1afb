"""The data card says what is in the tables, needs nothing from outside, and can hide who."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ribsight.cohort.card import write_card
from ribsight.cohort.card_notes import agreement_table, left_out_table
from ribsight.cohort.card_tables import evidence_source, prevalence_table, supervision_table
from ribsight.cohort.left_out import LeftOut
from ribsight.cohort.proportion import proportion
from ribsight.cohort.readings import apply_readings
from ribsight.cohort.split import reveal, split_cohort
from ribsight.cohort.tables import Cohort, load_cohort, save_cohort
from ribsight.records import ColumnMapping, read_diagnosis_table


class Page(HTMLParser):
    """Collects what a test asks about a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.outside: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        if tag == "img":
            self.images.append(about)
        self.outside += [
            value or ""
            for name, value in attrs
            if name in ("src", "href") and not (value or "").startswith("data:")
        ]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def cohort(small_cohort: Cohort) -> Cohort:
    return reveal(split_cohort(small_cohort, (0.5, 0.17, 0.33), 0), 1, 0)


def page_of(cohort: Cohort, folder: Path, **options: object) -> str:
    write_card(cohort, folder / "card.html", **options)  # type: ignore[arg-type]
    return (folder / "card.html").read_text()


def test_the_page_stands_alone_and_is_the_same_again(cohort: Cohort, tmp_path: Path) -> None:
    text = page_of(cohort, tmp_path, images=4, seed=3)
    page = Page(text)
    assert page.open == []
    assert page.outside == []
    assert "<script" not in text
    assert "url(" not in text
    assert len(page.images) == 4
    alts = [one["alt"] or "" for one in page.images]
    assert sum("1 drawn regions" in alt for alt in alts) == 2
    assert len(set(alts)) == 4
    assert "12 radiographs of 6 patients" in text
    assert cohort.fingerprint() in text
    assert page_of(cohort, tmp_path, images=4, seed=3) == text
    assert page_of(cohort, tmp_path, images=4, seed=4) != text


def test_ribs_that_records_name_are_counted(cohort: Cohort, tmp_path: Path) -> None:
    assert "named ribs" not in page_of(cohort, tmp_path, images=0, seed=3)
    first = pl.when(pl.col("radiograph") == cohort.ids[0]).then(pl.lit("left 4; left 5"))
    named = cohort.diagnoses.with_columns(ribs=first.otherwise(pl.lit("")))
    text = page_of(replace(cohort, diagnoses=named), tmp_path, images=0, seed=3)
    assert "2 in 1 of 6" in text


def test_without_images_no_radiograph_or_patient_is_named(cohort: Cohort, tmp_path: Path) -> None:
    left_out = [LeftOut("secret.png", "7", "no image named secret.png")]
    text = page_of(cohort, tmp_path, images=0, left_out=left_out)
    assert "no image of that name" in text
    assert not re.search(r"img\d{3}|secret|\bp[0-5]\b", text)


def test_what_is_not_text_of_a_page_does_not_become_it(cohort: Cohort, tmp_path: Path) -> None:
    named = cohort.radiographs.with_columns(view=pl.lit("<b onload=x>"))
    text = page_of(replace(cohort, radiographs=named), tmp_path)
    assert "<b onload" not in text
    assert "&lt;b onload" in text


def test_states_and_supervision_are_counted(cohort: Cohort) -> None:
    rows = {row[0]: row[1:] for row in prevalence_table(cohort, "fracture").rows}
    assert rows["all"][:4] == ("6", "6", "0", "0")
    assert rows["all"][4].startswith("50.0 %")
    assert rows["split test"][:4] == ("2", "2", "0", "0")
    assert rows["source: diagnoses.csv"] == rows["all"]
    supervision = {row[0]: row[1:] for row in supervision_table(cohort).rows}
    assert supervision["fracture, train"] == ("1", "3", "2", "0")


def test_agreement_is_noted_when_readings_are_applied(cohort: Cohort, tmp_path: Path) -> None:
    table = tmp_path / "readings.csv"
    table.write_text("image,fracture\nimg000,1\nimg002,0\nimg001,1\nimg003,0\nimg005,-1\n")
    readings = read_diagnosis_table(table, ColumnMapping("image", {"fracture": "fracture"}))
    changed, _ = apply_readings(cohort, readings)
    save_cohort(changed, tmp_path / "saved")
    again = load_cohort(tmp_path / "saved")
    before = page_of(cohort, tmp_path, readings=readings, images=0)
    after = page_of(again, tmp_path, images=0)
    for text in (before, after):
        row = re.search(r'<th scope="row">fracture</th><td>4</td><td>(.*?)</td>', text)
        assert row is not None
        assert row[1].startswith("50.0 %")
    assert "not known" in page_of(cohort, tmp_path, images=0)


def test_agreement_by_hand() -> None:
    counts = {("positive", "positive"): 8, ("positive", "negative"): 2, ("unknown", "negative"): 5}
    table = agreement_table({"rib": counts})
    assert table is not None
    assert table.rows[0][1:] == ("10", "80.0 % (49.0 to 94.3)", "2", "0")
    assert agreement_table({"rib": {("unknown", "positive"): 3}}) is None


def test_reasons_are_counted_without_names() -> None:
    items = [
        LeftOut("a.csv", str(row), f"no image named {name}")
        for row, name in enumerate(("A1.png", "B 2.png"))
    ]
    items += [LeftOut("a.png", "", "/data/x/a.png has 3 x 4 pixels: a radiograph has more")]
    table = left_out_table(items)
    assert table is not None
    assert table.rows == (
        ("no image of that name", "2"),
        ("... has # x # pixels: a radiograph has more", "1"),
    )


@pytest.mark.parametrize(
    ("evidence", "source"),
    [
        ("t.csv, row 3, column rib", "t.csv"),
        ("t.csv, row 3, column rib: reports.csv row 2, findings: x; codes.csv row 9, S22",
         "codes.csv + reports.csv"),
        ("b.json, annotation 4, where not in t.csv says unknown", "b.json, drawn"),
        ("not in t.csv", "no record"),
        ("t.csv, row 3, column rib (by patient, 1d after the film)", "t.csv"),
        ("carried forward from t.csv, row 3, column rib", "carried forward"),
    ],
)  # fmt: skip
def test_the_source_of_a_state(evidence: str, source: str) -> None:
    assert evidence_source(evidence) == source


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=60))
def test_a_share_lies_in_its_interval(observations: list[tuple[bool, int]]) -> None:
    hits = np.array([hit for hit, _ in observations])
    value, low, high = proportion(hits, [group for _, group in observations])
    assert 0 <= low <= value <= high <= 1


def test_a_hundred_films_of_one_patient_are_one_observation() -> None:
    hits = np.repeat([True, False] * 5, 10)
    _, low, high = proportion(hits, list(np.repeat(np.arange(10), 10)))
    _, alone_low, alone_high = proportion(np.array([True, False] * 5), range(10))
    assert (low, high) == pytest.approx((alone_low, alone_high), abs=0.02)
    _, wrong_low, wrong_high = proportion(hits, range(100))
    assert wrong_high - wrong_low < 0.4 * (high - low)
