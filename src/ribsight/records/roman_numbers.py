"""Roman numerals beside a rib, read as rib numbers: `ribs IV-VII`, `the VIth rib`."""

import re
from collections.abc import Callable

_NUMERALS = dict(
    zip(
        ["i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii"],
        range(1, 13),
        strict=True,
    )
)
_NUMERAL = re.compile(rf"({'|'.join(_NUMERALS)})(st|nd|rd|th)?")
_SIDES = ("detail.left", "detail.right", "detail.both")
_LINKS = ("scope.joins", "scope.of", "detail.to", *_SIDES)

Has = Callable[..., bool]
"""Whether the phrase at a token has one of the roles: `Clause.has`."""


def may_hold_numerals(texts: list[str]) -> bool:
    """Return whether a word looks like a numeral: most sentences have none."""
    return any(map(_NUMERAL.fullmatch, texts))


def rib_numerals(
    texts: list[str], has: Has, ribs: list[tuple[int, int]], grades: frozenset[str]
) -> dict[int, str]:
    """Return the tokens that number a rib, as ordinals: {position: `4th`}.

    Only in a list that stands directly beside a rib, with at most its side, its part or the word
    fracture between. `IV line`, `grade III` and `I` as a word are no numbers.

    Args:
        texts: the tokens.
        has: looks up their phrases.
        ribs: first and last token of each rib.
        grades: words before a numeral that is no rib (`type II`).
    """
    found: dict[int, str] = {}
    for first, last in ribs:
        for listed in (_behind(texts, has, last), _before(texts, has, first, grades)):
            found |= {one: f"{_number(texts[one])}th" for one in listed}
    return found


def _number(text: str) -> int | None:
    match = _NUMERAL.fullmatch(text)
    return _NUMERALS[match[1]] if match else None


def _run(texts: list[str], has: Has, start: int, step: int) -> list[int]:
    """Return the numerals of a list that begins at a token, in the direction of `step`."""
    found = []
    position = start
    while 0 <= position < len(texts):
        if _number(texts[position]) is not None:
            found.append(position)
        elif position == start or not (texts[position][0].isdigit() or has(position, *_LINKS)):
            break
        position += step
    return found


def _behind(texts: list[str], has: Has, last: int) -> list[int]:
    start = last + 1
    while start < len(texts) and (
        texts[start] in ("(", "#", ":")
        or has(start, "finding.fracture", "detail.position", *_SIDES)
    ):
        start += 1
    found = _run(texts, has, start, 1)
    while found and _goes_on(texts, has, found[-1] + 1):
        found.pop()
    is_alone = len(found) == 1 and texts[found[0]] in ("i", "x")
    return [] if is_alone else found


def _goes_on(texts: list[str], has: Has, position: int) -> bool:
    """Return whether what follows a numeral takes it away: `IV line`, `x 3`, `I see`."""
    if position >= len(texts) or not texts[position][0].isalnum():
        return False
    known = ("scope.joins", "scope.of", "scope.ends", "scope.verbs", "detail.to", "age.old",
             "age.acute", "age.healing", "finding.fracture", "site.rib", *_SIDES)  # fmt: skip
    return has(position, "site.hardware") or not has(position, *known)


def _before(texts: list[str], has: Has, first: int, grades: frozenset[str]) -> list[int]:
    start = first - 1
    while start >= 0 and has(start, "detail.position", *_SIDES) and _number(texts[start]) is None:
        start -= 1
    found = _run(texts, has, start, -1)
    if not found:
        return []
    before = found[-1] - 1
    if before >= 0 and texts[before] in grades:
        return []
    if len(found) == 1 and texts[found[0]] in ("i", "v", "x"):
        return found if has(before, "scope.of", "scope.articles", *_SIDES) else []
    return found
