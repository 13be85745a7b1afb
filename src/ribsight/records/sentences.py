"""A report's sections and sentences, as spans of its text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ribsight.records.lexicon import SectionWords
from ribsight.records.words import fold

_LONG_LINE = 60
"""A line at least this long was broken to fit the page, not because a sentence ended."""
_STOP = re.compile(r"[.!?;](?=\s|$)|(?<=[a-z]{2})[.!?;](?=[A-Z])|(?<=\d)\.(?=[A-Z][a-z])|\n")
_BEFORE_STOP = re.compile(r"([a-z](?:[a-z.]{0,6}))$")
_NEW_ITEM = re.compile(r"\s*(?:$|\n|[-*•·+]\s|\(?\d{1,2}[.)]\s|[A-ZÁÉÍÓÚÑ])")
# What stands before a heading inside a line: a sentence's end, a number or a word in small letters.
_BEFORE_INNER = re.compile(r"(?:[.;!?)\]/-]|\d|(?<!\w)[^\W\d_A-ZÀ-Þ][^\W\d_]*)\s+$")
_LABEL = re.compile(r"\s*([A-Za-zÀ-ÿ][A-Za-zÀ-ÿ /&]{1,40}?)\s*:")


@dataclass(frozen=True, slots=True)
class Section:
    """Characters `start` to `end` of the text; the name is folded, empty before any heading."""

    name: str
    is_counted: bool
    start: int
    end: int


def sections(text: str, words: SectionWords) -> list[Section]:
    """Return the sections of a report in order; a text without headings is one, and counts.

    A heading is one of the lexicon's, followed by a colon or alone on its line, and begins a line
    or is written in capitals. One that counts may also stand inside a line, with a capital and a
    colon (`Motivo: dolor. Informe: sin fracturas.`), and before it on the line one that does not.
    """
    if ":" not in text and "\n" not in text and " - " not in text:
        return [Section("", True, 0, len(text))]
    pattern, counted = _headings(tuple(words.counted), tuple(words.ignored))
    folded = fold(text)
    headings = _chosen(text, list(pattern.finditer(folded)), counted)
    found = []
    start, name = 0, ""
    for match in headings:
        if text[start : match.start()].strip():
            found.append(Section(name, not name or name in counted, start, match.start()))
        start, name = match.end(), _name(match)
    if text[start:].strip() or not found:
        found.append(Section(name, not name or name in counted, start, len(text)))
    return found


def _chosen(
    text: str, matches: list[re.Match[str]], counted: frozenset[str]
) -> list[re.Match[str]]:
    """Return what of the lexicon's headings, wherever they stand, are headings."""
    found = []
    for index, match in enumerate(matches):
        is_heading = _is_heading(text, match) or (
            _is_inner(text, match)
            and (_name(match) in counted or _report_follows(text, matches[index:], counted))
        )
        if is_heading:
            found.append(match)
    return found


def _name(heading: re.Match[str]) -> str:
    return " ".join(heading[1].split())


def _is_heading(text: str, match: re.Match[str]) -> bool:
    return _begins_line(text, match.start()) or text[match.start() : match.end(1)].isupper()


def _is_inner(text: str, match: re.Match[str]) -> bool:
    start = match.start()
    return (
        text[start].isupper()
        and match[0].endswith(":")
        and _BEFORE_INNER.search(text, max(0, start - 40), start) is not None
    )


def _report_follows(text: str, matches: list[re.Match[str]], counted: frozenset[str]) -> bool:
    """Return whether a heading that counts stands behind the first, on its line."""
    line_end = text.find("\n", matches[0].start())
    return any(
        _name(one) in counted and (_is_heading(text, one) or _is_inner(text, one))
        for one in matches[1:]
        if line_end < 0 or one.start() < line_end
    )


@lru_cache(maxsize=32)
def _headings(
    counted: tuple[str, ...], ignored: tuple[str, ...]
) -> tuple[re.Pattern[str], frozenset[str]]:
    names = sorted({fold(one) for one in (*counted, *ignored)}, key=len, reverse=True)
    choice = "|".join(re.escape(one).replace(r"\ ", r"[ \t]+") for one in names)
    pattern = re.compile(rf"(?<!\w)({choice})(?:[ \t]*:|(?=[ \t]*\n)|[ \t]+-[ \t])")
    return pattern, frozenset(map(fold, counted))


def _begins_line(text: str, start: int) -> bool:
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return not line.strip(" \t*#-•[")


def sentences(text: str, start: int, end: int, words: SectionWords) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences between two characters, without the space around them.

    Full stops of abbreviations and of numbers end none; nor do the ends of lines that were
    broken to fit a page.
    """
    first = start
    for match in _STOP.finditer(text, start, end):
        if not _ends(text, match, first, end, words):
            continue
        span = _stripped(text, first, match.end())
        if span[0] < span[1]:
            yield span
        first = match.end()
    span = _stripped(text, first, end)
    if span[0] < span[1]:
        yield span


def label(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the span of what stands before a colon at a sentence's beginning (`Ribs:`)."""
    match = _LABEL.match(text, start, end)
    return None if match is None else (match.start(1), match.end(1))


def _ends(text: str, match: re.Match[str], first: int, end: int, words: SectionWords) -> bool:
    position = match.start()
    if match[0] == "\n":
        line = text[text.rfind("\n", 0, position) + 1 : position]
        rest = text[position + 1 : min(end, position + 60)]
        return bool(_NEW_ITEM.match(rest)) and (
            len(line) < _LONG_LINE or not rest.strip() or not rest.lstrip()[0].isupper()
        )
    if match[0] != ".":
        return True
    before = _BEFORE_STOP.search(text[max(first, position - 8) : position].lower())
    return before is None or before[1] not in words.abbreviations


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
