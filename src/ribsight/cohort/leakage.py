"""What a held-out split must not share with training: copies, time, site."""

from collections.abc import Iterator

import polars as pl

from ribsight.cohort.held_out import parse_date, parse_site
from ribsight.cohort.problem import Problem, listed
from ribsight.cohort.tables import Cohort
from ribsight.findings import Split


def leakage(cohort: Cohort) -> Iterator[Problem]:
    """Yield near duplicates, films made too late and films of the held-out site."""
    yield from _near_duplicates(cohort)
    yield from _made_too_late(cohort)
    yield from _of_the_held_out_site(cohort)


def _near_duplicates(cohort: Cohort) -> Iterator[Problem]:
    if cohort.near_duplicates is None:
        return
    about = {
        id_: (split, pixels)
        for id_, split, pixels in cohort.radiographs.select(
            "radiograph", "split", "pixels_sha256"
        ).rows()
    }
    within: list[str] = []
    for first, second, correlation, orientation, inverted in cohort.near_duplicates.rows():
        (split_a, pixels_a), (split_b, pixels_b) = about[first], about[second]
        if pixels_a == pixels_b:
            continue  # said as the same pixels
        how = f"{orientation}{', inverted' if inverted else ''}"
        if split_a is None or split_b is None or split_a == split_b:
            within.append(f"{first} and {second}")
            continue
        yield Problem(
            "near duplicates in two splits",
            "error",
            f"{first} and {second}",
            f"show one film, in {split_a} and {split_b} (correlation {correlation:.2f}, one is "
            f"the other {how})",
            "run `ribsight cohort split` again, which keeps them together",
        )
    if within:
        yield Problem(
            "near duplicates",
            "warning",
            listed(within),
            f"show one film each ({len(within)} pairs, none in two splits)",
            "look whether they are meant: they count twice",
        )


def _made_too_late(cohort: Cohort) -> Iterator[Problem]:
    cuts = [parse_date(one) for one in str(cohort.provenance.get("split_by_time", "")).split(",")]
    last = cuts[-1]
    if last is None or "study_date" not in cohort.radiographs.columns:
        return
    early = cohort.radiographs.filter(pl.col("split").is_in([Split.TRAIN, Split.VAL]))
    late = [
        id_
        for id_, day in early.select("radiograph", "study_date").rows()
        if day and (found := parse_date(day)) and found >= last
    ]
    if late:
        yield Problem(
            "training from the time of the test",
            "error",
            listed(late),
            f"is in train or val and was made on or after {last}, when test begins",
            "run `ribsight cohort split --by-time` again",
        )


def _of_the_held_out_site(cohort: Cohort) -> Iterator[Problem]:
    if "split_site" not in cohort.provenance:
        return
    site = parse_site(str(cohort.provenance["split_site"]))
    if site.column not in cohort.radiographs.columns:
        return
    there = pl.col(site.column).cast(pl.String) == site.value
    seen = cohort.radiographs.filter(there & pl.col("split").is_in([Split.TRAIN, Split.VAL]))
    if len(seen):
        yield Problem(
            "training from the site of the test",
            "error",
            listed(seen["radiograph"].to_list()),
            f"is in train or val and has {site}, which is held out",
            "run `ribsight cohort split --hold-out-site` again",
        )
