"""Test is later, or elsewhere; and check notices if it is not."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ribsight.cohort.check import check_cohort
from ribsight.cohort.held_out import (
    PatientBy,
    SiteRule,
    TimeRule,
    parse_dates,
    parse_site,
    split_held_out,
)
from ribsight.cohort.readings import apply_split
from ribsight.cohort.split import reveal, split_cohort
from ribsight.cohort.tables import DIAGNOSES, RADIOGRAPHS, REGIONS, Cohort
from ribsight.errors import RibsightError

FRACTIONS = (0.6, 0.2, 0.2)
START = date(2019, 1, 1)
_Film = tuple[str | None, int | None, str]


def cohort_of(films: list[_Film]) -> Cohort:
    """Build a cohort of (patient, day after 2019-01-01, site)."""
    ids = [f"f{number:03d}" for number in range(len(films))]
    rows = [
        {
            "radiograph": id_, "file": id_, "patient": patient, "group": patient or id_,
            "split": None, "width": 48, "height": 40, "bits": 8, "sha256": id_,
            "pixels_sha256": id_, "warnings": "",
            "study_date": None if day is None else f"{START + timedelta(day):%Y%m%d}",
            "site": site,
        }
        for id_, (patient, day, site) in zip(ids, films, strict=True)
    ]  # fmt: skip
    states = [
        (id_, "rib", ("positive", "negative")[n % 2], "", "", "") for n, id_ in enumerate(ids)
    ]
    return Cohort(
        images=Path(),
        findings=("rib",),
        radiographs=pl.DataFrame(
            rows, schema={**RADIOGRAPHS, "study_date": pl.String, "site": pl.String}
        ),
        diagnoses=pl.DataFrame(states, schema=DIAGNOSES, orient="row"),
        regions=pl.DataFrame(schema=REGIONS),
    )


def splits(cohort: Cohort) -> list[str | None]:
    return cohort.radiographs["split"].to_list()


def errors(cohort: Cohort) -> set[str]:
    return {one.kind for one in check_cohort(cohort) if one.severity == "error"}


LONGITUDINAL: list[_Film] = [
    ("a", 0, "x"), ("a", 400, "x"), ("b", 10, "x"), ("c", 250, "x"), ("d", 500, "x"), ("e", 5, "x"),
]  # fmt: skip
YEARS = (date(2019, 7, 1), date(2020, 1, 1))


def test_a_patient_goes_by_the_last_study_and_earlier_films_go_along() -> None:
    done = split_held_out(cohort_of(LONGITUDINAL), FRACTIONS, 0, time=TimeRule(YEARS))
    assert splits(done) == ["test", "test", "train", "val", "test", "train"]
    assert errors(done) == set()
    assert done.provenance["split_by_time"] == "2019-07-01,2020-01-01"


def test_by_the_first_study_later_films_are_in_no_split() -> None:
    rule = TimeRule(YEARS, PatientBy.FIRST)
    done = split_held_out(cohort_of(LONGITUDINAL), FRACTIONS, 0, time=rule)
    assert splits(done) == ["train", None, "train", "val", "test", "train"]
    assert errors(done) == set()
    assert set(reveal(done, None, 0).regions["revealed"]) == set()


def test_the_gap_is_in_no_split() -> None:
    films: list[_Film] = [("a", 0, "x"), ("b", 170, "x"), ("c", 250, "x"), ("d", 500, "x")]
    done = split_held_out(cohort_of(films), FRACTIONS, 0, time=TimeRule(YEARS, gap_days=30))
    assert splits(done) == ["train", None, "val", "test"]


def test_one_date_begins_the_test_and_the_rest_is_drawn() -> None:
    films: list[_Film] = [(f"p{n}", n * 20, "x") for n in range(40)]
    rule = TimeRule((date(2020, 1, 1),))
    done = split_held_out(cohort_of(films), (0.5, 0.25, 0.25), 3, time=rule)
    assert splits(done).count("test") == sum(n * 20 >= 365 for n in range(40)) == 21
    assert (splits(done).count("train"), splits(done).count("val")) == (13, 6)
    again = split_held_out(cohort_of(films), (0.5, 0.25, 0.25), 3, time=rule)
    assert splits(again) == splits(done)


def test_shares_cut_where_they_fit() -> None:
    films: list[_Film] = [(f"p{n}", n, "x") for n in range(10)]
    done = split_held_out(cohort_of(films), FRACTIONS, 0, time=TimeRule())
    assert splits(done) == ["train"] * 6 + ["val"] * 2 + ["test"] * 2


def test_a_site_is_the_test_and_its_patients_are_nowhere_else() -> None:
    films: list[_Film] = [("a", 0, "x"), ("a", 1, "y"), ("b", 2, "y")]
    films += [(f"p{n}", n, "x") for n in range(8)]
    rule = SiteRule("site", "y")
    done = split_held_out(cohort_of(films), (0.5, 0.25, 0.25), 0, site=rule)
    assert splits(done)[:3] == [None, "test", "test"]
    assert set(splits(done)[3:]) == {"train", "val"}
    assert errors(done) == set()


def test_of_time_and_site_the_test_is_the_sites_latest_part() -> None:
    films: list[_Film] = [("a", 0, "y"), ("b", 500, "y"), ("c", 500, "x"), ("d", 250, "x")]
    films += [("e", 3, "x")]
    rules = {"time": TimeRule(YEARS), "site": SiteRule("site", "y")}
    done = split_held_out(cohort_of(films), FRACTIONS, 0, **rules)  # type: ignore[arg-type]
    assert splits(done) == [None, "test", None, "val", "train"]


def test_check_finds_what_leaked_after_the_split() -> None:
    done = split_held_out(cohort_of(LONGITUDINAL), FRACTIONS, 0, time=TimeRule(YEARS))
    leaked = replace(
        done, radiographs=done.radiographs.with_columns(split=pl.lit("train", pl.String))
    )
    assert errors(leaked) == {"training from the time of the test"}
    films: list[_Film] = [("b", 2, "y"), ("c", 3, "x"), ("d", 4, "x"), ("e", 5, "x")]
    done = split_held_out(cohort_of(films), FRACTIONS, 0, site=SiteRule("site", "y"))
    leaked = replace(done, radiographs=done.radiographs.with_columns(split=pl.lit("val")))
    assert errors(leaked) == {"training from the site of the test"}


def test_another_split_forgets_the_rules(tmp_path: Path) -> None:
    done = split_held_out(cohort_of(LONGITUDINAL), FRACTIONS, 0, time=TimeRule(YEARS))
    again = split_cohort(done, FRACTIONS, 0)
    assert "split_by_time" not in again.provenance
    assert errors(again) == set()
    given_by = tmp_path / "split.csv"
    given_by.write_text("patient_id,split\n" + "".join(f"{one},train\n" for one in "abcde"))
    assert "split_by_time" not in apply_split(done, given_by).provenance


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdefgh"),
            st.one_of(st.none(), st.integers(0, 900)),
            st.sampled_from("xy"),
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from(PatientBy),
    st.integers(0, 60),
    st.booleans(),
)
def test_nothing_ever_leaks(films: list[_Film], by: PatientBy, gap: int, with_site: bool) -> None:
    site = SiteRule("site", "y") if with_site else None
    try:
        done = split_held_out(
            cohort_of(films), FRACTIONS, 0, time=TimeRule(YEARS, by, gap), site=site
        )
    except RibsightError:
        return
    assert errors(done) == set()
    edge = YEARS[1].toordinal() - START.toordinal()
    for (patient, day, where), split in zip(films, splits(done), strict=True):
        if split in ("train", "val"):
            assert day is None or day < edge
            assert not with_site or where == "x"
        if split == "test" and by is PatientBy.FIRST:
            assert day is None or day >= edge
        own = {one for (who, *_), one in zip(films, splits(done), strict=True) if who == patient}
        assert len(own - {None}) <= 1


def test_what_cannot_be_is_refused() -> None:
    cohort = cohort_of(LONGITUDINAL)
    with pytest.raises(RibsightError, match=r"no column 'cite' \(did you mean 'site'\?\)"):
        split_held_out(cohort, FRACTIONS, 0, site=SiteRule("cite", "x"))
    with pytest.raises(RibsightError, match="no radiograph has site=z; site is: x"):
        split_held_out(cohort, FRACTIONS, 0, site=SiteRule("site", "z"))
    with pytest.raises(RibsightError, match="nothing is left to train on"):
        split_held_out(cohort, FRACTIONS, 0, site=SiteRule("site", "x"))
    with pytest.raises(RibsightError, match="no radiograph is left for the split 'train'"):
        split_held_out(cohort, FRACTIONS, 0, time=TimeRule((date(2000, 1, 1), date(2001, 1, 1))))
    undated = replace(cohort, radiographs=cohort.radiographs.drop("study_date"))
    with pytest.raises(RibsightError, match="no column 'study_date'"):
        split_held_out(undated, FRACTIONS, 0, time=TimeRule(YEARS))


def test_options_are_parsed_or_refused() -> None:
    assert parse_dates("20190701,2020-01-01") == YEARS
    assert parse_dates("shares") == ()
    assert parse_site("institution=St. A=B") == SiteRule("institution", "St. A=B")
    for text in ("2020", "2020-01-01,2019-01-01", "2019-01-01,", "2019-02-30", "1,2,3"):
        with pytest.raises(RibsightError, match="--by-time"):
            parse_dates(text)
    for text in ("institution", "=x", "site="):
        with pytest.raises(RibsightError, match="COLUMN=VALUE"):
            parse_site(text)
