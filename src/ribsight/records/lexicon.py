"""Lexicons: what the words of a language mean, as TOML files that a hospital can extend."""

import tomllib
from collections.abc import Hashable, Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field

from ribsight.errors import RibsightError, nearest
from ribsight.records.mention import NOWHERE, OTHER_SITE
from ribsight.records.words import REMEMBERED_WORDS, PhraseBook, phrase_words
from ribsight.settings import Settings, parse_settings, read_toml

LANGUAGES = ("en", "es")
_WEAKLY = "weakly_"
_REMEMBERED_SENTENCES = 20_000
# Lists whose words are worth reading a report for.
_NAMING = tuple(
    f"finding.{one}"
    for one in ("fracture", "break", "callus", "rib_fracture", "deformity", "abnormality", "bones")
)


class FindingWords(Settings):
    """Words that name what the labeller looks for."""

    fracture: list[str]
    break_: list[str] = Field(default_factory=list, alias="break")
    """Name a fracture only of a named site."""
    callus: list[str] = Field(default_factory=list)
    rib_fracture: list[str] = Field(default_factory=list)
    """Name a fracture and its site in one (`flail chest`)."""
    callus_alone: str = ""
    """The site of a callus that no site is named for; empty if that is not to be assumed."""
    deformity: list[str] = Field(default_factory=list)
    abnormality: list[str] = Field(default_factory=list)
    bones: list[str] = Field(default_factory=list)
    intact: list[str] = Field(default_factory=list)
    misspelt: list[str] = Field(default_factory=list)
    """Words that are also found with one letter wrong."""


class StateWords(Settings):
    """Words that say whether it is there."""

    negation_before: list[str]
    negation_after: list[str] = Field(default_factory=list)
    negation_answer: list[str] = Field(default_factory=list)
    """Words that, alone behind a colon, deny what stands before it (`Rib fracture: no`)."""
    not_negation: list[str] = Field(default_factory=list)
    likely_before: list[str] = Field(default_factory=list)
    likely_after: list[str] = Field(default_factory=list)
    possible_before: list[str] = Field(default_factory=list)
    possible_after: list[str] = Field(default_factory=list)
    not_uncertain: list[str] = Field(default_factory=list)
    hypothetical_before: list[str] = Field(default_factory=list)
    hypothetical_after: list[str] = Field(default_factory=list)


class AgeWords(Settings):
    """Words that say how old it is."""

    acute: list[str] = Field(default_factory=list)
    healing: list[str] = Field(default_factory=list)
    old: list[str] = Field(default_factory=list)
    old_adjective: list[str] = Field(default_factory=list)
    unknown: list[str] = Field(default_factory=list)
    seen_before: list[str] = Field(default_factory=list)


class DetailWords(Settings):
    """Words of side, number and displacement."""

    left: list[str]
    right: list[str]
    both: list[str] = Field(default_factory=list)
    left_letter: list[str] = Field(default_factory=list)
    right_letter: list[str] = Field(default_factory=list)
    many: list[str] = Field(default_factory=list)
    displaced: list[str] = Field(default_factory=list)
    nondisplaced: list[str] = Field(default_factory=list)
    to: list[str] = Field(default_factory=list)
    position: list[str] = Field(default_factory=list)
    """May stand between a fracture and its site."""
    measures: list[str] = Field(default_factory=list)
    plural: list[str] = Field(default_factory=list)
    grades: list[str] = Field(default_factory=list)
    """Single words after which a Roman numeral is no rib (`type II`)."""
    numbers: dict[str, int] = Field(default_factory=dict)
    """Cardinal words; `*` is any ending."""
    ordinals: dict[str, int] = Field(default_factory=dict)


class ScopeWords(Settings):
    """How far words of state reach."""

    ends: list[str] = Field(default_factory=list)
    joins: list[str] = Field(default_factory=list)
    verbs: list[str] = Field(default_factory=list)
    presuming: list[str] = Field(default_factory=list)
    alternatives: list[str] = Field(default_factory=list)
    of: list[str] = Field(default_factory=list)
    articles: list[str] = Field(default_factory=list)
    site_follows: bool = False
    """Whether what is broken stands behind the fracture where no word separates two of them."""
    reach: int = 40
    """Tokens that a word of state reaches at most."""


class SectionWords(Settings):
    """Headings of reports."""

    counted: list[str] = Field(default_factory=list)
    ignored: list[str] = Field(default_factory=list)
    exam: list[str] = Field(default_factory=list)
    """Of the ignored ones, those that say what kind of image was read."""
    ct: list[str] = Field(default_factory=list)
    """Words there, or at the beginning of the text, that say it was computed tomography."""
    abbreviations: list[str] = Field(default_factory=list)
    """Words after which a full stop ends no sentence."""


class LexiconSettings(Settings):
    """The keys of a lexicon file."""

    language: str
    findings: FindingWords
    sites: dict[str, list[str]]
    """Words of each site; `other`, `hardware` and `ignore` have a meaning of their own, and
    `weakly_NAME` counts as site NAME where no other site is in reach."""
    state: StateWords
    age: AgeWords
    detail: DetailWords
    scope: ScopeWords
    sections: SectionWords


class Lexicon:
    """A lexicon made ready: its settings, and the phrase book of all its lists.

    Attributes:
        settings: as read.
        sites: what is labelled: `rib` and `clavicle` in the built-in lexicons.
        memory: of sentences read, kept by `remember`; it never leaves the process.
        book: finds the phrases; roles are `state.negation_before`, `site.rib`, and so on.
    """

    def __init__(self, settings: LexiconSettings) -> None:
        self.settings = settings
        special = (OTHER_SITE, "hardware", "ignore")
        self.sites = tuple(
            one for one in settings.sites if one not in special and not one.startswith(_WEAKLY)
        )
        if NOWHERE in self.sites:
            raise RibsightError(f"a lexicon cannot have a site named '{NOWHERE}'")
        lists = _lists(settings)
        self.book = PhraseBook(lists, settings.findings.misspelt)
        self.memory: dict[Hashable, object] = {}
        self._naming = _WordMemory(self.book, (lists.get(role, ()) for role in _NAMING))
        self._siting = _WordMemory(self.book, (lists[f"site.{one}"] for one in self.sites))

    def remember(self, key: Hashable, read: object) -> None:
        """Keep what a sentence says: most sentences of an archive are written again and again."""
        if len(self.memory) >= _REMEMBERED_SENTENCES:
            self.memory.clear()
        self.memory[key] = read

    def names_something(self, found: list[str]) -> bool:
        """Return whether a word can begin the name of a fracture, callus, deformity or bones."""
        return any(map(self._naming.__getitem__, found))

    def names_site(self, found: list[str]) -> bool:
        """Return whether a word can begin the name of a labelled site."""
        return any(map(self._siting.__getitem__, found))


class _WordMemory(dict[str, bool]):
    """Whether a word can begin a phrase of some lists; worked out when it is first met."""

    def __init__(self, book: PhraseBook, lists: Iterable[Iterable[str]]) -> None:
        super().__init__()
        self._book = book
        self._firsts = frozenset(phrase_words(one)[0] for phrases in lists for one in phrases)

    def __missing__(self, word: str) -> bool:
        if len(self) >= REMEMBERED_WORDS:
            self.clear()
        self[word] = known = not self._firsts.isdisjoint(self._book.patterns(word))
        return known


def read_lexicon(language: str, extra: Path | None = None) -> Lexicon:
    """Return a built-in lexicon, with the words of `extra` added to its lists.

    A file `extra` that sets `language` and all tables stands on its own: a new language.

    Raises:
        RibsightError: no such language, or mistakes in the file; all are listed.
    """
    if extra is None:
        return _built_in(language)
    added = read_toml(extra)
    if _is_whole(added):
        return Lexicon(parse_settings(LexiconSettings, added, str(extra)))
    added.pop("language", None)
    merged = _merged(_document(language), added)
    return Lexicon(parse_settings(LexiconSettings, merged, str(extra)))


@cache
def _built_in(language: str) -> Lexicon:
    return Lexicon(parse_settings(LexiconSettings, _document(language), f"lexicon {language}"))


def _document(language: str) -> dict[str, Any]:
    if language not in LANGUAGES:
        raise RibsightError(
            f"there is no lexicon '{language}'{nearest(language, LANGUAGES)}; "
            f"it is one of {', '.join(LANGUAGES)}, or a file of yours"
        )
    path = files(__package__).joinpath(f"lexicons/{language}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _is_whole(document: dict[str, Any]) -> bool:
    return all(key in document for key in LexiconSettings.model_fields)


def _merged(base: dict[str, Any], added: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in added.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged(merged[key], value)
        elif isinstance(value, list) and isinstance(merged.get(key), list):
            merged[key] = [*merged[key], *value]
        else:
            merged[key] = value
    return merged


def _lists(settings: LexiconSettings) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for group, table in (
        ("finding", settings.findings),
        ("state", settings.state),
        ("age", settings.age),
        ("detail", settings.detail),
        ("scope", settings.scope),
    ):
        for name in type(table).model_fields:
            value = getattr(table, name)
            if isinstance(value, list) and name not in ("misspelt", "grades"):
                lists[f"{group}.{name.rstrip('_')}"] = value
    for site, phrases in settings.sites.items():
        lists[f"site.{site}"] = phrases
    for kind in ("numbers", "ordinals"):
        for word, number in getattr(settings.detail, kind).items():
            lists.setdefault(f"{kind}.{number}", []).append(word)
    return lists
