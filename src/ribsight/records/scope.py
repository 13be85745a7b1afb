"""Whether a fracture that a sentence names is there: negation, doubt, and mere talk of it."""

from dataclasses import dataclass

from ribsight.records.clause import Clause, Trigger
from ribsight.records.mention import MentionKind, MentionState
from ribsight.records.words import Hit

_BEFORE = {
    MentionState.HYPOTHETICAL: "state.hypothetical_before",
    MentionState.NEGATED: "state.negation_before",
}
_NEW_STATEMENT = (
    "age.old", "age.healing", "age.seen_before", "state.likely_before", "state.possible_before",
    "detail.many", "scope.ends",
)  # fmt: skip
_SIDED = ("detail.left", "detail.right", "detail.both")
_MODIFIERS = (
    *_SIDED, "age.old", "age.acute", "age.healing", "age.old_adjective", "age.seen_before",
    "detail.displaced", "detail.nondisplaced", "detail.many", "detail.position", "detail.to",
)  # fmt: skip
_ALTERNATIVE_REACH = 6
_ANSWER_OPENS = frozenset(":-(=")
_ANSWER_ENDS = frozenset(",;.)/|")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What decided: the state, to which side doubt leans, and the phrase (None: nothing did)."""

    state: MentionState
    is_likely: bool = False
    rule: str = ""
    cue: Hit | None = None


def rule_on(clause: Clause, trigger: Trigger) -> Ruling:
    """Return the state of what a trigger names.

    In this order: a template's answer (`Rib fracture: no`), mere talk (`evaluate for`), negation,
    doubt that leans to no or to neither side, doubt that leans to yes. What nothing says otherwise
    of is present.
    """
    answer = _answer(clause, trigger)
    if answer is not None:
        return Ruling(MentionState.NEGATED, rule=f"answered: {answer.phrase}", cue=answer)
    for state, name in (
        (MentionState.HYPOTHETICAL, "hypothetical"),
        (MentionState.NEGATED, "negation"),
    ):
        cue = _before(clause, trigger, _BEFORE[state])
        if cue is not None and state is MentionState.NEGATED and _is_presumed(clause, trigger, cue):
            cue = None
        if cue is not None:
            return Ruling(state, rule=f"{name} before: {cue.phrase}", cue=cue)
        cue = _after(clause, trigger, f"state.{name}_after")
        if cue is not None:
            return Ruling(state, rule=f"{name} after: {cue.phrase}", cue=cue)
    for name, is_likely in (("possible", False), ("likely", True)):
        cue = _before(clause, trigger, f"state.{name}_before")
        where = "before"
        if cue is None:
            cue, where = _after(clause, trigger, f"state.{name}_after"), "after"
        if cue is not None:
            rule = f"{name} {where}: {cue.phrase}"
            return Ruling(MentionState.UNCERTAIN, is_likely, rule, cue)
    if _is_alternative(clause, trigger):
        return Ruling(MentionState.UNCERTAIN, rule=f"alternative: {trigger.phrase}")
    return Ruling(MentionState.PRESENT, rule=f"stated: {trigger.phrase}")


def are_intact(clause: Clause, bones: Trigger) -> Hit | None:
    """Return the word that calls bones intact, unless it is denied or said of something else."""
    for hit in clause.with_role(("finding.intact",), bones.last + 1):
        between = range(bones.last + 1, hit.first)
        if any(clause.has(one, "scope.ends", "state.negation_before") for one in between):
            return None
        if any(
            "finding.bones" not in one.roles
            for one in clause.hits
            if bones.last < one.first < hit.first and _names_fracture(one)
        ):
            return None
        return hit
    return None


def _names_fracture(hit: Hit) -> bool:
    return any(role.startswith("finding.") and role != "finding.intact" for role in hit.roles)


def _before(clause: Clause, trigger: Trigger, role: str) -> Hit | None:
    """Return the nearest phrase of a role before the trigger that reaches it."""
    for hit in reversed(clause.with_role((role,), 0, trigger.first - 1)):
        if _reaches(clause, hit, trigger):
            return hit
    return None


def _answer(clause: Clause, trigger: Trigger) -> Hit | None:
    """Return the `no` that answers a trigger, as forms and templates write it."""
    for hit in clause.with_role(("state.negation_answer",), trigger.last + 1):
        if _is_answer(clause, hit):
            return hit if _is_asked(clause, trigger, hit) else None
    return None


def _is_answer(clause: Clause, hit: Hit) -> bool:
    """Return whether a phrase stands alone behind a colon: `: no,`, not `: no pneumothorax`."""
    if not clause.has(hit.first, "state.negation_answer") or hit.first == 0:
        return False
    behind = hit.last + 1
    return clause.tokens[hit.first - 1].text in _ANSWER_OPENS and (
        behind == len(clause.tokens) or clause.tokens[behind].text in _ANSWER_ENDS
    )


def _is_asked(clause: Clause, trigger: Trigger, answer: Hit) -> bool:
    """Return whether only the place of a trigger, or an alternative, stands before its answer."""
    for position in range(trigger.last + 1, answer.first - 1):
        if clause.has(position, "scope.alternatives"):
            return True
        text = clause.tokens[position].text
        if clause.is_content(position) or text in ":." or clause.has(position, "scope.ends"):
            return False
    return True


def _reaches(clause: Clause, cue: Hit, trigger: Trigger) -> bool:
    if _is_answer(clause, cue):
        return False
    if trigger.first - cue.last > clause.lexicon.settings.scope.reach:
        return False
    has_content = has_verb = False
    for position in range(cue.last + 1, trigger.first):
        if clause.has(position, "scope.ends") and (has_content or position > cue.last + 2):
            return False
        if clause.is_content(position):
            has_content = True
        # `No effusion is seen, ...` has said it all; in `no hay derrame, ...` the verb is first.
        if has_content and clause.has(position, "scope.verbs"):
            has_verb = True
        if has_content and _is_separator(clause, position):
            if has_verb:
                return False
            if _begins_statement(clause, position + 1, trigger):
                return False
    return True


def _is_separator(clause: Clause, position: int) -> bool:
    return clause.has(position, "scope.joins") and not clause.has(position, "scope.alternatives")


def _begins_statement(clause: Clause, position: int, trigger: Trigger) -> bool:
    """Return whether what follows a comma or `and` is said anew: nobody lists `old` fractures."""
    while position < trigger.first and clause.has(position, "scope.articles", "scope.joins"):
        if clause.has(position, "scope.alternatives"):
            return False
        position += 1
    if clause.has(position, *_NEW_STATEMENT, "scope.verbs"):
        return True
    text = clause.tokens[position].text if position < len(clause.tokens) else ""
    if not clause.has(position, *_SIDED) and not text[:1].isdigit():
        return False
    # `No effusion, right rib fracture` ends the list; `..., right rib fracture or mass` goes on.
    return not any(
        clause.has(after, "scope.alternatives")
        for after in range(position, min(len(clause.tokens), trigger.last + _ALTERNATIVE_REACH))
    )


def _after(clause: Clause, trigger: Trigger, role: str) -> Hit | None:
    """Return the phrase of a role behind the trigger that reaches back to it."""
    ages = ("age.old", "age.acute", "age.healing", "age.unknown")
    for hit in clause.with_role((role,), trigger.last + 1):
        if hit.first - trigger.last > clause.lexicon.settings.scope.reach:
            return None
        # `The fractures are likely old` doubts the age alone, `fracture of the 3rd and possibly the
        # 4th rib` only the latter.
        beside = hit.last + 1 + clause.has(hit.last + 1, "scope.articles")
        is_of_other = clause.has(beside, *ages) or (
            beside < len(clause.tokens) and _is_site_or_number(clause, beside)
        )
        if not is_of_other and _is_reached_back(clause, hit, trigger):
            return hit
    return None


def _is_reached_back(clause: Clause, cue: Hit, trigger: Trigger) -> bool:
    has_verb = False
    for position in range(trigger.last + 1, cue.first):
        if clause.has(position, "scope.ends", "state.negation_before"):
            return False
        if clause.has(position, "scope.verbs"):
            has_verb = True
        if _is_separator(clause, position):
            if has_verb or clause.tokens[position].text == "with":
                return False
            if _is_aged(clause, trigger):
                return False
    return True


def _is_aged(clause: Clause, trigger: Trigger) -> bool:
    """Return whether an age or comparison stands right before the trigger: then it is there."""
    position = trigger.first - 1
    while position >= 0 and (
        clause.has(position, *_MODIFIERS) or _is_site_or_number(clause, position)
    ):
        if clause.has(position, "age.old", "age.healing", "age.seen_before", "age.old_adjective"):
            return True
        position -= 1
    return False


def _is_site_or_number(clause: Clause, position: int) -> bool:
    hit = clause.at[position]
    if clause.tokens[position].text[0].isdigit():
        return True
    return hit is not None and any(
        role.startswith(("site.", "ordinals.", "numbers.")) for role in hit.roles
    )


def _is_presumed(clause: Clause, trigger: Trigger, cue: Hit) -> bool:
    """`No pneumothorax related to the rib fracture`: what is called `the` is there."""
    if trigger.kind is MentionKind.BONES:
        return False
    position = trigger.first - 1
    while (
        position > cue.last
        and (clause.has(position, *_MODIFIERS) or _is_site_or_number(clause, position))
        and not clause.has(position, "scope.presuming")
    ):
        position -= 1
    return (
        position > cue.last + 1
        and clause.has(position, "scope.presuming")
        and any(clause.is_content(one) for one in range(cue.last + 1, position))
    )


def _is_alternative(clause: Clause, trigger: Trigger) -> bool:
    """`Old rib fracture or nodule`: one of two things, of which the other is no fracture."""
    for step, start in ((-1, trigger.first - 1), (1, trigger.last + 1)):
        position = start
        while 0 <= position < len(clause.tokens) and abs(position - start) < _ALTERNATIVE_REACH:
            if clause.has(position, "scope.alternatives"):
                beside = position + step
                return 0 <= beside < len(clause.tokens) and clause.is_content(beside)
            known = clause.has(position, *_MODIFIERS, "scope.of", "scope.articles")
            if not known and not _is_site_or_number(clause, position):
                break
            position += step
    return False
