"""Where a fracture is: its site or sites, or the hardware that broke instead."""

from dataclasses import dataclass

from ribsight.records.clause import Clause, Trigger
from ribsight.records.mention import NOWHERE, OTHER_SITE, MentionKind
from ribsight.records.words import BLANK, Hit

HARDWARE = "hardware"
_COORDINATION = 7
_HARDWARE_REACH = 8
_BEHIND_PENALTY = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A site and the tokens (inclusive) that belong to it; `hit` is None where it is implied."""

    site: str
    hit: Hit | None
    first: int
    last: int


def places(clause: Clause, trigger: Trigger) -> list[Place]:
    """Return where a trigger's fracture is.

    The site nearest to the trigger in its segment, and those joined to it by commas and `and`. A
    trigger without one takes that of the trigger before it in the sentence (`rib deformity, likely
    an old fracture`). Without any, the place is `unspecified`.
    """
    first, last = clause.segment(trigger)
    if _is_hardware(clause, trigger):
        return [Place(HARDWARE, None, first, last)]
    if "finding.rib_fracture" in trigger.roles:
        return [Place("rib", None, first, last)]
    found = _named(clause, trigger, first, last)
    if found:
        return found
    earlier = [
        one
        for one in clause.triggers
        if one.last < trigger.first and one.kind is not MentionKind.BONES
    ]
    if earlier and not clause.with_role(("scope.ends",), earlier[-1].last, trigger.first):
        before = clause.segment(earlier[-1])
        found = _named(clause, earlier[-1], *before)
        return [Place(one.site, one.hit, one.first, last) for one in found] or _nowhere(first, last)
    return _nowhere(first, last)


def _nowhere(first: int, last: int) -> list[Place]:
    return [Place(NOWHERE, None, first, last)]


def _named(clause: Clause, trigger: Trigger, first: int, last: int) -> list[Place]:
    sites = clause.lexicon.sites
    strong = clause.with_role([f"site.{one}" for one in (*sites, OTHER_SITE)], first, last)
    strong = [hit for hit in strong if _is_reachable(clause, trigger, hit)]
    if not strong:
        weak = clause.with_role([f"site.weakly_{one}" for one in sites], first, last)
        if not weak or trigger.kind is MentionKind.DEFORMITY:
            return []
        nearest = min(weak, key=lambda hit: _distance(clause, trigger, hit))
        return [Place(one, nearest, first, last) for one in _sites_of(nearest, clause)]
    nearest = min(strong, key=lambda hit: _distance(clause, trigger, hit))
    return _divided(clause, _coordinated(clause, strong, nearest), first, last)


def _sites_of(hit: Hit, clause: Clause) -> list[str]:
    known = (*clause.lexicon.sites, OTHER_SITE)
    return [one for one in known if hit.roles & {f"site.{one}", f"site.weakly_{one}"}]


def _is_reachable(clause: Clause, trigger: Trigger, hit: Hit) -> bool:
    low, high = sorted((trigger.last, hit.last))
    return not clause.with_role(("scope.ends",), low + 1, high)


def _distance(clause: Clause, trigger: Trigger, hit: Hit) -> int:
    if hit.last < trigger.first:
        gap = trigger.first - hit.last
        return gap + _BEHIND_PENALTY * clause.lexicon.settings.scope.site_follows
    gap = hit.first - trigger.last
    # `Rib fracture, vertebral bodies are normal`: a comma separates more than a word does.
    between = clause.with_role(("scope.verbs",), trigger.last + 1, hit.first - 1)
    return gap + 3 * len(between)


def _coordinated(clause: Clause, strong: list[Hit], nearest: Hit) -> list[Hit]:
    """Return the nearest site and its neighbours on both sides that commas or `and` join to it."""
    index = strong.index(nearest)
    low = high = index
    while low > 0 and _are_joined(clause, strong[low - 1], strong[low]):
        low -= 1
    while high + 1 < len(strong) and _are_joined(clause, strong[high], strong[high + 1]):
        high += 1
    return strong[low : high + 1]


def _are_joined(clause: Clause, left: Hit, right: Hit) -> bool:
    between = range(left.last + 1, right.first)
    if len(between) > _COORDINATION:
        return False
    if not len(between):
        return True
    blocked = ("scope.verbs", "scope.ends", "state.negation_before", *_TRIGGERS)
    if any(
        clause.has(position, *blocked) and not clause.has(position, "scope.joins")
        for position in between
    ):
        return len(between) <= 2 and _only(clause, between, _TRIGGERS)
    if any(clause.is_content(position) for position in between):
        return False
    return any(clause.has(position, "scope.joins", "scope.of") for position in between) or _only(
        clause, between, ("detail.position", "detail.left", "detail.right", "detail.both")
    )


_TRIGGERS = ("finding.fracture", "finding.callus", "finding.break", "finding.deformity")


def _only(clause: Clause, between: range, roles: tuple[str, ...]) -> bool:
    return all(clause.has(position, *roles) for position in between)


def _divided(clause: Clause, hits: list[Hit], first: int, last: int) -> list[Place]:
    """Give each site the tokens from the separator before it to the separator after it."""
    places_ = []
    start = first
    for index, hit in enumerate(hits):
        end = last
        if index + 1 < len(hits):
            following = hits[index + 1]
            joins = [
                position
                for position in range(hit.last + 1, following.first)
                if clause.has(position, "scope.joins") and not clause.joins_numbers(position)
            ]
            end = (joins[0] if joins else following.first) - 1
        places_ += [Place(site, hit, start, end) for site in _sites_of(hit, clause)]
        start = end + 1
    return places_


def _is_hardware(clause: Clause, trigger: Trigger) -> bool:
    """Return whether what broke is a wire, screw, catheter or the like, and not the bone."""
    if not trigger.roles & {"finding.fracture", "finding.break"}:
        return False
    before = trigger.first - 1
    if clause.has(before, "site.hardware"):
        return True
    if clause.has(before, "scope.verbs") or _is_blank(clause, before):
        return _subject_is_hardware(clause, trigger)
    return _object_is_hardware(clause, trigger)


def _is_blank(clause: Clause, position: int) -> bool:
    return position >= 0 and clause.tokens[position].text == BLANK


def _subject_is_hardware(clause: Clause, trigger: Trigger) -> bool:
    """Return whether the first noun, which broke, is hardware.

    As in `the screw of the clavicular fixation is fractured`.
    """
    named = [f"site.{one}" for one in (*clause.lexicon.sites, OTHER_SITE, HARDWARE)]
    first = clause.segment(trigger)[0]
    for position in range(trigger.first - 1, first - 1, -1):
        if clause.has(position, "scope.ends") or clause.tokens[position].text == ",":
            first = position + 1
            break
    subjects = clause.with_role(named, first, trigger.first - 1)
    is_noun = not clause.tokens[trigger.first].text.endswith(("d", "n"))
    return (
        bool(subjects)
        and "site.hardware" in subjects[0].roles
        and not (is_noun and len(subjects) > 1 and "site.hardware" not in subjects[-1].roles)
    )


def _object_is_hardware(clause: Clause, trigger: Trigger) -> bool:
    """Return whether the first noun behind is hardware: `fracture of the superior wire`."""
    end = min(len(clause.tokens) - 1, trigger.last + _HARDWARE_REACH)
    sites = [f"site.{one}" for one in (*clause.lexicon.sites, OTHER_SITE)]
    if clause.has(trigger.first - 1, *sites):
        return False
    links = clause.has(trigger.last + 1, "scope.of")
    adjoins = clause.tokens[trigger.last].text.endswith(("d", "n")) or (
        clause.lexicon.settings.scope.site_follows
    )
    if not links and not adjoins:
        return False
    named = clause.with_role([*sites, "site.hardware"], trigger.last + 1, end)
    if not named or "site.hardware" not in named[0].roles:
        return False
    between = clause.with_role(("scope.joins", "scope.verbs"), trigger.last + 1, named[0].first)
    return all(clause.tokens[hit.first].text == "-" for hit in between)
