"""What several rows of a table, all about one radiograph, say together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from ribsight.cohort.join_rule import Combine, JoinRule, Moment, StudyLabel
from ribsight.findings import Acuity, DiagnosisState, NamedRib, Side
from ribsight.radiographs import View
from ribsight.records import DiagnosisRow, DiagnosisTable

_STRENGTH = (
    DiagnosisState.POSITIVE,
    DiagnosisState.UNCERTAIN,
    DiagnosisState.NEGATIVE,
    DiagnosisState.UNKNOWN,
)
_NOT_FRONTAL = (View.OBLIQUE, View.LATERAL)
_SHOWN = 4


@dataclass(frozen=True)
class Said:
    """What the table says of one radiograph: of each finding state, evidence and details."""

    row: int
    states: Mapping[str, DiagnosisState]
    evidence: Mapping[str, str]
    acuities: Mapping[str, Acuity] = field(default_factory=dict)
    sides: Mapping[str, Side] = field(default_factory=dict)
    ribs: Mapping[str, tuple[NamedRib, ...]] = field(default_factory=dict)
    patient: str | None = None
    group: str | None = None
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Linked:
    """A row that is about a radiograph, and how long after it the record was made, if known."""

    row: DiagnosisRow
    moment: Moment | None
    after: timedelta | None = None


def combined(
    table: DiagnosisTable,
    linked: Sequence[Linked],
    view: View | None,
    rule: JoinRule,
    *,
    is_carried: bool,
) -> Said:
    """Return what the rows say of a radiograph.

    Args:
        table: of the rows.
        linked: at least one row.
        view: of the radiograph.
        rule: how they combine.
        is_carried: the rows are about earlier films; positive becomes uncertain and healing.
    """
    states, evidence, acuities, sides, ribs = {}, {}, {}, {}, {}
    is_elsewhere = rule.study_label is StudyLabel.FRONTAL and view in _NOT_FRONTAL
    for finding in table.mapping.findings:
        state, deciding = _state(linked, finding, rule)
        place = _evidence(table, deciding, finding, rule)
        acuity, side = _acuity(deciding, finding), _side(deciding, finding)
        named = {rib for one in deciding for rib in one.row.ribs.get(finding, ())}
        if is_carried:
            is_healing = state is DiagnosisState.POSITIVE
            state = DiagnosisState.UNCERTAIN if is_healing else DiagnosisState.UNKNOWN
            acuity = Acuity.HEALING if is_healing else Acuity.UNKNOWN
            place = f"carried forward from {place}"
        if is_elsewhere and state is not DiagnosisState.UNKNOWN:
            place = f"of its study, not of an {view} view: {place}"
            state, acuity, side = DiagnosisState.UNKNOWN, Acuity.UNKNOWN, Side.UNKNOWN
            named = set()
        states[finding], evidence[finding] = state, place
        acuities[finding], sides[finding], ribs[finding] = acuity, side, tuple(sorted(named))
    rows = [one.row for one in linked]
    return Said(
        row=rows[0].row,
        states=states,
        evidence=evidence,
        acuities=acuities,
        sides=sides,
        ribs=ribs,
        patient=next((one.patient for one in rows if one.patient), None),
        group=next((one.group for one in rows if one.group), None),
        kept=rows[0].kept,
    )


def _state(
    linked: Sequence[Linked], finding: str, rule: JoinRule
) -> tuple[DiagnosisState, list[Linked]]:
    """Return the state that several rows give together, and the rows that decide it."""
    known = [one for one in linked if one.row.states[finding] is not DiagnosisState.UNKNOWN]
    if not known:
        return DiagnosisState.UNKNOWN, list(linked)
    if rule.combine is Combine.LATEST:
        dates = [one.moment.at for one in known if one.moment]
        known = [one for one in known if not dates or (one.moment and one.moment.at == max(dates))]
    states = {one.row.states[finding] for one in known}
    if rule.combine is Combine.AGREE and len(states) > 1:
        return DiagnosisState.UNCERTAIN, known
    state = min(states, key=_STRENGTH.index)
    return state, [one for one in known if one.row.states[finding] is state]


def _evidence(
    table: DiagnosisTable, deciding: Sequence[Linked], finding: str, rule: JoinRule
) -> str:
    first = deciding[0]
    others = [str(one.row.row) for one in deciding[1:]]
    parts = [f"by {rule.by}"]
    if first.after is not None:
        parts.append(_distance(first.after))
    if others:
        parts.append(f"with {'row' if len(others) == 1 else 'rows'} {', '.join(others[:_SHOWN])}")
    return f"{table.evidence(first.row, finding)} ({', '.join(parts)})"


def _distance(after: timedelta) -> str:
    if not after:
        return "same time"
    count, unit = abs(after).days, "d"
    if abs(after) % timedelta(days=1):
        count, unit = round(abs(after) / timedelta(hours=1)), "h"
    return f"{count}{unit} {'after' if after > timedelta(0) else 'before'} the film"


def _acuity(deciding: Sequence[Linked], finding: str) -> Acuity:
    known = {one.row.acuities.get(finding, Acuity.UNKNOWN) for one in deciding} - {Acuity.UNKNOWN}
    return known.pop() if len(known) == 1 else Acuity.UNKNOWN


def _side(deciding: Sequence[Linked], finding: str) -> Side:
    known = {one.row.sides.get(finding, Side.UNKNOWN) for one in deciding} - {Side.UNKNOWN}
    if len(known) > 1:
        return Side.BOTH
    return known.pop() if known else Side.UNKNOWN
