"""What a report says of fractures, before it is put into words."""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from ribsight.findings import Acuity, Side
from ribsight.simulation.paper.chance import chance, pick
from ribsight.simulation.paper.settings import RecordSettings
from ribsight.simulation.truth import RIB_FRACTURE, Displacement, Fracture, PatientTruth

FLAIL_RIBS = 3
_OTHER_SIDE = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}
_SUSPECT_RIBS = range(4, 10)


@dataclass(frozen=True)
class Mention:
    """Fractures that one sentence speaks of.

    Attributes:
        finding: `RIB_FRACTURE` or `CLAVICLE_FRACTURE`.
        side: as written; both for ribs without numbers.
        ribs: rising numbers; empty for a clavicle.
        place: of the bone, if all agree.
        displacement: if all agree.
        acuity: as written.
        certain: the reader is sure.
        fixed: held by a plate.
        flail: neighbouring ribs are broken twice.

    """

    finding: str
    side: Side
    ribs: tuple[int, ...]
    place: str | None
    displacement: Displacement | None
    acuity: Acuity
    certain: bool = True
    fixed: bool = False
    flail: bool = False


def visible_fractures(truth: PatientTruth) -> tuple[Fracture, ...]:
    """Return the fractures that at least one film shows."""
    names = {one.fracture for film in truth.films for one in film.fractures if one.visible}
    return tuple(fracture for fracture in truth.fractures if fracture.name in names)


def plan_mentions(
    truth: PatientTruth, random: np.random.Generator, settings: RecordSettings
) -> tuple[Mention, ...]:
    """Return what a reader of the films reports, acute before old, sure before suspected."""
    visible = {fracture.name for fracture in visible_fractures(truth)}
    groups: dict[tuple[str, Side, Acuity, bool, bool], list[Fracture]] = defaultdict(list)
    for fracture in truth.fractures:
        missed = chance(
            random,
            settings.report_misses_rib
            if fracture.finding == RIB_FRACTURE
            else settings.report_misses_clavicle,
        )
        suspected = chance(random, settings.report_suspects_invisible)
        hedged = chance(random, settings.report_hedges) and not fracture.fixed
        if fracture.name in visible and not missed:
            certain = not hedged
        elif fracture.name not in visible and suspected:
            certain = False
        else:
            continue
        key = (fracture.finding, fracture.side, fracture.acuity, certain, fracture.fixed)
        groups[key].append(fracture)
    mentions = [_mention(group, certain=key[3]) for key, group in groups.items()]
    if not mentions and chance(random, settings.report_suspects_absent):
        mentions = [_suspicion(random)]
    mentions = [_with_slips(one, random, settings) for one in mentions]
    if chance(random, settings.report_numbers_unsaid):
        mentions = _bilateral(mentions)
    order = [Acuity.ACUTE, Acuity.HEALING, Acuity.UNKNOWN, Acuity.OLD]
    return tuple(sorted(mentions, key=lambda one: (order.index(one.acuity), not one.certain)))


def is_flail(fractures: list[Fracture]) -> bool:
    """Return whether three neighbouring ribs of one side are each broken twice or more."""
    twice = {
        (one.side, one.rib)
        for one in fractures
        if sum(other.rib == one.rib and other.side == one.side for other in fractures) > 1
    }
    return any(
        rib is not None and all((side, rib + step) in twice for step in range(FLAIL_RIBS))
        for side, rib in twice
    )


def _mention(group: list[Fracture], *, certain: bool) -> Mention:
    first = group[0]
    places = {one.place for one in group}
    displacements = {one.displacement for one in group}
    return Mention(
        finding=first.finding,
        side=first.side,
        ribs=tuple(sorted({one.rib for one in group if one.rib is not None})),
        place=first.place if len(places) == 1 else None,
        displacement=first.displacement if len(displacements) == 1 else None,
        acuity=first.acuity,
        certain=certain,
        fixed=first.fixed,
        flail=certain and first.acuity is Acuity.ACUTE and is_flail(group),
    )


def _suspicion(random: np.random.Generator) -> Mention:
    return Mention(
        finding=RIB_FRACTURE,
        side=pick(random, (Side.LEFT, Side.RIGHT)),
        ribs=(pick(random, _SUSPECT_RIBS),),
        place="lateral",
        displacement=Displacement.NON_DISPLACED,
        acuity=Acuity.ACUTE,
        certain=False,
    )


def _bilateral(mentions: list[Mention]) -> list[Mention]:
    """Join several ribs of each side into one mention of both, where both are of one age."""
    several: dict[Acuity, list[Mention]] = defaultdict(list)
    for one in mentions:
        if len(one.ribs) > 1 and one.certain and not one.fixed and not one.flail:
            several[one.acuity].append(one)
    for pair in several.values():
        if {one.side for one in pair} == {Side.LEFT, Side.RIGHT}:
            ribs = tuple(sorted(rib for one in pair for rib in one.ribs))
            both = replace(pair[0], side=Side.BOTH, ribs=ribs, place=None, displacement=None)
            mentions = [both, *(one for one in mentions if one not in pair)]
    return mentions


def _with_slips(mention: Mention, random: np.random.Generator, settings: RecordSettings) -> Mention:
    if chance(random, settings.report_wrong_side):
        mention = replace(mention, side=_OTHER_SIDE.get(mention.side, mention.side))
    # Flail chest is never of unknown age: it is seen at the bedside.
    if chance(random, settings.report_age_unsaid) and not (mention.fixed or mention.flail):
        mention = replace(mention, acuity=Acuity.UNKNOWN)
    return mention
