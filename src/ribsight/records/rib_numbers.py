"""Which ribs are broken, and how many, from the numbers beside a site."""

import itertools
import re

from ribsight.findings import RIBS
from ribsight.records.clause import Clause, Trigger
from ribsight.records.places import Place
from ribsight.records.words import Hit

_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th|o|a|er|ro|do|to|mo|vo|no|os|as)")
_DIGITS = re.compile(r"\d{1,2}")
_LINKS = ("scope.joins", "scope.of", "scope.articles", "age.old", "age.healing", "age.acute")


def ribs_and_count(
    clause: Clause, trigger: Trigger, place: Place
) -> tuple[tuple[int, ...], int | None]:
    """Return the rib numbers beside the site, and how many ribs or fractures are counted."""
    assert place.hit is not None
    counts: list[int] = []
    ribs: set[int] = set()
    left = chain(clause, place.hit.first, -1, place.first)
    if place.site == "rib":
        for hit in clause.with_role(("site.rib",), place.first, place.last):
            before = chain(clause, hit.first, -1, place.first)
            behind = chain(clause, hit.last, 1, place.last)
            ribs |= listed(clause, before, may_be_count=True)
            ribs |= listed(clause, behind, may_be_count=False)
    for position in (*left, *range(place.first, trigger.first)):
        number = _word_number(clause, position, "numbers.")
        if number is not None:
            counts.append(number)
    beside = place.hit.first - 1
    is_plural = clause.has(place.hit.last, "detail.plural") or clause.has(
        trigger.last, "detail.plural"
    )
    if is_plural and not ribs and beside >= 0:
        text = clause.tokens[beside].text
        if _DIGITS.fullmatch(text) and int(text) > 1:
            counts.append(int(text))
    return tuple(sorted(ribs)), (max(counts) if counts else None)


def chain(clause: Clause, start: int, step: int, limit: int) -> list[int]:
    """Return the tokens beside a site that numbers may stand among, in the order of the text."""
    found = []
    position = start + step
    while (position >= limit if step < 0 else position <= limit) and (
        0 <= position < len(clause.tokens)
    ):
        hit = clause.at[position]
        text = clause.tokens[position].text
        is_open = (
            text[0].isdigit()
            or text in ("(", ")", "#", "o", "a")
            or (hit is not None and _is_link(hit))
        )
        if not is_open:
            break
        found.append(position)
        position += step
    return sorted(found)


def _is_link(hit: Hit) -> bool:
    return any(
        role.startswith(("ordinals.", "numbers.", "detail.", "finding.", "site.")) or role in _LINKS
        for role in hit.roles
    )


def listed(clause: Clause, chain: list[int], *, may_be_count: bool) -> set[int]:
    """Return the rib numbers in a chain of tokens; `to` between two of them is a range."""
    numbers: list[tuple[int, int]] = []
    has_ordinal = any(ordinal(clause, position) for position in chain)
    for position in chain:
        number = ordinal(clause, position)
        text = clause.tokens[position].text
        if number is None and _DIGITS.fullmatch(text):
            # `4 rib fractures` counts, `posterior 10 rib fracture` names.
            is_single = len([p for p in chain if clause.tokens[p].text[0].isdigit()]) == 1
            if not (may_be_count and is_single and not has_ordinal and _counts(clause, position)):
                number = int(text)
        if number is None and not may_be_count:
            number = _word_number(clause, position, "numbers.")
        if number is not None and 1 <= number <= RIBS and not _is_measure(clause, position):
            numbers.append((position, number))
    found = {number for _, number in numbers}
    for (left, low), (right, high) in itertools.pairwise(numbers):
        between = range(left + 1, right)
        if low < high and len(between) and any(clause.has(one, "detail.to") for one in between):
            found |= set(range(low, high + 1))
    return found


def _counts(clause: Clause, position: int) -> bool:
    following = [
        clause.has(after, "detail.plural")
        for after in range(position + 1, min(position + 4, len(clause.tokens)))
    ]
    return any(following)


def ordinal(clause: Clause, position: int) -> int | None:
    """Return the number of an ordinal (`6th`, `sixth`, `6o`), or None."""
    text = clause.tokens[position].text
    match = _ORDINAL.fullmatch(text)
    if match:
        return int(match[1])
    number = _word_number(clause, position, "ordinals.")
    # `Middle third of the rib` is no third rib.
    if (
        number == 3
        and clause.has(position - 1, "detail.position")
        and not clause.has(position + 1, "site.rib")
    ):
        return None
    return number


def _word_number(clause: Clause, position: int, kind: str) -> int | None:
    hit = clause.at[position]
    if hit is None:
        return None
    return next((int(role[len(kind) :]) for role in hit.roles if role.startswith(kind)), None)


def _is_measure(clause: Clause, position: int) -> bool:
    return clause.has(position + 1, "detail.measures")
