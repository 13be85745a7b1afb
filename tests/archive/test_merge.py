"""The tables are a function of what was seen, not of the order in which it was seen."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ribsight.archive.merge import merge
from ribsight.archive.shards import last_of_each
from ribsight.archive.sighting import SIGHTINGS, Row, sightings

WORDS = st.sampled_from(["a", "b", "c"])


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """Draw sightings of few places and few images, so that they collide."""
    places = draw(st.lists(st.tuples(WORDS, st.integers(-1, 2)), unique=True, max_size=12))
    return [row(draw, source, position) for source, position in places]


def row(draw: st.DrawFn, source: str, position: int) -> Row:
    place: dict[str, Any] = {
        "source": f"/in/{source}",
        "size": 1,
        "mtime_ns": 1,
        "position": position,
        "member": "" if position < 0 else f"{draw(WORDS)}.png",
        "offset": 0,
        "reason": "",
        "sentence": "",
        "sha256": "",
        "head_sha256": "",
    }
    kind = draw(st.sampled_from(["dicom", "png", "refused", "zip"]))
    if kind == "refused":
        return {**place, "reason": "empty", "sentence": "is empty"}
    if kind == "zip":
        return {**place, "format": "zip", "members": 3}
    content = draw(WORDS) * 64
    return {
        **place,
        "format": kind,
        "image": f"1.2.{draw(WORDS)}" if kind == "dicom" else None,
        "bytes": 9,
        "sha256": content,
        "head_sha256": content,
        "pixels": content,
        "patient": draw(st.sampled_from([None, "P"])),
        "eligible": True,
        "ineligible_reason": "",
    }


@given(seen=rows(), random=st.randoms(use_true_random=False), keep_first=st.booleans())
def test_order_changes_nothing(seen: list[Row], random: Any, keep_first: bool) -> None:
    shuffled = random.sample(seen, len(seen))
    one, other = (merge(sightings(rows), keep_first=keep_first) for rows in (seen, shuffled))
    assert one[0].equals(other[0])
    assert one[1].equals(other[1])


@given(seen=rows(), keep_first=st.booleans())
def test_every_place_is_in_one_table_and_no_image_twice(
    seen: list[Row],
    keep_first: bool,
) -> None:
    images, quarantine = merge(sightings(seen), keep_first=keep_first)
    containers = sum(row["format"] == "zip" for row in seen if "format" in row)
    assert len(images) + len(quarantine) == len(seen) - containers
    assert images["image"].is_unique().all()
    assert (quarantine["reason"] != "").all()
    assert (quarantine["sentence"] != "").all()


@given(st.lists(st.tuples(WORDS, st.integers(-1, 1), st.integers(0, 2)), max_size=12))
def test_of_each_place_the_last_sighting_counts(places: list[tuple[str, int, int]]) -> None:
    columns = {
        "source": [source for source, _, _ in places],
        "position": [position for _, position, _ in places],
        "mtime_ns": [time for _, _, time in places],
        "size": [1 for _ in places],
    }
    table = pl.DataFrame(columns, schema={name: SIGHTINGS[name] for name in columns})
    newest = {source: time for source, _, time in places}
    last = {(source, position): time for source, position, time in places}
    expected = {(*key, time) for key, time in last.items() if newest[key[0]] == time}
    found = last_of_each(table).select("source", "position", "mtime_ns").rows()
    assert set(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("name", ["..", "a/../..", "\\..\\..", ".png", "~/x.png", "c:\\y.png"])
def test_a_name_is_never_a_path(name: str) -> None:
    seen = sightings(
        [
            {
                "source": "/in/a.zip", "size": 1, "mtime_ns": 1, "position": 0, "member": name,
                "offset": 0, "reason": "", "sentence": "", "format": "png", "bytes": 1,
                "sha256": "f" * 64, "head_sha256": "f" * 64, "pixels": "f", "eligible": True,
                "ineligible_reason": "",
            }
        ]
    )  # fmt: skip
    (image,) = merge(seen)[0]["image"]
    assert image
    assert not {"/", "\\"} & set(image)
    assert image not in (".", "..")
