"""What labelling decided, counted: for the person who ran it, and as JSON for programs."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_MOST = 8


@dataclass
class Summary:
    """Counts, filled while diagnoses are written.

    Attributes:
        images: labelled.
        rows: read, by table (`codes`, `reports`, `images`).
        unlinked: records of each table that belong to no image.
        states: images by (finding, state).
        acuities: positive images by (finding, acuity).
        sources: images by (finding, report signal, code signal, state).
        contradictions: images by (finding, kind).
        years: images by (year, finding, state).
        codes: images by (finding, code) where a code helped to decide.
        phrases: images by (finding, rule) where a report helped to decide.
        unknown_codes: rows by code that the coding system does not have.
        other_codes: rows with codes about something else.
    """

    images: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    unlinked: Counter[str] = field(default_factory=Counter)
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    acuities: Counter[tuple[str, str]] = field(default_factory=Counter)
    sources: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    contradictions: Counter[tuple[str, str]] = field(default_factory=Counter)
    years: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    phrases: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown_codes: Counter[str] = field(default_factory=Counter)
    other_codes: int = 0


def as_json(summary: Summary) -> dict[str, Any]:
    """Return the summary as JSON: counters with several keys become nested tables."""
    return {
        "images": summary.images,
        "rows": dict(sorted(summary.rows.items())),
        "unlinked": dict(sorted(summary.unlinked.items())),
        "other_codes": summary.other_codes,
        "unknown_codes": dict(_ranked(summary.unknown_codes)),
        "states": _nested(summary.states),
        "acuities": _nested(summary.acuities),
        "sources": _nested(summary.sources),
        "contradictions": _nested(summary.contradictions),
        "years": _nested(summary.years),
        "codes": _nested(summary.codes),
        "phrases": _nested(summary.phrases),
    }


def lines(summary: Summary, findings: list[str]) -> list[str]:
    """Return the summary as lines for a terminal."""
    shown = [_table(["finding", *_STATES], _state_rows(summary, findings))]
    shown.append(_table(["positives", *_ACUITIES], _acuity_rows(summary, findings)))
    sources = [
        [finding, report, code, state, str(count)]
        for (finding, report, code, state), count in _ranked(summary.sources)[: 2 * _MOST]
    ]
    shown.append(_table(["finding", "reports say", "codes say", "state", "images"], sources))
    if summary.contradictions:
        rows = [[*key, str(count)] for key, count in _ranked(summary.contradictions)]
        shown.append(_table(["finding", "contradiction", "images"], rows))
    years = sorted({year for year, _, _ in summary.years})
    if len(years) > 1:
        rows = [
            [year, finding, *(str(summary.years[year, finding, one]) for one in _STATES)]
            for year in years
            for finding in findings
        ]
        shown.append(_table(["year", "finding", *_STATES], rows))
    for title, counter in (("code", summary.codes), ("phrase", summary.phrases)):
        rows = [[*key, str(count)] for key, count in _ranked(counter)[:_MOST]]
        if rows:
            shown.append(_table(["finding", f"{title} that decided", "images"], rows))
    return "\n\n".join("\n".join(one) for one in shown).splitlines()


def remarks(summary: Summary) -> list[str]:
    """Return what deserves attention: codes that do not exist, records without an image."""
    said = []
    if summary.unknown_codes:
        most = ", ".join(
            f"{code or '(blank)'} ({count})" for code, count in _ranked(summary.unknown_codes)[:5]
        )
        total = sum(summary.unknown_codes.values())
        said.append(f"codes that the coding system does not have: {total} rows, such as {most}")
    said += [
        f"{table} that belong to no image: {count} of {summary.rows[table]} rows"
        for table, count in sorted(summary.unlinked.items())
        if count
    ]
    return said


_STATES = ("positive", "negative", "uncertain", "unknown")
_ACUITIES = ("acute", "healing", "old", "unknown")


def _state_rows(summary: Summary, findings: list[str]) -> list[list[str]]:
    return [[one, *(str(summary.states[one, state]) for state in _STATES)] for one in findings]


def _acuity_rows(summary: Summary, findings: list[str]) -> list[list[str]]:
    return [[one, *(str(summary.acuities[one, age]) for age in _ACUITIES)] for one in findings]


def _ranked(counter: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))


def _nested(counter: Counter[Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, count in sorted(counter.items()):
        table = nested
        for part in key[:-1]:
            table = table.setdefault(part, {})
        table[key[-1]] = count
    return nested


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    numeric = [all(row[i].isdigit() for row in rows) for i in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in (header, *rows)
    ]
