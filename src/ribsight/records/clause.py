"""One sentence, its words understood, and the fractures named in it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from ribsight.records.lexicon import Lexicon
from ribsight.records.mention import MentionKind
from ribsight.records.roman_numbers import may_hold_numerals, rib_numerals
from ribsight.records.words import BLANK, Hit, Token, tokens

FRACTURE_ROLES = ("finding.fracture", "finding.break", "finding.rib_fracture")
_KINDS = (
    ("finding.callus", MentionKind.CALLUS),
    ("finding.fracture", MentionKind.FRACTURE),
    ("finding.rib_fracture", MentionKind.FRACTURE),
    ("finding.break", MentionKind.FRACTURE),
    ("finding.deformity", MentionKind.DEFORMITY),
    ("finding.abnormality", MentionKind.BONES),
    ("finding.bones", MentionKind.BONES),
)
_MERGED_DISTANCE = 4


@dataclass(frozen=True, slots=True)
class Trigger:
    """Words that name a fracture or bones: tokens `first` to `last`, and what kind of name."""

    kind: MentionKind
    roles: frozenset[str]
    phrase: str
    first: int
    last: int


class Clause:
    """A sentence as tokens, and the lexicon's phrases in them.

    Attributes:
        tokens: of the sentence.
        hits: the phrases, in order.
        at: the phrase that covers each token, or None.
    """

    def __init__(self, folded: str, start: int, end: int, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.start, self.end = start, end
        self.tokens: list[Token] = tokens(folded, start, end)
        self._look_up()
        self._number_ribs()

    def _look_up(self) -> None:
        self.hits: list[Hit] = self.lexicon.book.find(self.tokens)
        self.at: list[Hit | None] = [None] * len(self.tokens)
        self._by_role: dict[str, list[Hit]] = {}
        for hit in self.hits:
            for role in hit.roles:
                self._by_role.setdefault(role, []).append(hit)
            for position in range(hit.first, hit.last + 1):
                self.at[position] = hit

    def _number_ribs(self) -> None:
        """Put numbers in the place of Roman numerals beside a rib."""
        texts = [one.text for one in self.tokens]
        if "site.rib" not in self._by_role or not may_hold_numerals(texts):
            return
        ribs = [(hit.first, hit.last) for hit in self._by_role["site.rib"]]
        grades = frozenset(self.lexicon.settings.detail.grades)
        numbers = rib_numerals(texts, self.has, ribs, grades)
        if numbers:
            for position, text in numbers.items():
                self.tokens[position] = replace(self.tokens[position], text=text)
            self._look_up()

    def has(self, position: int, *roles: str) -> bool:
        """Return whether the phrase at a token has one of the roles."""
        if not 0 <= position < len(self.at):
            return False
        hit = self.at[position]
        return hit is not None and not hit.roles.isdisjoint(roles)

    def with_role(self, roles: Iterable[str], first: int = 0, last: int | None = None) -> list[Hit]:
        """Return the phrases between two tokens (inclusive) that have one of the roles."""
        end = len(self.tokens) if last is None else last
        found = {
            hit.first: hit
            for role in roles
            for hit in self._by_role.get(role, ())
            if first <= hit.first and hit.last <= end
        }
        return [found[position] for position in sorted(found)]

    def is_content(self, position: int) -> bool:
        """Return whether a token is a word that the lexicon does not know."""
        return (
            self.at[position] is None
            and self.tokens[position].text[0].isalpha()
            and (self.tokens[position].text != BLANK)
        )

    @cached_property
    def triggers(self) -> list[Trigger]:
        """Return what is named here, callus and the fracture it belongs to as one."""
        found: list[Trigger] = []
        for hit in self.hits:
            kind = next((kind for role, kind in _KINDS if role in hit.roles), None)
            if kind is None:
                continue
            trigger = Trigger(kind, hit.roles, hit.phrase, hit.first, hit.last)
            if found and self._is_one(found[-1], trigger):
                trigger = _merged(found.pop(), trigger)
            found.append(trigger)
        return found

    def _is_one(self, earlier: Trigger, later: Trigger) -> bool:
        kinds = {earlier.kind, later.kind}
        if kinds == {MentionKind.FRACTURE, MentionKind.DEFORMITY}:
            # `Old fracture deformities of the ribs` names one thing.
            return earlier.kind is MentionKind.FRACTURE and later.first == earlier.last + 1
        if later.first - earlier.last > _MERGED_DISTANCE:
            return False
        if kinds not in ({MentionKind.CALLUS, MentionKind.FRACTURE}, {MentionKind.CALLUS}):
            return False
        return not any(
            self.has(position, "scope.joins", "scope.ends") and self.tokens[position].text != "with"
            for position in range(earlier.last + 1, later.first)
        ) and not self.with_role(("state.negation_before",), earlier.last + 1, later.first - 1)

    def segment(self, trigger: Trigger) -> tuple[int, int]:
        """Return the tokens (first, last) that belong to a trigger and to no other."""
        rivals = [
            one for one in self.triggers if one.kind is not MentionKind.BONES or one is trigger
        ]
        index = rivals.index(trigger)
        first, last = 0, len(self.tokens) - 1
        if index > 0:
            first = self._boundary(rivals[index - 1], trigger)
        if index + 1 < len(rivals):
            last = self._boundary(trigger, rivals[index + 1]) - 1
        return first, last

    def _boundary(self, earlier: Trigger, later: Trigger) -> int:
        """Return the first token that belongs to the later of two triggers."""
        for position in range(later.first - 1, earlier.last, -1):
            # The last comma or `and` between them; lists of rib numbers stand before it.
            if self.has(position, "scope.joins", "scope.ends") and not (
                self.joins_numbers(position)
            ):
                return position
        if not self.lexicon.settings.scope.site_follows:
            return earlier.last + 1
        position = later.first
        while position - 1 > earlier.last and self.has(
            position - 1, "age.old", "age.acute", "age.healing", "age.old_adjective", "detail.many",
            "state.likely_before", "state.possible_before", "state.negation_before",
        ):  # fmt: skip
            position -= 1
        return position

    def joins_numbers(self, position: int) -> bool:
        """Return whether a token stands between two numbers."""
        return all(
            0 <= beside < len(self.tokens) and self.tokens[beside].text[0].isdigit()
            for beside in (position - 1, position + 1)
        )


def _merged(earlier: Trigger, later: Trigger) -> Trigger:
    is_callus = MentionKind.CALLUS in (earlier.kind, later.kind)
    kind = MentionKind.CALLUS if is_callus else MentionKind.FRACTURE
    phrase = f"{earlier.phrase} + {later.phrase}"
    return Trigger(kind, earlier.roles | later.roles, phrase, earlier.first, later.last)
