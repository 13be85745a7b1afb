from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ribsight.cohort.check import check_cohort, require_sound
from ribsight.cohort.problem import Problem
from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.radiographs.image_file import FILLED, TRUNCATED, TRUNCATED_ALL_ROWS


@pytest.fixture
def sound(small_cohort: Cohort) -> Cohort:
    """Patients p0 to p3 in train, p4 in val, p5 in test."""
    splits = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    return replace(
        small_cohort,
        radiographs=small_cohort.radiographs.with_columns(split=pl.Series(splits)),
    )


def with_value(table: pl.DataFrame, row: int, **values: object) -> pl.DataFrame:
    rows = table.to_dicts()
    rows[row] |= values
    return pl.DataFrame(rows, schema=table.schema)


def broken(cohort: Cohort, table: str, row: int, **values: object) -> Cohort:
    changes: dict[str, Any] = {table: with_value(getattr(cohort, table), row, **values)}
    return replace(cohort, **changes)


def only(problems: list[Problem]) -> Problem:
    (problem,) = problems
    assert problem.do
    return problem


def test_a_sound_cohort_has_no_problem(sound: Cohort) -> None:
    assert check_cohort(sound, files=True) == []
    require_sound(sound)


def test_a_cohort_that_is_not_split_has_no_problem(small_cohort: Cohort) -> None:
    assert check_cohort(small_cohort) == []


Break = Callable[[Cohort], Cohort]

ERRORS: dict[str, tuple[Break, str, str]] = {
    "patient in two splits": (
        lambda one: broken(
            broken(one, "radiographs", 0, group="a"), "radiographs", 1, group="b", split="val"
        ),
        "patient p0",
        "train and val (img000, img001)",
    ),
    "group in two splits": (
        lambda one: broken(
            broken(one, "radiographs", 0, patient=None),
            "radiographs",
            1,
            patient=None,
            split="test",
        ),
        "group p0",
        "train and test",
    ),
    "same pixels in two splits": (
        lambda one: broken(
            one, "radiographs", 11, pixels_sha256=one.radiographs["pixels_sha256"][0]
        ),
        "img000, img011",
        "are one picture, in train and test",
    ),
    "region outside its image": (
        lambda one: broken(one, "regions", 1, polygons=[[40.0, 1, 49.5, 1, 49.5, 9, 40, 9]]),
        "regions.json, annotation 1",
        "1.5 pixels over the edge of img002 (48 x 40)",
    ),
    "region on a negative": (
        lambda one: broken(one, "diagnoses", 2, state="negative"),
        "regions.json, annotation 1",
        "img002, which diagnoses.csv, row 4, column fractured calls negative",
    ),
    "duplicate id": (
        lambda one: replace(
            one,
            radiographs=pl.concat(
                [
                    one.radiographs,
                    one.radiographs[:1].with_columns(
                        file=pl.lit("b.png"), pixels_sha256=pl.lit("b")
                    ),
                ]
            ),
        ),
        "img000",
        "img000.png and b.png",
    ),
    "duplicate diagnosis": (
        lambda one: replace(one, diagnoses=pl.concat([one.diagnoses, one.diagnoses[1:2]])),
        "img001, fracture",
        "row 3",
    ),
    "diagnosis of nothing": (
        lambda one: replace(
            one,
            diagnoses=pl.concat(
                [one.diagnoses, one.diagnoses[1:2].with_columns(radiograph=pl.lit("none"))]
            ),
        ),
        "diagnoses.csv, row 3, column fractured",
        "none, which the cohort does not hold",
    ),
    "region of nothing": (
        lambda one: broken(one, "regions", 0, finding="plate"),
        "regions.json, annotation 0",
        "plate, which is no finding",
    ),
    "truncated image": (
        lambda one: broken(
            one, "radiographs", 3, warnings=f"{TRUNCATED}: last 8 of 40 rows are missing"
        ),
        "img003.png",
        "last 8 of 40 rows are missing",
    ),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_each_error_is_found_and_keeps_from_training(sound: Cohort, kind: str) -> None:
    change, where, what = ERRORS[kind]
    cohort = change(sound)
    errors = [one for one in check_cohort(cohort) if one.severity == "error"]
    problem = only(errors)
    assert problem.kind == kind
    assert where in problem.where
    assert what in problem.what
    with pytest.raises(RibsightError, match=kind):
        require_sound(cohort)


WARNINGS: dict[str, tuple[Break, str]] = {
    "same pixels twice": (
        lambda one: broken(
            one, "radiographs", 3, pixels_sha256=one.radiographs["pixels_sha256"][0]
        ),
        "are one picture in train",
    ),
    "truncated image": (
        lambda one: broken(one, "radiographs", 3, warnings=f"other; {TRUNCATED_ALL_ROWS}"),
        "all rows decoded",
    ),
    "filled rows": (
        lambda one: broken(one, "radiographs", 3, warnings=f"{FILLED}: the last 6 of 40 rows"),
        "the last 6 of 40 rows",
    ),
    "noticed while reading": (
        lambda one: broken(one, "radiographs", 3, warnings=f"{TRUNCATED_ALL_ROWS}; mirrored"),
        "mirrored",
    ),
    "positive without a region": (
        lambda one: broken(one, "diagnoses", 9, state="positive"),
        "fracture is positive but nothing is drawn",
    ),
}


@pytest.mark.parametrize("kind", WARNINGS)
def test_each_warning_is_found_and_does_not_keep_from_training(sound: Cohort, kind: str) -> None:
    change, what = WARNINGS[kind]
    problem = only([one for one in check_cohort(change(sound)) if one.kind == kind])
    assert (problem.severity, problem.what) == ("warning", what)
    require_sound(change(sound))


def test_a_truncated_image_accepted_while_building_is_a_warning(sound: Cohort) -> None:
    cut = broken(sound, "radiographs", 3, warnings=f"{TRUNCATED}: last 8 of 40 rows are missing")
    problem = only(check_cohort(replace(cut, provenance={"truncated": "use"})))
    assert problem.severity == "warning"


def test_a_region_may_reach_one_pixel_over_the_edge(sound: Cohort) -> None:
    polygon = [-1.0, 1.0, 49.0, 1.0, 49.0, 9.0]
    assert check_cohort(broken(sound, "regions", 1, polygons=[polygon])) == []


def test_missing_and_changed_files_are_found_only_when_asked(sound: Cohort) -> None:
    (sound.images / "img000.png").unlink()
    (sound.images / "img001.png").write_bytes(b"else")
    assert check_cohort(sound) == []
    assert [
        (one.kind, one.where.rpartition("/")[2]) for one in check_cohort(sound, files=True)
    ] == [
        ("missing file", "img000.png"),
        ("changed file", "img001.png"),
    ]


def test_a_folder_of_images_that_was_moved_is_one_problem(sound: Cohort) -> None:
    moved = sound.images.rename(sound.images.with_name("elsewhere"))
    problem = only(check_cohort(sound, files=True))
    assert (problem.kind, problem.where) == ("missing folder", str(sound.images))
    assert "`images` in cohort.toml" in problem.do
    assert check_cohort(replace(sound, images=moved), files=True) == []


def test_the_number_of_errors_is_said(sound: Cohort) -> None:
    cohort = broken(
        broken(sound, "diagnoses", 2, state="negative"), "diagnoses", 4, state="negative"
    )
    with pytest.raises(RibsightError, match="the first of 2 errors"):
        require_sound(cohort)
