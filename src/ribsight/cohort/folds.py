"""Cross-validation: every group is held out once."""

from dataclasses import replace

import numpy as np
import polars as pl

from ribsight.cohort.split import HELD_OUT_KEYS, allot, group_counts, grouped_radiographs, order_of
from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.findings import Split


def fold_cohort(
    cohort: Cohort, folds: int, fold: int, seed: int, group: str | None = None
) -> Cohort:
    """Allot whole groups to train, val and test, as one fold of a cross-validation.

    Groups are dealt to `folds` equal parts, stratified by finding as `split_cohort` does. Part
    `fold` is the test split, the next one validation, the others train: over all folds every
    radiograph is tested once and validated on once.

    Args:
        cohort: what to split; an earlier split is replaced.
        folds: how many parts, at least 3.
        fold: which, from 0.
        seed: decides the order among groups with equally many positives; the same for all folds.
        group: as in `split_cohort`.

    Raises:
        RibsightError: too few folds, no such fold, too few groups, or as `split_cohort`.
    """
    if folds < 3:
        raise RibsightError(f"{folds} folds leave nothing to train on: use 3 or more")
    if not 0 <= fold < folds:
        raise RibsightError(f"there is no fold {fold + 1} of {folds}")
    radiographs, unit = grouped_radiographs(cohort, group)
    counts = group_counts(cohort, unit)
    if len(counts) < folds:
        raise RibsightError(f"{len(counts)} groups are too few for {folds} folds")
    share = counts / np.maximum(counts.sum(axis=0), 1)
    part = allot(share, order_of(counts, seed), np.full(folds, 1 / folds))[unit]
    names = np.where(
        part == fold, Split.TEST, np.where(part == (fold + 1) % folds, Split.VAL, Split.TRAIN)
    )
    provenance = {
        **{key: value for key, value in cohort.provenance.items() if key not in HELD_OUT_KEYS},
        "split_fold": f"{fold + 1}/{folds}",
        "split_seed": seed,
        "split_group": group or "cohort",
    }
    radiographs = radiographs.with_columns(split=pl.Series(names.tolist(), dtype=pl.String))
    return replace(cohort, radiographs=radiographs, provenance=provenance)
