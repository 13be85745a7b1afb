"""Ribs as tables have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ribsight.findings import NamedRib, Side, read_ribs, ribs_text

RIB = st.builds(
    NamedRib, st.sampled_from([Side.LEFT, Side.RIGHT, Side.UNKNOWN]), st.integers(1, 12)
)


@given(ribs=st.lists(RIB))
def test_ribs_read_back(ribs: list[NamedRib]) -> None:
    assert read_ribs(ribs_text(ribs)) == tuple(sorted(set(ribs)))


def test_ribs_are_sorted_and_said_once() -> None:
    left = [NamedRib(Side.LEFT, number) for number in (10, 4, 4)]
    assert ribs_text([*left, NamedRib(Side.UNKNOWN, 2)]) == "left 4; left 10; 2"
    assert read_ribs(" Left 4;; 2 ") == (NamedRib(Side.LEFT, 4), NamedRib(Side.UNKNOWN, 2))
    assert read_ribs("") == ()


@pytest.mark.parametrize("text", ["both 4", "left", "left four", "4, 5", "left 13", "0"])
def test_what_names_no_rib_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names no rib"):
        read_ribs(text)
