"""Splits by time and by site: who is tested was filmed later, or elsewhere."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ribsight.cohort.split import HELD_OUT_KEYS, grouped_radiographs, split_cohort, wanted_shares
from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError, nearest
from ribsight.findings import Split

_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_ORDER = (Split.TRAIN, Split.VAL, Split.TEST)


class PatientBy(StrEnum):
    """Which study decides where in time a patient belongs."""

    FIRST = "first"
    """The first; films from a later part are in no split."""
    LAST = "last"
    """The last; earlier films go with it."""


@dataclass(frozen=True)
class TimeRule:
    """Train, val and test follow each other in time.

    Attributes:
        cuts: the first day of test; or those of val and of test; or none, for shares.
        by: whose date counts where a patient has several studies.
        gap_days: groups that belong to so many days before a cut are in no split.
    """

    cuts: tuple[date, ...] = ()
    by: PatientBy = PatientBy.LAST
    gap_days: int = 0


@dataclass(frozen=True)
class SiteRule:
    """Test is one site: the radiographs whose `column` is `value`."""

    column: str
    value: str

    def __str__(self) -> str:
        return f"{self.column}={self.value}"


def parse_dates(text: str) -> tuple[date, ...]:
    """Return one or two rising dates of `2019-01-01,2020-01-01`, none of `shares`.

    Raises:
        RibsightError: anything else.
    """
    if text.strip() == "shares":
        return ()
    dates = tuple(parse_date(one) for one in text.split(","))
    if None in dates or len(dates) > 2 or sorted(filter(None, dates)) != list(dates):
        raise RibsightError(
            f"--by-time {text} is not one date like 2020-01-01, two rising ones, or 'shares'"
        )
    return tuple(one for one in dates if one is not None)


def parse_site(text: str) -> SiteRule:
    """Return the rule of `institution=General Hospital`.

    Raises:
        RibsightError: it is not COLUMN=VALUE.
    """
    column, equals, value = text.partition("=")
    if not (column and equals and value):
        raise RibsightError(f"--hold-out-site {text} is not of the form COLUMN=VALUE")
    return SiteRule(column, value)


def parse_date(text: str) -> date | None:
    """Return the date of yyyy-mm-dd or yyyymmdd, None if it is none."""
    found = _DATE.fullmatch(text.strip())
    try:
        return date(*(int(one) for one in found.groups())) if found else None
    except ValueError:
        return None


def split_held_out(
    cohort: Cohort,
    fractions: tuple[float, float, float],
    seed: int,
    group: str | None = None,
    *,
    time: TimeRule | None = None,
    site: SiteRule | None = None,
) -> Cohort:
    """Split by time, by site, or by both: test is then the site's latest part.

    Groups are those of `split_cohort` and never straddle. What time or site do not decide is drawn
    among train and val by their shares. In no split at all are: radiographs of undated groups, of
    the gap, and of groups of the site that were made elsewhere; with both rules also the site's
    earlier part and the latest part of the others.

    Args:
        cohort: what to split.
        fractions: wanted shares of train, val and test.
        seed: as for `split_cohort`.
        group: as for `split_cohort`.
        time: needs the column `study_date`, which an archive gives.
        site: test.

    Raises:
        RibsightError: a missing column or value, no dates, or an empty split.
    """
    wanted = wanted_shares(fractions)
    grouped, unit = grouped_radiographs(cohort, group)
    splits: list[str | None] = [None] * len(grouped)
    provenance: dict[str, str | int | float] = {}
    at_site = np.zeros(len(grouped), dtype=bool)
    if site is not None:
        at_site = _at_site(grouped, site)
        provenance["split_site"] = str(site)
    of_site = np.isin(unit, unit[at_site])
    undecided = ~of_site
    if time is None:
        splits = [Split.TEST if one else None for one in at_site]
    else:
        days = _days(grouped)
        part, cuts = _parts_in_time(unit, days, time, wanted)
        undecided &= part == _DRAWN
        for row, number in enumerate(part):
            is_test = number == 2 and (site is None or bool(at_site[row]))
            is_earlier = number in (0, 1) and not of_site[row]
            splits[row] = _ORDER[number] if is_test or is_earlier else None
        provenance |= {
            "split_by_time": ",".join(one.isoformat() for one in cuts),
            "split_patient_by": str(time.by),
            "split_gap_days": time.gap_days,
        }
    if undecided.any() and (time is None or len(time.cuts) == 1):
        drawn = _draw(cohort, undecided, wanted, seed, group)
        splits = [drawn.get(id_, one) for id_, one in zip(cohort.ids, splits, strict=True)]
    _check_none_empty(splits, wanted)
    return replace(
        cohort,
        radiographs=grouped.with_columns(split=pl.Series(splits, dtype=pl.String)),
        provenance={
            **{key: one for key, one in cohort.provenance.items() if key not in HELD_OUT_KEYS},
            "split_fractions": ",".join(f"{one:g}" for one in fractions),
            "split_seed": seed,
            "split_group": group or "cohort",
            **provenance,
        },
    )


_NOWHERE, _DRAWN = -1, 3


def _at_site(radiographs: pl.DataFrame, site: SiteRule) -> NDArray[np.bool_]:
    if site.column not in radiographs.columns:
        raise RibsightError(
            f"the cohort has no column '{site.column}'{nearest(site.column, radiographs.columns)}; "
            f"it has: {', '.join(radiographs.columns)}"
        )
    values = radiographs[site.column].cast(pl.String)
    there = (values == site.value).fill_null(value=False).to_numpy()
    if not there.any():
        known = [one for one in values.unique().sort() if one is not None]
        raise RibsightError(
            f"no radiograph has {site}{nearest(site.value, known)}; "
            f"{site.column} is: {', '.join(known[:10]) or 'blank everywhere'}"
        )
    if there.all():
        raise RibsightError(f"all radiographs have {site}: nothing is left to train on")
    return np.asarray(there, dtype=bool)


def _days(radiographs: pl.DataFrame) -> NDArray[np.float64]:
    """Return (N,) the day of each radiograph, NaN if not known."""
    if "study_date" not in radiographs.columns:
        raise RibsightError(
            "the cohort has no column 'study_date': build it from an archive, or keep a column "
            "of that name"
        )
    dates = [parse_date(one) if one else None for one in radiographs["study_date"]]
    days = np.array([one.toordinal() if one else np.nan for one in dates])
    if np.isnan(days).all():
        raise RibsightError("no radiograph has a study date: a split by time needs dates")
    return days


def _parts_in_time(
    unit: NDArray[np.int64],
    days: NDArray[np.float64],
    time: TimeRule,
    wanted: NDArray[np.float64],
) -> tuple[NDArray[np.int64], tuple[date, ...]]:
    """Return (N,) part of each radiograph: 0, 1, 2, `_NOWHERE` or `_DRAWN`; and the cuts."""
    is_last = time.by is PatientBy.LAST
    decides = np.full(int(unit.max()) + 1, -np.inf if is_last else np.inf)
    known = ~np.isnan(days)
    (np.maximum if is_last else np.minimum).at(decides, unit[known], days[known])
    day = decides[unit]
    dated = np.isfinite(day)
    cuts = time.cuts or _cuts_by_share(day[dated], wanted)
    edges = np.array([one.toordinal() for one in cuts], dtype=np.float64)
    part = np.searchsorted(edges, day, side="right")
    # A film made after its group's part has ended must not be there.
    own = np.where(known, np.searchsorted(edges, days, side="right"), part)
    nowhere = ~dated | (own > part)
    for edge in edges:
        nowhere |= (day >= edge - time.gap_days) & (day < edge)
    if len(cuts) == 1:
        part = np.where(part == 1, 2, _DRAWN)
    return np.where(nowhere, _NOWHERE, part), cuts


def _cuts_by_share(day: NDArray[np.float64], wanted: NDArray[np.float64]) -> tuple[date, ...]:
    """Return the days at which val and test begin, so that they come nearest to their shares."""
    days, counts = np.unique(day, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    starts = np.concatenate([days, [days[-1] + 1]])
    cuts = [starts[int(np.abs(before - share).argmin())] for share in np.cumsum(wanted)[:2]]
    return tuple(date.fromordinal(int(one)) for one in cuts)


def _draw(
    cohort: Cohort,
    among: NDArray[np.bool_],
    wanted: NDArray[np.float64],
    seed: int,
    group: str | None,
) -> dict[str, str]:
    """Allot the chosen radiographs to train and val by their shares."""
    both = float(wanted[0] + wanted[1])
    if both <= 0:
        raise RibsightError("train and val have no share: give --fractions")
    chosen = cohort.radiographs.filter(pl.Series(among))
    part = replace(
        cohort,
        radiographs=chosen,
        diagnoses=cohort.diagnoses.join(chosen, on="radiograph", how="semi"),
        regions=cohort.regions.join(chosen, on="radiograph", how="semi"),
        near_duplicates=cohort.pairs_among(chosen),
    )
    share = float(wanted[0]) / both
    drawn = split_cohort(part, (share, 1 - share, 0.0), seed, group)
    return dict(drawn.radiographs.select("radiograph", "split").rows())


def _check_none_empty(splits: Sequence[str | None], wanted: NDArray[np.float64]) -> None:
    for name, share in zip(_ORDER, wanted, strict=True):
        if share > 0 and name not in splits:
            raise RibsightError(
                f"no radiograph is left for the split '{name}': choose other dates, another "
                "site or a smaller gap"
            )
