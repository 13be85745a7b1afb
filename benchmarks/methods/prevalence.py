"""A cohort in which fewer training radiographs are positive, to see how many records are needed."""

from dataclasses import replace

import numpy as np
import polars as pl

from ribsight.cohort.tables import Cohort
from ribsight.errors import RibsightError
from ribsight.findings import DiagnosisState, Split


def with_prevalence(cohort: Cohort, prevalence: float, seed: int) -> Cohort:
    """Return the cohort without some record-positives, drawn by the seed, of its training part.

    Whom an expert drew stays, and so do the negatives, validation and test.

    Args:
        cohort: split, with the regions revealed that training may see.
        prevalence: share of the training radiographs that are positive for any finding afterwards.
        seed: draws who leaves.

    Raises:
        RibsightError: fewer are positive already, or the drawn ones alone are more.

    """
    training = cohort.radiographs.filter(pl.col("split") == Split.TRAIN)["radiograph"]
    positive = cohort.diagnoses.filter(pl.col("state") == DiagnosisState.POSITIVE)["radiograph"]
    drawn = cohort.regions.filter("revealed")["radiograph"]
    is_positive = training.is_in(positive.implode()) | training.is_in(drawn.implode())
    may_leave = training.filter(is_positive & ~training.is_in(drawn.implode()))
    others = len(training) - int(is_positive.sum())
    leaving = int(is_positive.sum()) - round(prevalence * others / (1 - prevalence))
    if not 0 <= leaving <= len(may_leave):
        raise RibsightError(
            f"a training prevalence of {prevalence:g} cannot be reached: {is_positive.sum()} of "
            f"{len(training)} radiographs are positive, and {len(may_leave)} of these may leave"
        )
    order = np.random.default_rng(seed).permutation(len(may_leave))[:leaving]
    staying = pl.DataFrame({"radiograph": cohort.ids}).filter(
        ~pl.col("radiograph").is_in(may_leave[order].implode())
    )
    radiographs, diagnoses, regions = (
        table.join(staying, on="radiograph", how="semi", maintain_order="left")
        for table in (cohort.radiographs, cohort.diagnoses, cohort.regions)
    )
    return replace(
        cohort,
        radiographs=radiographs,
        diagnoses=diagnoses,
        regions=regions,
        near_duplicates=cohort.pairs_among(radiographs),
    )
