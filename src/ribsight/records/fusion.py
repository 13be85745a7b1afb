"""Several records of one image -> one diagnosis of one finding, with where they contradict."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ribsight.findings import Acuity, DiagnosisState, NamedRib, Side
from ribsight.records.policy import CodeSignal, FusionPolicy, ReportSignal
from ribsight.records.reading import joint_side

_CODE_STRENGTH = {signal: rank for rank, signal in enumerate(CodeSignal)}
_REPORT_STRENGTH = {signal: rank for rank, signal in enumerate(ReportSignal)}
_BELIEVED = (ReportSignal.PRESENT, ReportSignal.LIKELY)
_SHOWN = 2
"""Records of each kind named as evidence."""
_OLDER = (Acuity.HEALING, Acuity.OLD)


class Contradiction(StrEnum):
    """Where records of one image do not agree; kept as facts, whatever the policy decides."""

    SIDE = "side"
    """Code and report name different sides."""
    ACUITY = "acuity"
    """One says acute, the other healing or old."""
    CODE_DENIED = "code denied"
    """Coded, and the report says there is none."""
    CODE_NOT_MENTIONED = "code not mentioned"
    """Coded, and the report does not speak of it."""
    MENTION_NOT_CODED = "mention not coded"
    """Reported, and the encounter's codes do not have it."""
    CT_ONLY = "ct only"
    """Seen on computed tomography, and not on this radiograph."""
    LATE_CODE = "late code"
    """Coded only after the policy's window."""
    WITHIN_REPORT = "within report"
    """One report says both."""


@dataclass(frozen=True, slots=True)
class CodeFact:
    """What one code says of a finding. `days`: of its date after the image's; None if unknown."""

    signal: CodeSignal
    acuity: Acuity
    side: Side
    evidence: str
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class ReportFact:
    """What one report says of a finding."""

    signal: ReportSignal
    acuity: Acuity
    side: Side
    evidence: str
    is_ct: bool = False
    contradicts_itself: bool = False
    ribs: tuple[NamedRib, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One diagnosis and where it came from.

    Attributes:
        state, acuity, side: as the cohort has them.
        report, code: what decided, in the policy's terms.
        evidence: files, rows and rules, the decisive first; no text.
        contradictions: between the records.
        ribs: that the deciding reports name, on the side that was decided.
    """

    state: DiagnosisState
    acuity: Acuity
    side: Side
    report: ReportSignal
    code: CodeSignal
    evidence: tuple[str, ...]
    contradictions: tuple[Contradiction, ...]
    ribs: tuple[NamedRib, ...] = ()


def fuse(
    codes: Sequence[CodeFact],
    reports: Sequence[ReportFact],
    policy: FusionPolicy,
    *,
    has_codes: bool = True,
    is_lateral: bool = False,
) -> Diagnosis:
    """Return the diagnosis of one finding on one image.

    The order of the facts does not matter.

    Args:
        codes: what the linked codes say of the finding.
        reports: what the linked reports say of it; silent ones too.
        policy: decides.
        has_codes: whether the image has any code at all; without, none can be missed.
        is_lateral: whether the image is a lateral view.
    """
    if not codes and all(one.signal is ReportSignal.SILENT for one in reports):
        return _unrecorded(reports, policy)
    timely = sorted((one for one in codes if not one.is_late), key=_code_key)
    films = sorted((one for one in reports if not one.is_ct), key=_report_key)
    code = timely[0].signal if timely else CodeSignal.NONE
    report = films[0].signal if films else ReportSignal.NONE
    state = DiagnosisState(policy.state(report, code))
    is_on_ct = any(one.is_ct and one.signal in _BELIEVED for one in reports)
    hidden = (DiagnosisState.NEGATIVE, DiagnosisState.UNKNOWN)
    if is_on_ct and state in hidden and policy.ct_only != "same":
        state = DiagnosisState(policy.ct_only)
    coded = [one for one in timely if one.signal is code and code is not CodeSignal.NONE]
    told = [one for one in films if one.signal is report]
    acuity = _acuity(told, coded, policy)
    if state is DiagnosisState.POSITIVE and acuity is Acuity.OLD:
        state = DiagnosisState(policy.old_positive)
    if state is DiagnosisState.POSITIVE and is_lateral:
        state = DiagnosisState(policy.lateral_positive)
    is_finding = state in (DiagnosisState.POSITIVE, DiagnosisState.UNCERTAIN)
    side = _side(told, coded, policy) if is_finding else Side.UNKNOWN
    return Diagnosis(
        state=state,
        acuity=acuity if is_finding else Acuity.UNKNOWN,
        side=side,
        report=report,
        code=code,
        evidence=_evidence(told, coded, reports, report),
        contradictions=tuple(
            _contradictions(codes, reports, coded, told, report, code, has_codes=has_codes)
        ),
        ribs=_ribs(told, side) if is_finding else (),
    )


def _unrecorded(reports: Sequence[ReportFact], policy: FusionPolicy) -> Diagnosis:
    """Return the diagnosis of what neither code nor report mentions: most of an archive."""
    films = sorted(one.evidence for one in reports if not one.is_ct)
    report = ReportSignal.SILENT if films else ReportSignal.NONE
    return Diagnosis(
        state=DiagnosisState(policy.state(report, CodeSignal.NONE)),
        acuity=Acuity.UNKNOWN,
        side=Side.UNKNOWN,
        report=report,
        code=CodeSignal.NONE,
        evidence=tuple(f"{one}, not mentioned" for one in films[:1]),
        contradictions=(),
    )


def _code_key(fact: CodeFact) -> tuple[int, str]:
    return _CODE_STRENGTH[fact.signal], fact.evidence


def _report_key(fact: ReportFact) -> tuple[int, str]:
    return _REPORT_STRENGTH[fact.signal], fact.evidence


def _evidence(
    told: Sequence[ReportFact],
    coded: Sequence[CodeFact],
    reports: Sequence[ReportFact],
    report: ReportSignal,
) -> tuple[str, ...]:
    said = list(dict.fromkeys(one.evidence for one in told))[:_SHOWN]
    if report is ReportSignal.SILENT and said:
        said = [f"{said[0]}, not mentioned"]
    on_ct = sorted(
        f"{one.evidence} (tomography)" for one in reports if one.is_ct and one.signal in _BELIEVED
    )
    codes = list(dict.fromkeys(one.evidence for one in coded))[:_SHOWN]
    return (*said, *on_ct[:1], *codes)


def _ages(facts: Sequence[ReportFact] | Sequence[CodeFact]) -> Acuity:
    ages = {one.acuity for one in facts}
    return next((one for one in (Acuity.ACUTE, *_OLDER) if one in ages), Acuity.UNKNOWN)


def _acuity(told: Sequence[ReportFact], coded: Sequence[CodeFact], policy: FusionPolicy) -> Acuity:
    report, code = _ages(told), _ages(coded)
    if Acuity.UNKNOWN in (report, code) or report is code:
        return code if report is Acuity.UNKNOWN else report
    return {"report": report, "code": code, "unknown": Acuity.UNKNOWN}[policy.acuity]


def _side(told: Sequence[ReportFact], coded: Sequence[CodeFact], policy: FusionPolicy) -> Side:
    report = joint_side([one.side for one in told])
    code = joint_side([one.side for one in coded])
    if Side.UNKNOWN in (report, code) or report is code:
        return code if report is Side.UNKNOWN else report
    return {"report": report, "code": code, "unknown": Side.UNKNOWN}[policy.side]


def _ribs(told: Sequence[ReportFact], side: Side) -> tuple[NamedRib, ...]:
    named = {rib for one in told for rib in one.ribs}
    if side is Side.UNKNOWN:
        # Where a side was named and is not believed, numbers are.
        return tuple(sorted({NamedRib(side, rib.number) for rib in named}))
    return tuple(sorted(rib for rib in named if joint_side([rib.side, side]) in (rib.side, side)))


def _contradictions(
    codes: Sequence[CodeFact],
    reports: Sequence[ReportFact],
    coded: Sequence[CodeFact],
    told: Sequence[ReportFact],
    report: ReportSignal,
    code: CodeSignal,
    *,
    has_codes: bool,
) -> list[Contradiction]:
    found = []
    sides = joint_side([one.side for one in told]), joint_side([one.side for one in coded])
    is_told = report in (*_BELIEVED, ReportSignal.POSSIBLE)
    if is_told and Side.UNKNOWN not in sides and sides[0] is not sides[1]:
        found.append(Contradiction.SIDE)
    ages = _ages(told), _ages(coded)
    if is_told and Acuity.UNKNOWN not in ages and (ages[0] in _OLDER) != (ages[1] in _OLDER):
        found.append(Contradiction.ACUITY)
    is_coded = code is CodeSignal.POSITIVE
    if is_coded and report is ReportSignal.NEGATED:
        found.append(Contradiction.CODE_DENIED)
    if is_coded and report is ReportSignal.SILENT:
        found.append(Contradiction.CODE_NOT_MENTIONED)
    if has_codes and report in _BELIEVED and code in (CodeSignal.NONE, CodeSignal.EXCLUDED):
        found.append(Contradiction.MENTION_NOT_CODED)
    if not is_told and any(one.is_ct and one.signal in _BELIEVED for one in reports):
        found.append(Contradiction.CT_ONLY)
    if not is_coded and any(one.is_late and one.signal is CodeSignal.POSITIVE for one in codes):
        found.append(Contradiction.LATE_CODE)
    if any(one.contradicts_itself for one in reports):
        found.append(Contradiction.WITHIN_REPORT)
    return found
