"""Text as words: folding, tokens, and a book of phrases that is found in them in linear time."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# Blanks of de-identification, words and numbers, and whatever else is not a space.
_TOKEN = re.compile(
    r"\[\*\*[^\]\n]{0,80}\*\*\]|<[a-z_]{2,20}>|(?:[^\W_]|[\u0300-\u036f])+(?:'[a-z]+)?|_{2,}|[^\s]"
)
_BLANK = re.compile(r"x{4,}|_{2,}|\[\*\*.*|<.*>")
_WORD = re.compile(r"[\w\u0300-\u036f]+")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_MARKS = re.compile(r"[\u0300-\u036f]")
BLANK = "xxxx"
IGNORED = "site.ignore"
"""The role of phrases that mean something else than the shorter ones in them."""
REMEMBERED_WORDS = 100_000
"""Distinct words whose meaning is kept; a bound on memory, not on what is understood."""
_SHORTEST_MISSPELT = 6


class _FoldTable(dict[int, int]):
    """One folded character for each character, worked out when it is first met."""

    def __missing__(self, code: int) -> int:
        decomposed = unicodedata.normalize("NFKD", chr(code).lower())
        folded = decomposed[0] if decomposed else chr(code)
        # A degree sign stands for the ordinal in Spanish reports: 5° arco costal.
        self[code] = ord("o") if folded == "°" else ord(folded)
        return self[code]


_FOLD = _FoldTable()


def fold(text: str) -> str:
    """Return the text in lower case without accents, of the same length, so offsets hold."""
    return text.lower() if text.isascii() else text.translate(_FOLD)


def words(folded: str) -> list[str]:
    """Return the words and numbers of a folded text."""
    return (_ASCII_WORD if folded.isascii() else _WORD).findall(folded)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or sign of a text: characters `start` to `end` (exclusive)."""

    text: str
    start: int
    end: int


def tokens(folded: str, start: int, end: int) -> list[Token]:
    """Return the tokens of a part of a folded text; blanks of de-identification become `xxxx`."""
    found = []
    for match in _TOKEN.finditer(folded, start, end):
        text = match[0]
        if text[0] in "x_[<" and _BLANK.fullmatch(text):
            text = BLANK
        elif not text.isascii():
            text = _MARKS.sub("", text)
        found.append(Token(text, match.start(), match.end()))
    return found


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase found: tokens `first` to `last` (inclusive), and the roles its lists give it."""

    phrase: str
    roles: frozenset[str]
    first: int
    last: int


@dataclass(slots=True)
class _Node:
    children: dict[str, "_Node"] = field(default_factory=dict)
    phrase: str = ""
    roles: frozenset[str] = frozenset()


class PhraseBook:
    """Finds the phrases of lists in tokens; the longest wins, and has the roles of all its lists.

    A `*` at the end of a phrase's word stands for any ending. Words of `misspelt` are also found
    with one letter too many, too few, wrong, or two swapped; the first letter must be right.
    """

    def __init__(self, lists: Mapping[str, Iterable[str]], misspelt: Iterable[str] = ()) -> None:
        self._root = _Node()
        self._exact: set[str] = set()
        self._beginnings: set[str] = set()
        self._misspelt = {one: _stem_of(one) for one in misspelt}
        self._memory: dict[str, tuple[str, ...]] = {}
        roles: dict[tuple[str, ...], set[str]] = {}
        for role, phrases in lists.items():
            for phrase in phrases:
                roles.setdefault(phrase_words(phrase), set()).add(role)
        for parts, its_roles in roles.items():
            self._add(parts, frozenset(its_roles))
        self._longest = max(map(len, self._beginnings), default=0)

    def _add(self, phrase: tuple[str, ...], roles: frozenset[str]) -> None:
        node = self._root
        for word in phrase:
            (self._beginnings if word.endswith("*") else self._exact).add(word)
            node = node.children.setdefault(word, _Node())
        node.phrase, node.roles = " ".join(phrase), roles

    def patterns(self, word: str) -> tuple[str, ...]:
        """Return the words of the book that this word is, the most literal first."""
        known = self._memory.get(word)
        if known is None:
            if len(self._memory) >= REMEMBERED_WORDS:
                self._memory.clear()
            known = tuple(self._patterns(word))
            if not known and "'" in word:
                known = tuple(self._patterns(word.partition("'")[0]))
            self._memory[word] = known
        return known

    def _patterns(self, word: str) -> Iterator[str]:
        is_known = word in self._exact
        if is_known:
            yield word
        for length in range(min(len(word), self._longest), 0, -1):
            if f"{word[:length]}*" in self._beginnings:
                is_known = True
                yield f"{word[:length]}*"
        if not is_known and len(word) >= _SHORTEST_MISSPELT:
            for right, stem in self._misspelt.items():
                if word != right and word[0] == right[0] and _is_one_edit(word, right):
                    yield from ((right,) if right in self._exact else ())
                    yield from (
                        f"{right[:n]}*" for n in stem if f"{right[:n]}*" in self._beginnings
                    )

    def find(self, found: list[Token]) -> list[Hit]:
        """Return the phrases in these tokens, in order, none overlapping."""
        hits = []
        position = 0
        while position < len(found):
            if not self.patterns(found[position].text):
                position += 1
                continue
            nodes, last = self._longest_at(found, position)
            if not nodes:
                position += 1
                continue
            hits.append(Hit(nodes[0].phrase, _roles_of(nodes), position, last))
            position = last + 1
        return hits

    def _longest_at(self, found: list[Token], start: int) -> tuple[list[_Node], int]:
        best: list[_Node] = []
        last = start
        level = [self._root]
        for position in range(start, len(found)):
            patterns = self.patterns(found[position].text)
            # The most literal pattern stands first, so its node does too.
            level = [
                node.children[one] for one in patterns for node in level if one in node.children
            ]
            if not level:
                break
            ended = [node for node in level if node.roles]
            if ended:
                best, last = ended, position
        return best, last


def _roles_of(nodes: list[_Node]) -> frozenset[str]:
    """Return the roles of all phrases of one length; an ignored one hides the less literal."""
    if len(nodes) == 1 or IGNORED in nodes[0].roles:
        return nodes[0].roles
    return frozenset().union(*(node.roles for node in nodes)) - {IGNORED}


def phrase_words(phrase: str) -> tuple[str, ...]:
    """Return a lexicon's phrase as the tokens it is found as; `*` stays with its word."""
    folded = fold(phrase)
    parts: list[str] = []
    for one in tokens(folded, 0, len(folded)):
        if one.text == "*" and parts:
            parts[-1] += "*"
        else:
            parts.append(one.text)
    return tuple(parts)


def _stem_of(word: str) -> range:
    return range(len(word), 2, -1)


def _is_one_edit(left: str, right: str) -> bool:
    """Return whether one insertion, deletion, substitution or swap makes them equal."""
    if abs(len(left) - len(right)) > 1:
        return False
    first = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
    if first is None:
        return True
    if len(left) == len(right):
        swapped = left[first : first + 2] == right[first : first + 2][::-1]
        return left[first + 1 :] == right[first + 1 :] or (
            swapped and left[first + 2 :] == right[first + 2 :]
        )
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return longer[first + 1 :] == shorter[first:]
