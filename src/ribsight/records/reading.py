"""What one report, or one code, says of one finding, in the terms of the policy."""

from collections.abc import Sequence
from dataclasses import dataclass

from ribsight.findings import Acuity, NamedRib, Side
from ribsight.records.codes import CodeCertainty, CodeMeaning
from ribsight.records.mention import NOWHERE, Displacement, Mention, MentionKind, MentionState
from ribsight.records.policy import CodeSignal, FusionPolicy, ReportSignal

_STRENGTH = {signal: rank for rank, signal in enumerate(ReportSignal)}
_AGES = (Acuity.ACUTE, Acuity.HEALING, Acuity.OLD)


@dataclass(frozen=True, slots=True)
class ReportReading:
    """What one report says of one finding.

    Attributes:
        signal: the strongest of its mentions'.
        acuity: of the mentions of that strength: acute before healing before old.
        side: all sides of these together.
        ribs: that these name; those of old fractures only if all are old.
        decisive: the first mention of that strength; None if the report is silent.
        contradicts_itself: it says there is one and, without restriction, that there is none.
    """

    signal: ReportSignal
    acuity: Acuity = Acuity.UNKNOWN
    side: Side = Side.UNKNOWN
    ribs: tuple[NamedRib, ...] = ()
    decisive: Mention | None = None
    contradicts_itself: bool = False


def read_mentions(
    mentions: Sequence[Mention], sites: Sequence[str], policy: FusionPolicy
) -> ReportReading:
    """Return what a report's mentions say of a finding, which is at one of `sites`."""
    heard = [(_signal(one, policy), one) for one in mentions if one.site in (*sites, NOWHERE)]
    heard = [(signal, one) for signal, one in heard if signal is not ReportSignal.SILENT]
    if not heard:
        return ReportReading(ReportSignal.SILENT)
    strongest = min((signal for signal, _ in heard), key=_STRENGTH.__getitem__)
    group = [one for signal, one in heard if signal is strongest]
    if strongest is ReportSignal.NEGATED:
        return ReportReading(strongest, decisive=group[0])
    # `Old rib fracture` in the findings gives its age to `rib fracture` in the impression.
    believed = [
        one
        for signal, one in heard
        if _STRENGTH[signal] <= max(_STRENGTH[strongest], _STRENGTH[ReportSignal.LIKELY])
        and one.site in sites
    ] or group
    ages = {one.acuity for one in believed}
    return ReportReading(
        signal=strongest,
        acuity=next((age for age in _AGES if age in ages), Acuity.UNKNOWN),
        side=joint_side([one.side for one in believed]),
        ribs=_named_ribs(believed),
        decisive=group[0],
        contradicts_itself=strongest is ReportSignal.PRESENT
        and any(_denies_all(one, sites) for _, one in heard),
    )


def _named_ribs(mentions: Sequence[Mention]) -> tuple[NamedRib, ...]:
    newer = [one for one in mentions if one.acuity is not Acuity.OLD]
    named = {
        NamedRib(side, number)
        for one in newer or mentions
        for number in one.ribs
        for side in ((Side.LEFT, Side.RIGHT) if one.side is Side.BOTH else (one.side,))
    }
    return tuple(sorted(named))


def joint_side(sides: Sequence[Side]) -> Side:
    """Return one side for several: left and right are both; unknown says nothing."""
    known = set(sides) - {Side.UNKNOWN}
    if not known:
        return Side.UNKNOWN
    return known.pop() if len(known) == 1 else Side.BOTH


def _signal(mention: Mention, policy: FusionPolicy) -> ReportSignal:
    if mention.state is MentionState.HYPOTHETICAL:
        return ReportSignal.SILENT
    if mention.state is MentionState.NEGATED:
        if mention.kind is MentionKind.BONES:
            return ReportSignal(policy.bones_intact)
        return ReportSignal(policy.no_acute_fracture if _is_narrow(mention) else "negated")
    if mention.kind is MentionKind.DEFORMITY:
        return ReportSignal(policy.deformity)
    if mention.site == NOWHERE:
        return ReportSignal(policy.fracture_somewhere)
    if mention.state is MentionState.PRESENT:
        return ReportSignal.PRESENT
    return ReportSignal.LIKELY if mention.is_likely else ReportSignal.POSSIBLE


def _is_narrow(mention: Mention) -> bool:
    return mention.acuity is Acuity.ACUTE or mention.displacement is Displacement.DISPLACED


def _denies_all(mention: Mention, sites: Sequence[str]) -> bool:
    return (
        mention.state is MentionState.NEGATED
        and mention.kind is not MentionKind.BONES
        and mention.site in sites
        and mention.side is Side.UNKNOWN
        and not _is_narrow(mention)
    )


def code_signal(meaning: CodeMeaning) -> CodeSignal:
    """Return what a code says of the sites it is about."""
    if meaning.certainty is CodeCertainty.EXCLUDED:
        return CodeSignal.EXCLUDED
    if meaning.certainty is CodeCertainty.WEAK:
        return CodeSignal.WEAK
    if meaning.certainty is not CodeCertainty.DEFINITE:
        return CodeSignal.NONE
    return CodeSignal.OLD if meaning.acuity is Acuity.OLD else CodeSignal.POSITIVE
