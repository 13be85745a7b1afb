"""The tables of a data card about what is wrong: copies, what was left out, noise, warnings."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ribsight.cohort.card_tables import Table, plain, with_commas
from ribsight.cohort.left_out import LeftOut
from ribsight.cohort.proportion import proportion
from ribsight.cohort.tables import Cohort

_SHOWN = 12


def left_out_table(left_out: Sequence[LeftOut]) -> Table | None:
    """Return why what was given is not in the cohort, without naming it."""
    if not left_out:
        return None
    counts = Counter(_reason(one) for one in left_out)
    rows = tuple((reason, with_commas(count)) for reason, count in counts.most_common(_SHOWN))
    hidden = len(counts) - len(rows)
    note = f"{hidden} rarer reasons are not shown." if hidden > 0 else ""
    return Table("Left out", ("reason", "items"), rows, note=note)


def _reason(one: LeftOut) -> str:
    """Return the reason without names and numbers, which are different for every item."""
    reason = re.sub(r"no image named .*", "no image of that name", one.reason)
    reason = re.sub(r"(drawn on|the image) \S+", r"\1 ...", reason)
    reason = re.sub(r"\S*[/\\]\S*|\S+\.(?:png|jpe?g|tiff?|dcm|json|csv|xml)\b,?", "...", reason)
    return re.sub(r"\d+(?:\.\d+)*", "#", reason)


def near_duplicates_table(cohort: Cohort) -> Table | None:
    """Return where pairs of near duplicates are; None if nobody looked for them."""
    if cohort.near_duplicates is None:
        return None
    about = cohort.radiographs.select("radiograph", "patient", "split")
    pairs = cohort.near_duplicates.join(about, left_on="first", right_on="radiograph").join(
        about, left_on="second", right_on="radiograph", suffix="_b"
    )
    apart = (pl.col("split") != pl.col("split_b")).fill_null(value=False)
    other = (pl.col("patient") != pl.col("patient_b")).fill_null(value=False)
    turned = (pl.col("orientation") != "as it is") | pl.col("inverted")
    rows = (
        ("pairs that show one film", with_commas(len(pairs))),
        ("of them in two splits", with_commas(len(pairs.filter(apart)))),
        ("of them of two patients", with_commas(len(pairs.filter(other)))),
        ("of them turned, mirrored or inverted", with_commas(len(pairs.filter(turned)))),
    )
    return Table("Near duplicates", ("what", "pairs"), rows)


def agreement_table(agreement: Mapping[str, Mapping[tuple[str, str], int]]) -> Table | None:
    """Return how often records and an expert agree where both know."""
    rows, bars = [], []
    for finding, counts in agreement.items():
        both = {key: value for key, value in counts.items() if set(key) <= {"positive", "negative"}}
        total = sum(both.values())
        if not total:
            continue
        same = sum(value for (record, read), value in both.items() if record == read)
        wrong = both.get(("positive", "negative"), 0), both.get(("negative", "positive"), 0)
        array = np.arange(total) < same
        value, low, high = proportion(array, [str(one) for one in range(total)])
        text = f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
        rows.append(
            (plain(finding), with_commas(total), text, with_commas(wrong[0]), with_commas(wrong[1]))
        )
        bars.append(value)
    if not rows:
        return None
    header = (
        "finding",
        "both know",
        "agree",
        "record positive, expert not",
        "expert positive, record not",
    )
    return Table(
        "Label noise: records against an expert's readings", header, tuple(rows), tuple(bars)
    )


def audit_table(noise: Mapping[str, Any]) -> Table | None:
    """Return the figures of a checked audit, `noise.toml` of `ribsight label`."""
    rows = []
    for finding, figures in noise.items():
        if not isinstance(figures, Mapping):
            continue
        for name, one in figures.items():
            text = _figure(one)
            if text:
                rows.append((f"{plain(finding)}, {plain(name)}", text))
    return Table("Label noise: a checked audit", ("figure", "value"), tuple(rows)) if rows else None


def _figure(one: object) -> str:
    if isinstance(one, Mapping) and "value" in one:
        low, high = one.get("low"), one.get("high")
        interval = (
            f" ({low:.3f} to {high:.3f})"
            if isinstance(low, float) and isinstance(high, float)
            else ""
        )
        return f"{one['value']:.3f}{interval}"
    if isinstance(one, list) and one and all(isinstance(x, int | float) for x in one):
        return " ".join(f"{x:.3f}" for x in one)
    return f"{one:.3f}" if isinstance(one, float) else ""


def warnings_table(cohort: Cohort) -> Table | None:
    """Return what was noticed while reading, the most frequent first."""
    counts = Counter(
        re.sub(r"\d+(?:\.\d+)*", "#", one)
        for text in cohort.radiographs["warnings"]
        for one in filter(None, text.split("; "))
    )
    rows = tuple((one, with_commas(count)) for one, count in counts.most_common(_SHOWN))
    return Table("Noticed while reading", ("what", "images"), rows) if rows else None
