"""What a report says of one bone: the data that the labeller returns."""

from dataclasses import dataclass
from enum import StrEnum

from ribsight.findings import Acuity, Side

NOWHERE = "unspecified"
"""The site of a fracture of which the report does not say where it is."""
OTHER_SITE = "other"
"""The site of a fracture of another bone than those the lexicon labels."""


class MentionState(StrEnum):
    """Whether the report says that it is there."""

    PRESENT = "present"
    UNCERTAIN = "uncertain"
    """Hedged; `Mention.is_likely` says to which side."""
    HYPOTHETICAL = "hypothetical"
    """Spoken of without saying: to be looked for, or not to be seen with this technique."""
    NEGATED = "negated"


class MentionKind(StrEnum):
    """What the report names."""

    FRACTURE = "fracture"
    CALLUS = "callus"
    DEFORMITY = "deformity"
    """A deformed rib or clavicle without the word fracture: always uncertain."""
    BONES = "bones"
    """The bones as a whole, called intact or without abnormality: always negated."""


class Displacement(StrEnum):
    """Whether the fragments have moved."""

    DISPLACED = "displaced"
    NONDISPLACED = "nondisplaced"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where and why: no text, so that it can be written anywhere.

    Attributes:
        section: of the report (`findings`, `impression`); empty where the text names none.
        start, end: characters of the text that the words used span, end exclusive.
        rule: what decided the state, with the lexicon's phrase: `negation before: no`.
        sentence_start, sentence_end: characters of the sentence.
    """

    section: str
    start: int
    end: int
    rule: str
    sentence_start: int
    sentence_end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """One mention of a fracture of one bone.

    Attributes:
        site: a site of the lexicon (`rib`, `clavicle`), `other` or `unspecified`.
        kind: what is named.
        state: whether the report says it is there.
        is_likely: of an uncertain mention: more likely than not (`probable`, `suspected`).
        acuity: how old it is said to be; of a negated mention, the only age that is denied.
        side: of the patient.
        ribs: numbers of the ribs, ascending; empty if none are given.
        count: how many fractures or broken bones, if the report says.
        is_multiple: more than one.
        displacement: of a negated mention, the only displacement that is denied.
        is_seen_before: compared with an earlier image and the same (`unchanged`, `again`).
        evidence: where and why.
    """

    site: str
    kind: MentionKind
    state: MentionState
    is_likely: bool
    acuity: Acuity
    side: Side
    ribs: tuple[int, ...]
    count: int | None
    is_multiple: bool
    displacement: Displacement
    is_seen_before: bool
    evidence: Evidence

    @property
    def is_believed(self) -> bool:
        """Whether it is present or likely."""
        return self.state is MentionState.PRESENT or self.is_likely
