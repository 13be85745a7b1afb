"""What else a sentence says of a fracture: age, side, rib numbers, count, displacement."""

from dataclasses import dataclass, replace

from ribsight.findings import Acuity, Side
from ribsight.records.clause import Clause, Trigger
from ribsight.records.mention import Displacement, MentionKind
from ribsight.records.places import Place
from ribsight.records.rib_numbers import ordinal, ribs_and_count
from ribsight.records.sided_ribs import sided_ribs
from ribsight.records.words import Hit

_AGES = {"age.acute": Acuity.ACUTE, "age.healing": Acuity.HEALING, "age.old": Acuity.OLD}
_AGE_REACH = 14
_SIDES = {
    "detail.left": Side.LEFT, "detail.left_letter": Side.LEFT, "detail.right": Side.RIGHT,
    "detail.right_letter": Side.RIGHT, "detail.both": Side.BOTH,
}  # fmt: skip
_LETTERS = ("detail.left_letter", "detail.right_letter")


@dataclass(frozen=True, slots=True)
class Details:
    """What `Mention` holds under the same names, and the phrases it was read from."""

    acuity: Acuity
    side: Side
    ribs: tuple[int, ...]
    count: int | None
    is_multiple: bool
    displacement: Displacement
    is_seen_before: bool
    hits: tuple[Hit, ...]


def details(clause: Clause, trigger: Trigger, place: Place) -> list[Details]:
    """Return what is said of the fracture at one of its places, for each side of a list."""
    known = _details(clause, trigger, place)
    return [
        replace(known, side=side, ribs=ribs, count=len(ribs) or None, hits=(*known.hits, *hits))
        for side, ribs, hits in sided_ribs(clause, place)
    ] or [known]


def _details(clause: Clause, trigger: Trigger, place: Place) -> Details:
    acuity, age = _acuity(clause, trigger, place)
    side, sided = _side(clause, trigger, place)
    ribs, count = ribs_and_count(clause, trigger, place) if place.hit is not None else ((), None)
    first, last = clause.segment(trigger)
    is_flail = "finding.rib_fracture" in trigger.roles
    many = clause.with_role(("detail.many",), place.first, place.last)
    is_plural = clause.has(trigger.last, "detail.plural") or (
        place.hit is not None and clause.has(place.hit.last, "detail.plural")
    )
    known = [
        hit
        for hit in clause.with_role(("age.seen_before",), first, last)
        if abs(hit.first - trigger.first) <= _AGE_REACH
    ]
    return Details(
        acuity=acuity,
        side=side,
        ribs=ribs,
        count=count if count is not None else (len(ribs) or None),
        is_multiple=bool(many) or is_flail or is_plural or max(count or 0, len(ribs)) > 1,
        displacement=_displacement(clause, first, last),
        is_seen_before=bool(known),
        hits=(*age, *sided),
    )


def _acuity(clause: Clause, trigger: Trigger, place: Place) -> tuple[Acuity, tuple[Hit, ...]]:
    first, last = clause.segment(trigger)
    first, last = min(first, place.first), max(last, place.last)
    adjective = _adjective(clause, trigger)
    denied = clause.with_role(("age.unknown",), first, last)
    if denied:
        return Acuity.UNKNOWN, (denied[0],)
    aged = [
        hit
        for hit in clause.with_role(_AGES, first, last)
        if _is_said_of(clause, trigger, hit)
        and not (hit.first <= trigger.last and hit.last >= trigger.first)
    ]
    if trigger.kind is MentionKind.CALLUS:
        older = [hit for hit in aged if "age.old" in hit.roles]
        return (Acuity.OLD, (older[0],)) if older else (Acuity.HEALING, ())
    if adjective is not None:
        aged.append(adjective)
    if not aged:
        own = [age for role, age in _AGES.items() if role in trigger.roles]
        return (own[0] if own else Acuity.UNKNOWN), ()
    nearest = min(aged, key=lambda hit: _gap(trigger, hit))
    healing = next((hit for hit in aged if "age.healing" in hit.roles), None)
    if healing is not None and "age.old" in nearest.roles and _are_near(nearest, healing):
        nearest = healing
    if nearest is adjective:
        return Acuity.OLD, (nearest,)
    return next(age for role, age in _AGES.items() if role in nearest.roles), (nearest,)


def _are_near(left: Hit, right: Hit) -> bool:
    return abs(left.first - right.first) <= 2


def _adjective(clause: Clause, trigger: Trigger) -> Hit | None:
    """Return `prior` or the like if only sides, sites and numbers stand between it and this."""
    position = trigger.first - 1
    while position >= 0:
        hit = clause.at[position]
        if hit is not None and "age.old_adjective" in hit.roles:
            return hit
        is_number = clause.tokens[position].text[0].isdigit()
        if not is_number and (hit is None or not _is_modifier(hit)):
            return None
        position -= 1
    return None


def _is_modifier(hit: Hit) -> bool:
    return any(role.startswith(("site.", "ordinals.", "numbers.", "detail.")) for role in hit.roles)


def _gap(trigger: Trigger, hit: Hit) -> int:
    return max(trigger.first - hit.last, hit.first - trigger.last)


def _is_said_of(clause: Clause, trigger: Trigger, hit: Hit) -> bool:
    """Return whether an age is near enough and not that of something denied or named between."""
    if _gap(trigger, hit) > _AGE_REACH:
        return False
    low, high = (
        sorted((trigger.last, hit.first)) if hit.first > trigger.last else (hit.last, trigger.first)
    )
    between = range(low + 1, high)
    if any(clause.has(one, "scope.ends") for one in between):
        return False
    if hit.first < trigger.first:
        joins = [one for one in between if clause.has(one, "scope.joins")]
        # `Acute infiltrate and a fracture`: the age is the infiltrate's.
        return not any(clause.is_content(one) for one in between if joins and one < joins[-1])
    if any(clause.has(one, "state.negation_before") for one in between):
        return False
    # `Fracture of the rib with acute infiltrate`: what follows the age is not the fracture.
    follows = hit.last + 1
    joined = any(clause.has(one, "scope.joins") for one in between)
    is_of_other = follows < len(clause.tokens) and clause.is_content(follows)
    return not (joined and is_of_other)


def _side(clause: Clause, trigger: Trigger, place: Place) -> tuple[Side, tuple[Hit, ...]]:
    first, last = place.first, place.last
    hits = _sides_between(clause, first, last)
    if not hits:
        hits = _sides_between(clause, *clause.segment(trigger))
    if not hits:
        return Side.UNKNOWN, ()
    anchors = [(trigger.first, trigger.last)]
    if place.hit is not None:
        anchors.append((place.hit.first, place.hit.last))
    nearest = min(hits, key=lambda hit: min(_span(hit, one) for one in anchors))
    # A side beside another beyond a join belongs to the same fracture: `right and left ribs`.
    group = [one for one in hits if one is nearest or _are_joined_sides(clause, one, nearest)]
    sides = {_side_of(one) for one in group}
    return (sides.pop() if len(sides) == 1 else Side.BOTH), tuple(group)


def _sides_between(clause: Clause, first: int, last: int) -> list[Hit]:
    return [
        hit
        for hit in clause.with_role(_SIDES, first, last)
        if not hit.roles & set(_LETTERS) or _is_side_letter(clause, hit)
    ]


def _is_side_letter(clause: Clause, hit: Hit) -> bool:
    """Return whether a letter stands beside a rib, a clavicle or a rib's number."""
    labelled = [f"site.{one}" for one in clause.lexicon.sites]
    for beside in (hit.first - 1, hit.last + 1):
        if clause.has(beside, *labelled):
            return True
        if 0 <= beside < len(clause.tokens) and ordinal(clause, beside) is not None:
            return True
    return False


def _side_of(hit: Hit) -> Side:
    return next(side for role, side in _SIDES.items() if role in hit.roles)


def _span(hit: Hit, anchor: tuple[int, int]) -> int:
    return max(anchor[0] - hit.last, hit.first - anchor[1], 0)


def _are_joined_sides(clause: Clause, one: Hit, other: Hit) -> bool:
    low, high = sorted((one.first, other.first))
    between = range(low + 1, high)
    return any(clause.has(position, "scope.joins") for position in between) and all(
        clause.has(position, "scope.joins", *_SIDES) or ordinal(clause, position) is not None
        for position in between
    )


def _displacement(clause: Clause, first: int, last: int) -> Displacement:
    if clause.with_role(("detail.nondisplaced",), first, last):
        return Displacement.NONDISPLACED
    if clause.with_role(("detail.displaced",), first, last):
        return Displacement.DISPLACED
    return Displacement.UNKNOWN
