"""Who is held out, and whose regions training may see."""

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ribsight.cohort.grouping import block_of, parse_blocks
from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError, nearest
from ribsight.findings import DiagnosisState, Split

_MAX_PASSES = 50
_ROUNDING = 1e-12

HELD_OUT_KEYS = ("split_by_time", "split_patient_by", "split_gap_days", "split_site", "split_fold")
"""What a split by time or site leaves in the provenance; another split takes it away."""
_SPLITS = (Split.TRAIN, Split.VAL, Split.TEST)


def split_cohort(
    cohort: Cohort,
    fractions: tuple[float, float, float],
    seed: int,
    group: str | None = None,
) -> Cohort:
    """Allot whole groups to train, val and test, stratified by finding.

    Groups that share a patient, the same pixels or a near duplicate become one group. Groups are
    allotted one by one, those with most positives first, each to the split where it leaves the
    smallest sum of squared deviations from the wanted shares of images, of positives per finding
    and of positives with regions per finding; then single groups move while that sum becomes
    smaller. The result depends on the seed, not on the order of rows.

    Args:
        cohort: what to split; an earlier split is replaced.
        fractions: wanted shares of train, val and test, adding to 1.
        seed: decides the order among groups with equally many positives.
        group: None for the cohort's own groups, `patient`, `blocks:N` of the ids' trailing
            numbers, or a column of the radiographs' table; becomes the column `group`.

    Raises:
        RibsightError: fractions that do not add to 1, an unknown column, or too few groups.
    """
    wanted = wanted_shares(fractions)
    radiographs, unit = grouped_radiographs(cohort, group)
    counts = group_counts(cohort, unit)
    share = counts / np.maximum(counts.sum(axis=0), 1)
    split_of_unit = allot(share, order_of(counts, seed), wanted)
    names = [_SPLITS[split] for split in split_of_unit[unit]]
    for name, fraction in zip(_SPLITS, wanted, strict=True):
        if fraction > 0 and name not in names:
            raise RibsightError(
                f"{len(counts)} groups are too few for a split '{name}': "
                "use smaller groups or fewer splits"
            )
    radiographs = radiographs.with_columns(split=pl.Series(names, dtype=pl.String))
    provenance = {
        **{key: value for key, value in cohort.provenance.items() if key not in HELD_OUT_KEYS},
        "split_fractions": ",".join(f"{one:g}" for one in fractions),
        "split_seed": seed,
        "split_group": group or "cohort",
    }
    return replace(cohort, radiographs=radiographs, provenance=provenance)


def reveal(cohort: Cohort, count: int | None, seed: int) -> Cohort:
    """Let training see the regions of only `count` positive training radiographs per finding.

    The radiographs are the first of a permutation that depends on the seed and the finding, so a
    smaller count reveals a part of what a larger one does. None reveals all. Validation and test
    radiographs always keep theirs: they measure.

    Raises:
        RibsightError: a negative count, or a cohort that is not split.
    """
    if count is not None and count < 0:
        raise RibsightError(f"cannot reveal the regions of {count} radiographs")
    if cohort.radiographs["split"].null_count() == len(cohort.radiographs):
        raise RibsightError("the cohort is not split yet: run `ribsight cohort split` first")
    train = cohort.radiographs.filter(pl.col("split") == Split.TRAIN)
    hidden = [
        (radiograph, finding)
        for finding in cohort.findings
        for radiograph in _hidden(cohort, set(train["radiograph"]), finding, count, seed)
    ]
    keys = pl.DataFrame(
        hidden, schema={"radiograph": pl.String, "finding": pl.String}, orient="row"
    ).with_columns(_hidden=pl.lit(True))
    regions = (
        cohort.regions.join(keys, on=["radiograph", "finding"], how="left", maintain_order="left")
        .with_columns(revealed=pl.col("_hidden").is_null())
        .drop("_hidden")
    )
    provenance = {
        **cohort.provenance,
        "revealed": "all" if count is None else count,
        "reveal_seed": seed,
    }
    return replace(cohort, regions=regions, provenance=provenance)


def _hidden(
    cohort: Cohort, train: set[str], finding: str, count: int | None, seed: int
) -> list[str]:
    if count is None:
        return []
    positive = _positive_ids(cohort, finding)
    drawn = set(cohort.regions.filter(pl.col("finding") == finding)["radiograph"])
    candidates = sorted(drawn & train)
    random = np.random.default_rng([seed, crc32(finding.encode())])
    order = [candidates[index] for index in random.permutation(len(candidates))]
    revealed = [one for one in order if one in positive][:count]
    return sorted(set(candidates) - set(revealed))


def grouped_radiographs(
    cohort: Cohort, group: str | None
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Return the radiographs with the groups that must not be torn, and (N,) their numbers.

    Groups that share a patient, the same pixels or a near duplicate are one group.

    Raises:
        RibsightError: as `split_cohort` does for `group`.
    """
    grouped = cohort.radiographs.with_columns(group=_groups(cohort, group))
    unit = _units(grouped, cohort.near_duplicates)
    return grouped.with_columns(group=_unit_names(grouped, unit)), unit


def wanted_shares(fractions: Sequence[float]) -> NDArray[np.float64]:
    """Return (3,) shares of train, val and test. Raises RibsightError if they are none."""
    wanted = np.asarray(fractions, dtype=np.float64)
    if wanted.shape != (3,) or not np.isfinite(wanted).all() or (wanted < 0).any():
        raise RibsightError("give three fractions, for train, val and test, none negative")
    if abs(wanted.sum() - 1) > 1e-6:
        raise RibsightError(f"the fractions add to {wanted.sum():g}, not to 1")
    return wanted


def _groups(cohort: Cohort, group: str | None) -> pl.Series:
    radiographs = cohort.radiographs
    if group is None:
        return radiographs["group"]
    blocks = parse_blocks(group)
    if blocks is not None:
        return pl.Series([block_of(id_, blocks) for id_ in cohort.ids], dtype=pl.String)
    if group not in radiographs.columns:
        raise RibsightError(
            f"the cohort has no column '{group}' to group by"
            f"{nearest(group, radiographs.columns)}; it has: {', '.join(radiographs.columns)}"
        )
    column = radiographs[group].cast(pl.String)
    if column.null_count() == len(column):
        raise RibsightError(
            f"the column '{group}' is blank on every row: group by another column or by blocks:N"
        )
    alone = pl.Series([f"image {id_}" for id_ in cohort.ids], dtype=pl.String)
    return column.zip_with(column.is_not_null(), alone)


def _units(radiographs: pl.DataFrame, pairs: pl.DataFrame | None) -> NDArray[np.int64]:
    """Return (N,) the number of what must stay together, counted up in the order of ids."""
    count = len(radiographs)
    edges = []
    for column in ("group", "patient", "pixels_sha256"):
        first: dict[str, int] = {}
        for row, value in enumerate(radiographs[column]):
            if value is not None:
                edges.append((first.setdefault(value, row), row))
    if pairs is not None:
        number_of = {id_: row for row, id_ in enumerate(radiographs["radiograph"])}
        edges += [(number_of[a], number_of[b]) for a, b in pairs.select("first", "second").rows()]
    rows, columns = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    number: dict[int, int] = {}
    for row in np.argsort(radiographs["radiograph"].to_numpy()):
        number.setdefault(int(component[row]), len(number))
    return np.array([number[int(one)] for one in component], dtype=np.int64)


def _unit_names(radiographs: pl.DataFrame, unit: NDArray[np.int64]) -> pl.Series:
    """Name each unit after the group of its first id."""
    names: dict[int, str] = {}
    for row in np.argsort(radiographs["radiograph"].to_numpy()):
        names.setdefault(int(unit[row]), radiographs["group"][int(row)])
    return pl.Series([names[int(one)] for one in unit], dtype=pl.String)


def group_counts(cohort: Cohort, unit: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (U, 1 + 2 K): images, then positives and positives with regions of each finding."""
    columns = [np.ones(len(unit), dtype=bool)]
    for finding in cohort.findings:
        positive = _positive_ids(cohort, finding)
        drawn = set(cohort.regions.filter(pl.col("finding") == finding)["radiograph"])
        columns += [
            np.array([id_ in positive for id_ in cohort.ids]),
            np.array([id_ in positive and id_ in drawn for id_ in cohort.ids]),
        ]
    counts = np.zeros((int(unit.max()) + 1, len(columns)))
    np.add.at(counts, unit, np.stack(columns, axis=1))
    return counts


def _positive_ids(cohort: Cohort, finding: str) -> set[str]:
    wanted = (pl.col("finding") == finding) & (pl.col("state") == DiagnosisState.POSITIVE)
    return set(cohort.diagnoses.filter(wanted)["radiograph"])


def order_of(counts: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Return the order in which units are allotted: most positives first, else by the seed."""
    shuffled = np.random.default_rng(seed).permutation(len(counts))
    positives = counts[shuffled, 1::2].sum(axis=1)
    return shuffled[np.argsort(-positives, kind="stable")]


def allot(
    share: NDArray[np.float64], order: NDArray[np.int64], wanted: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Give each unit its part. share: (U, F) of each total; wanted: (parts,); returns (U,)."""
    missing = np.zeros((len(wanted), share.shape[1]))
    closed = wanted == 0
    split = np.full(len(share), -1, dtype=np.int64)
    # In the first pass a split lacks its share of what has come so far: measured by the whole,
    # groups with positives, which come first, would be drawn to where most images are to come.
    for _ in range(_MAX_PASSES):
        before = split.copy()
        for unit in order:
            if split[unit] >= 0:
                missing[split[unit]] += share[unit]
            else:
                missing += np.outer(wanted, share[unit])
            gain = np.where(closed, -np.inf, 2 * missing @ share[unit])
            if split[unit] < 0 or gain.max() > gain[split[unit]] + _ROUNDING:
                split[unit] = np.argmax(gain)
            missing[split[unit]] -= share[unit]
        if (split == before).all():
            break
    return split
