"""Lists of ribs of both sides: `right 2-5 and left 3-8`, `2-5 on the right, 3-8 on the left`."""

from itertools import groupby

from ribsight.findings import Side
from ribsight.records.clause import Clause
from ribsight.records.places import Place
from ribsight.records.rib_numbers import chain, listed, ordinal
from ribsight.records.words import Hit

_SIDES = {
    "detail.left": Side.LEFT, "detail.right": Side.RIGHT, "detail.both": Side.BOTH,
}  # fmt: skip

SidedRibs = tuple[Side, tuple[int, ...], tuple[Hit, ...]]


def sided_ribs(clause: Clause, place: Place) -> list[SidedRibs]:
    """Return side, rib numbers and words of the side of each part of a list of both sides.

    Every part has its side before its numbers, or every part has it behind them; what is no such
    list gives an empty one. Parts that count ribs and name none have no numbers.
    """
    if place.hit is None or place.site != "rib":
        return []
    positions = [
        one for one in _around(clause, place) if clause.has(one, *_SIDES) or _is_number(clause, one)
    ]
    runs = [
        (is_side, list(run))
        for is_side, run in groupby(positions, lambda one: clause.has(one, *_SIDES))
    ]
    if len(runs) < 4 or len(runs) % 2:
        return []
    parts = []
    for one, other in zip(runs[::2], runs[1::2], strict=True):
        sided, numbered = (one[1], other[1]) if one[0] else (other[1], one[1])
        # What stands between the numbers tells a range from a list.
        span = list(range(numbered[0], numbered[-1] + 1))
        parts.append((*_side(clause, sided), listed(clause, span, may_be_count=False), span))
    sides = {side for side, _, _, _ in parts}
    is_counted = not runs[0][0] and all(
        len(span) == 1 and ordinal(clause, span[0]) is None and span[0] < place.hit.first
        for _, _, _, span in parts
    )
    if len(sides) < 2 or _counts_something(clause, runs[-1][1][-1]):
        return []
    if is_counted:  # `4 right and 3 left rib fractures` names none
        behind = range(place.hit.first, place.hit.last + 3)
        is_plural = any(clause.has(one, "detail.plural") for one in behind)
        return [(side, (), hits) for side, hits, _, _ in parts] if is_plural else []
    if not all(numbers for _, _, numbers, _ in parts):
        return []
    return [(side, tuple(sorted(numbers)), hits) for side, hits, numbers, _ in parts]


def _around(clause: Clause, place: Place) -> list[int]:
    assert place.hit is not None
    before = chain(clause, place.hit.first, -1, place.first)
    behind = chain(clause, place.hit.last, 1, place.last)
    colon = (behind[-1] if behind else place.hit.last) + 1
    if colon < len(clause.tokens) and clause.tokens[colon].text == ":":
        behind += chain(clause, colon, 1, place.last)
    return [*before, *behind]


def _is_number(clause: Clause, position: int) -> bool:
    return clause.tokens[position].text[0].isdigit() or ordinal(clause, position) is not None


def _side(clause: Clause, positions: list[int]) -> tuple[Side, tuple[Hit, ...]]:
    hits = tuple(dict.fromkeys(hit for one in positions if (hit := clause.at[one]) is not None))
    sides = {side for hit in hits for role, side in _SIDES.items() if role in hit.roles}
    if len(sides) > 1:  # `bilateral, right 2-5 and left 3-8`
        sides.discard(Side.BOTH)
    return (sides.pop() if len(sides) == 1 else Side.BOTH), hits


def _counts_something(clause: Clause, position: int) -> bool:
    """Return whether a number belongs to what follows: `left 4th rib, right 3 chest tubes`."""
    behind = position + 1
    return (
        clause.tokens[position].text.isdigit()
        and behind < len(clause.tokens)
        and (clause.is_content(behind) or clause.has(behind, "site.hardware", "detail.measures"))
    )
