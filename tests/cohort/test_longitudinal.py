from typing import Any

import pytest

from ribsight.cohort.images import ReadImage
from ribsight.cohort.longitudinal import Studies, choose_studies, longitudinal_columns


def film(name: str, patient: str | None, study: str, date: str, time: str = "") -> ReadImage:
    origin: dict[str, Any] = {"study_date": date or None, "study_time": time or None}
    return ReadImage(
        name, f"{name}.dcm", 48, 40, 16, name, name, (), patient=patient, study=study, origin=origin
    )


@pytest.fixture
def read() -> dict[str, ReadImage]:
    films = [
        film("late", "a", "s2", "20190401"),
        film("first", "a", "s1", "20190310", "0800"),
        film("first_again", "a", "s1", "20190310", "0900"),
        film("same_day", "a", "s0", "20190310", "1000"),
        film("other", "b", "s3", "20200101"),
        film("undated", "a", "s4", ""),
        film("nobody", None, "s5", "20190101"),
    ]
    return {one.id: one for one in films}


def test_studies_are_numbered_by_date_and_time(read: dict[str, ReadImage]) -> None:
    columns = longitudinal_columns(read)
    assert {name: tuple(one.values()) for name, one in columns.items()} == {
        "late": (3, 22),
        "first": (1, 0),
        "first_again": (1, 0),
        "same_day": (2, 0),
        "other": (1, 0),
        "undated": (None, None),
        "nobody": (None, None),
    }


@pytest.mark.parametrize(
    ("studies", "gone"),
    [
        (Studies.ALL, set()),
        (Studies.FIRST, {"late", "same_day"}),
        (Studies.LAST, {"first", "first_again", "same_day"}),
    ],
)
def test_first_and_last_studies_stay_whole(
    read: dict[str, ReadImage], studies: Studies, gone: set[str]
) -> None:
    kept, left_out = choose_studies(read, studies)
    assert read.keys() - kept.keys() == gone
    assert {one.file for one in left_out} == {f"{name}.dcm" for name in gone}
    assert all(one.reason == f"not the patient's {studies} study" for one in left_out)
