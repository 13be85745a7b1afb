"""Records with errors of a known rate, to see which method bears them."""

from dataclasses import replace
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from ribsight.cohort.tables import PLACES, Cohort
from ribsight.findings import DiagnosisState, Split
from ribsight.settings import Settings

Rate = Annotated[float, Field(ge=0, lt=1)]


class RecordErrors(Settings):
    """How often records err, independently of each other.

    Attributes:
        false_negative_rate: share of the positive records that become negative.
        false_positive_rate: share of the negative records that become positive.

    """

    false_negative_rate: Rate = 0.0
    false_positive_rate: Rate = 0.0


def with_record_errors(cohort: Cohort, errors: RecordErrors, seed: int) -> Cohort:
    """Return the cohort with errors in the records of training radiographs without a drawing.

    Whom an expert drew is known; validation and test measure, so theirs stay as they are. A
    radiograph that becomes negative loses its hidden regions.
    """
    keys = ["radiograph", "finding"]
    training = cohort.radiographs.filter(pl.col("split") == Split.TRAIN).select("radiograph")
    known = cohort.regions.filter("revealed").select("radiograph").unique()
    changeable = training.join(known, on="radiograph", how="anti")
    table = cohort.diagnoses.with_columns(
        _luck=np.random.default_rng(seed).random(len(cohort.diagnoses)),
        _can=pl.col("radiograph").is_in(changeable["radiograph"].to_list()),
    )
    rate = {
        DiagnosisState.POSITIVE: errors.false_negative_rate,
        DiagnosisState.NEGATIVE: errors.false_positive_rate,
    }
    other = {
        DiagnosisState.POSITIVE: DiagnosisState.NEGATIVE,
        DiagnosisState.NEGATIVE: DiagnosisState.POSITIVE,
    }
    wrong = pl.col("_can") & (
        pl.col("_luck") < pl.col("state").replace_strict(rate, default=0.0, return_dtype=pl.Float64)
    )
    table = table.with_columns(_wrong=wrong)
    denied = table.filter("_wrong", pl.col("state") == DiagnosisState.POSITIVE).select(keys)
    diagnoses = table.with_columns(
        state=pl.when("_wrong").then(pl.col("state").replace(other)).otherwise("state"),
        side=pl.when("_wrong").then(pl.lit("unknown")).otherwise("side"),
        **{
            name: pl.when("_wrong").then(pl.lit("")).otherwise(name)
            for name in PLACES
            if name in table.columns
        },
    ).select(cohort.diagnoses.columns)
    regions = cohort.regions.join(denied, on=keys, how="anti", maintain_order="left")
    return replace(cohort, diagnoses=diagnoses, regions=regions)
