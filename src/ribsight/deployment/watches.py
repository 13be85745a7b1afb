"""What is watched of two sets of images, side by side, with a verdict on each thing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from ribsight.cohort.proportion import wilson
from ribsight.deployment.drift import (
    Change,
    Column,
    binned,
    changes,
    is_constant,
    numbers_column,
    words_column,
)
from ribsight.deployment.reference import Reference
from ribsight.deployment.watched import SILENT, Watched

FEWEST = 30
"""Images below which nothing is tested."""
_SURE, _SMALL = 0.05, 0.1


class Verdict(StrEnum):
    """What is to be said of one thing that is watched."""

    STEADY = "steady"
    """Nothing that chance would not do."""
    SLIGHT = "slight change"
    """More than chance, but a stability index below 0.1."""
    DRIFT = "drift"
    """More than chance, and not small."""
    FEW = "too few images"


@dataclass(frozen=True)
class Rate:
    """A share of images with its 95 % interval."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Watch:
    """One thing that is watched.

    Attributes:
        column: with the images of the reference, then the new ones.
        first: how many of them are the reference's.
        label: for people.
        verdict: what is to be said.
        change: how it has changed; None where nothing was tested.
        reference: in words or numbers, what it was.
        new: what it is.
        rates: share of images in the reference and among the new ones, of a rate.
        difference: new minus reference, of a rate.
    """

    column: Column
    first: int
    label: str
    verdict: Verdict
    change: Change | None
    reference: str
    new: str
    rates: tuple[Rate, Rate] | None = None
    difference: Rate | None = None


def watches(
    reference: Reference, new: Watched, *, seed: int
) -> tuple[list[Watch], list[str], list[str]]:
    """Compare new images with a reference.

    Returns:
        one watch each thing that varies; what is the same in all images; what a reader should know
        besides.
    """
    notes: list[str] = []
    columns = _columns(reference.watched, new, notes)
    same = [_label(one.name) for one in columns if is_constant(one)]
    columns = [one for one in columns if not is_constant(one)]
    first = len(reference.watched)
    few = min(first, len(new)) < FEWEST
    found: Sequence[Change | None] = [None] * len(columns)
    if not few:
        found = changes(columns, reference.groups, seed=seed)
    return (
        [
            _watched(column, change, first, few=few)
            for column, change in zip(columns, found, strict=True)
        ],
        same,
        notes,
    )


def _columns(reference: Watched, new: Watched, notes: list[str]) -> list[Column]:
    """Return what both know; a rate is a column of two categories."""
    columns = []
    silent = all(one == SILENT for one in new.words["bits"])
    if silent:
        notes.append(
            "the predictions say nothing of the input: they were written by an older version"
        )
    lacking = set() if not silent else {"spacing_mm", "dark", "middle", "bright"}
    for name, values in reference.numbers.items():
        if name not in new.numbers or name in lacking:
            continue
        if _is_rate(name):
            columns.append(words_column(name, _yes(values), _yes(new.numbers[name])))
        else:
            columns.append(numbers_column(name, values, new.numbers[name]))
    if not silent:
        columns += [
            words_column(name, values, new.words[name]) for name, values in reference.words.items()
        ]
    return columns


def _is_rate(name: str) -> bool:
    return name.startswith(("doubtful/", "confident/"))


def _yes(values: Any) -> list[str]:
    return ["yes" if one > 0 else "no" for one in values]


def _watched(column: Column, change: Change | None, first: int, *, few: bool) -> Watch:
    verdict = Verdict.FEW if few else Verdict.STEADY
    if change is not None and change.p_adjusted <= _SURE:
        verdict = Verdict.SLIGHT if change.psi < _SMALL else Verdict.DRIFT
    effect = 1.0 if change is None else change.design_effect
    rates = difference = None
    if _is_rate(column.name):
        rates = (_rate(column, slice(first), effect), _rate(column, slice(first, None), effect))
        difference = _difference(*rates)
    return Watch(
        column=column,
        first=first,
        label=_label(column.name),
        verdict=verdict,
        change=change,
        reference=_in_words(column, slice(first), rates and rates[0]),
        new=_in_words(column, slice(first, None), rates and rates[1]),
        rates=rates,
        difference=difference,
    )


def _rate(column: Column, part: slice, effect: float) -> Rate:
    assert column.categories is not None
    said = column.values[part] == column.categories.index("yes")
    share = float(said.mean())
    return Rate(share, *wilson(share, max(len(said) / effect, 1.0)))


def _difference(before: Rate, now: Rate) -> Rate:
    """Return now - before with Newcombe's interval (Statistics in Medicine 17, 1998, method 10)."""
    apart = now.share - before.share
    down = np.hypot(now.share - now.low, before.high - before.share)
    up = np.hypot(now.high - now.share, before.share - before.low)
    return Rate(apart, float(apart - down), float(apart + up))


def _in_words(column: Column, part: slice, rate: Rate | None) -> str:
    values = column.values[part]
    if rate is not None:
        return f"{100 * rate.share:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
    if column.categories is not None:
        counts = np.bincount(values.astype(np.int64), minlength=len(column.categories))
        order = np.argsort(-counts, kind="stable")[:4]
        shares = [f"{column.categories[i]} {100 * counts[i] / len(values):.0f} %"
                  for i in order if counts[i]]  # fmt: skip
        return ", ".join(shares)
    known = values[~np.isnan(values)]
    if not len(known):
        return SILENT
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
    said = f"{middle:.4g} ({low:.4g} to {high:.4g})"
    lost = 1 - len(known) / len(values)
    return f"{said}, {100 * lost:.0f} % {SILENT}" if lost else said


_LABELS = {
    "score": "image score, {}",
    "doubtful": "images doubtful or confident, {}",
    "confident": "images confident, {}",
    "marks": "marks shown on an image, {}",
    "long_side": "longer side, pixels",
    "short_side": "shorter side, pixels",
    "spacing_mm": "pixel spacing, mm",
    "dark": "dark end of intensities (5 %)",
    "middle": "middle of intensities (50 %)",
    "bright": "bright end of intensities (95 %)",
    "kind": "kind of image",
    "view": "view",
    "bits": "bits of a sample",
    "inverted": "light and dark exchanged",
}


def _label(name: str) -> str:
    what, _, finding = name.partition("/")
    return _LABELS[what].format(finding.replace("_", " "))


def watch_document(one: Watch) -> Mapping[str, Any]:
    """Return a watch, ready for JSON."""
    document: dict[str, Any] = {
        "label": one.label,
        "verdict": str(one.verdict),
        "reference": one.reference,
        "new": one.new,
        "bins": binned(one.column, one.first).tolist(),
    }
    if one.change is not None:
        document |= {key: value for key, value in asdict(one.change).items() if key != "name"}
    if one.rates is not None and one.difference is not None:
        document["rates"] = {
            "reference": asdict(one.rates[0]),
            "new": asdict(one.rates[1]),
            "difference": asdict(one.difference),
        }
    return document
