"""The labeller: a report's text -> what it says of each bone."""

from dataclasses import dataclass, replace

from ribsight.findings import Acuity, Side
from ribsight.records.clause import Clause, Trigger
from ribsight.records.details import Details, details
from ribsight.records.lexicon import Lexicon
from ribsight.records.mention import (
    NOWHERE,
    OTHER_SITE,
    Displacement,
    Evidence,
    Mention,
    MentionKind,
    MentionState,
)
from ribsight.records.places import HARDWARE, Place, places
from ribsight.records.scope import Ruling, are_intact, rule_on
from ribsight.records.sentences import Section, label, sections, sentences
from ribsight.records.words import fold, words

_HEAD = 400
"""Characters in which a report says what kind of image it is about."""
_FIRST_WORDS = 4
_BONES = (Acuity.UNKNOWN, Side.UNKNOWN, (), None, False, Displacement.UNKNOWN, False, ())


def label_report(text: str, lexicon: Lexicon, *, section: str = "") -> tuple[Mention, ...]:
    """Return every mention of a fracture, callus or deformity of the lexicon's sites, in order.

    Sections that are not what the image shows (indication, history, comparison, technique) are
    skipped. Fractures of other bones and of hardware are told apart: the former are mentions with
    the site `other`, the latter are none. Any text gives a result.

    Args:
        text: the report, as written; spans of the evidence are characters of it.
        lexicon: of the report's language.
        section: what the text is, if it is one section without a heading (`impression`).
    """
    folded = fold(text)
    if not lexicon.names_something(words(folded)):
        return ()
    found: list[Mention] = []
    for part in sections(text, lexicon.settings.sections):
        if part.is_counted:
            found += _label_section(text, folded, part, lexicon, part.name or section)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _ReadSentence:
    """What one sentence says.

    Attributes:
        mentions: with spans that count from the sentence's beginning.
        site: the only site it names, for the sentence behind it.
        has_label: whether it begins with a label (`Ribs:`).
        label_site: the site the label names, for the rest of its line.
    """

    mentions: tuple[Mention, ...]
    site: str | None = None
    has_label: bool = False
    label_site: str | None = None


def _label_section(
    text: str, folded: str, part: Section, lexicon: Lexicon, name: str
) -> list[Mention]:
    found: list[Mention] = []
    topic = before = None
    line_end = part.start
    for start, end in sentences(text, part.start, part.end, lexicon.settings.sections):
        if "\n" in text[line_end:start]:
            topic = None
        key = (text[start:end], name, topic, before)
        read = lexicon.memory.get(key)
        if not isinstance(read, _ReadSentence):
            read = _read_sentence(text[start:end], folded[start:end], lexicon, name, topic, before)
            lexicon.remember(key, read)
        found += [_shifted(one, start) for one in read.mentions]
        if read.has_label:
            topic = read.label_site
        line_end, before = end, read.site
    return found


def _read_sentence(
    text: str, folded: str, lexicon: Lexicon, section: str, topic: str | None, before: str | None
) -> _ReadSentence:
    its_words = words(folded)
    heading = label(text, 0, len(text))
    names_finding = lexicon.names_something(its_words)
    if not names_finding and not lexicon.names_site(its_words):
        return _ReadSentence((), has_label=heading is not None)
    clause = Clause(folded, 0, len(folded), lexicon)
    return _ReadSentence(
        mentions=tuple(_label_clause(clause, section, topic, before)) if names_finding else (),
        site=_only_site(clause, len(folded)),
        has_label=heading is not None,
        label_site=None if heading is None else _only_site(clause, heading[1]),
    )


def _shifted(mention: Mention, by: int) -> Mention:
    known = mention.evidence
    evidence = Evidence(
        known.section,
        known.start + by,
        known.end + by,
        known.rule,
        known.sentence_start + by,
        known.sentence_end + by,
    )
    return replace(mention, evidence=evidence)


def _only_site(clause: Clause, end: int) -> str | None:
    """Return the site that the words before a character name, if it is one and labelled."""
    roles = {
        role.removeprefix("site.").removeprefix("weakly_")
        for hit in clause.hits
        if clause.tokens[hit.last].end <= end
        for role in hit.roles
        if role.startswith("site.") and role not in ("site.ignore", f"site.{HARDWARE}")
    }
    return roles.pop() if len(roles) == 1 and roles <= set(clause.lexicon.sites) else None


def _label_clause(
    clause: Clause, section: str, topic: str | None, before: str | None
) -> list[Mention]:
    found: list[Mention] = []
    for trigger in clause.triggers:
        if trigger.kind is MentionKind.BONES:
            found += _label_bones(clause, trigger, section)
        else:
            found += _label_trigger(clause, trigger, section, topic, before)
    return _without_explained_deformities(found)


def _without_explained_deformities(found: list[Mention]) -> list[Mention]:
    """`Deformity of the left 5th rib, an old rib fracture`: one fracture, with that place.

    A fracture that is denied explains none: `no rib fracture, but a deformity of the left 6th rib`.
    """
    denied = (MentionState.NEGATED, MentionState.HYPOTHETICAL)
    explained = {
        one.site
        for one in found
        if one.kind is not MentionKind.DEFORMITY and one.state not in denied
    }
    deformed = {one.site: one for one in found if one.kind is MentionKind.DEFORMITY}
    kept = []
    for one in found:
        if one.kind is MentionKind.DEFORMITY:
            if one.site in explained:
                continue
        elif (
            one.site in deformed
            and one.state not in denied
            and one.side is Side.UNKNOWN
            and not one.ribs
        ):
            place = deformed[one.site]
            one = replace(one, side=place.side, ribs=place.ribs, count=one.count or place.count)
        kept.append(one)
    return kept


def _label_bones(clause: Clause, trigger: Trigger, section: str) -> list[Mention]:
    if "finding.abnormality" in trigger.roles:
        ruling = rule_on(clause, trigger)
        if ruling.state is not MentionState.NEGATED:
            return []
    else:
        intact = are_intact(clause, trigger)
        if intact is None:
            return []
        ruling = Ruling(MentionState.NEGATED, rule=f"intact: {intact.phrase}", cue=intact)
    sites = [one for one in clause.lexicon.sites if f"site.{one}" in trigger.roles] or [NOWHERE]
    known = Details(*_BONES)
    place = Place(NOWHERE, None, trigger.first, trigger.last)
    return [_mention(clause, trigger, one, place, ruling, known, section) for one in sites]


def _label_trigger(
    clause: Clause, trigger: Trigger, section: str, topic: str | None, before: str | None
) -> list[Mention]:
    found: list[Mention] = []
    ruling = rule_on(clause, trigger)
    for place in places(clause, trigger):
        site = place.site
        if site == NOWHERE:
            site = _implied(clause, trigger, ruling, topic, before)
        if site == HARDWARE or not _is_named(clause, trigger, site):
            continue
        decided = ruling
        if trigger.kind is MentionKind.DEFORMITY:
            if ruling.state in (MentionState.NEGATED, MentionState.HYPOTHETICAL):
                continue
            decided = Ruling(MentionState.UNCERTAIN, rule=f"deformity: {trigger.phrase}")
        found += [
            _mention(clause, trigger, site, place, decided, known, section)
            for known in details(clause, trigger, place)
        ]
    # A fracture of `T5 and L2`, or of the `sternal end`, is one of another bone, once.
    return list(dict.fromkeys(found))


def _implied(
    clause: Clause, trigger: Trigger, ruling: Ruling, topic: str | None, before: str | None
) -> str:
    """Return the site of a fracture whose sentence names none: of the label or sentence before."""
    if topic is not None:
        return topic
    if before is not None and ruling.state in (MentionState.PRESENT, MentionState.UNCERTAIN):
        return before
    assumed = clause.lexicon.settings.findings.callus_alone
    if assumed and trigger.kind is MentionKind.CALLUS:
        return assumed
    return NOWHERE


def _is_named(clause: Clause, trigger: Trigger, site: str) -> bool:
    """Return whether these words name a fracture of this site: a deformity or `break` may not."""
    needs_site = trigger.kind is MentionKind.DEFORMITY or trigger.roles == {"finding.break"}
    return not needs_site or site in clause.lexicon.sites


def _mention(
    clause: Clause,
    trigger: Trigger,
    site: str,
    place: Place,
    ruling: Ruling,
    known: Details,
    section: str,
) -> Mention:
    used = [(trigger.first, trigger.last), *((hit.first, hit.last) for hit in known.hits)]
    used += [(hit.first, hit.last) for hit in (ruling.cue, place.hit) if hit is not None]
    return Mention(
        site=site if site in clause.lexicon.sites or site == NOWHERE else OTHER_SITE,
        kind=trigger.kind,
        state=ruling.state,
        is_likely=ruling.is_likely,
        acuity=known.acuity,
        side=known.side,
        ribs=known.ribs,
        count=known.count,
        is_multiple=known.is_multiple,
        displacement=known.displacement,
        is_seen_before=known.is_seen_before,
        evidence=Evidence(
            section=section,
            start=clause.tokens[min(first for first, _ in used)].start,
            end=clause.tokens[max(last for _, last in used)].end,
            rule=ruling.rule,
            sentence_start=clause.start,
            sentence_end=clause.end,
        ),
    )


def is_tomography(text: str, lexicon: Lexicon) -> bool:
    """Return whether a report is of computed tomography, by its heading or its first words."""
    words_of_ct = lexicon.settings.sections.ct
    head = text[:_HEAD]
    folded = fold(head)
    if not any(one.rstrip("*") in folded for one in words_of_ct):
        return False
    exams = set(lexicon.settings.sections.exam)
    parts = sections(head, lexicon.settings.sections)
    named = [folded[one.start : one.end] for one in parts if one.name in exams]
    first = " ".join(folded.split()[:_FIRST_WORDS]) if not parts[0].name else ""
    return any(_has_word(one, words_of_ct) for one in (*named, first))


def _has_word(folded: str, wanted: list[str]) -> bool:
    found = words(folded)
    exact = {one for one in wanted if not one.endswith("*")}
    return any(
        word in exact or any(word.startswith(one[:-1]) for one in wanted if one.endswith("*"))
        for word in found
    )
