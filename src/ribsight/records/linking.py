"""Which records belong to which image: by accession, by study, or by patient and days."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ribsight.errors import RibsightError
from ribsight.records.policy import FusionPolicy

CHUNK = 50_000
"""Images linked at a time: a bound on memory."""


def sorted_images(pattern: Path, table: Path) -> pl.LazyFrame:
    """Return the images, those of one study together, with a number `index`.

    Raises:
        RibsightError: an image stands in two rows.
    """
    images = pl.scan_parquet(pattern)
    twice = (
        images.group_by("image")
        .agg(pl.col("row").sort().head(2).alias("rows"), pl.len().alias("count"))
        .filter(pl.col("count") > 1)
        .sort("image")
        .head(1)
        .collect(engine="streaming")
    )
    if not twice.is_empty():
        first, second = twice["rows"][0]
        raise RibsightError(
            f"{table}, rows {first} and {second} are about one image; keep one of them"
        )
    study = pl.coalesce("accession", "study", "image")
    return images.with_columns(study.alias("unit")).sort("unit", "image").with_row_index("index")


def with_link(records: pl.LazyFrame, images: pl.LazyFrame) -> pl.LazyFrame:
    """Add `link`: `accession` or `study` if an image has that of the record, else null.

    A record that names its image is about no other image of the patient.
    """
    for key in ("accession", "study"):
        known = images.select(key).drop_nulls().unique()
        known = known.with_columns(pl.lit(value=True).alias(f"its_{key}"))
        records = records.join(known, on=key, how="left")
    link = (
        pl.when(pl.col("its_accession")).then(pl.lit("accession"))
        .when(pl.col("its_study")).then(pl.lit("study"))
    )  # fmt: skip
    return records.with_columns(link.alias("link")).drop("its_accession", "its_study")


def chunks(images: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the images in chunks; the images of one study may lie in two."""
    for start in range(0, images.height, CHUNK):
        yield images.slice(start, CHUNK)


def linked(
    records: pl.LazyFrame, chunk: pl.DataFrame, policy: FusionPolicy, *, late: bool
) -> pl.DataFrame:
    """Return the records of each image of a chunk, with `index` of the image and `late`.

    Args:
        records: with the columns of `CODES` or of `reports_schema`, and `link`.
        chunk: of `sorted_images`.
        policy: has the window.
        late: whether to return also records after the window, marked `late`.
    """
    keys = chunk.lazy().select(
        "index", "accession", "study", "patient", pl.col("day").alias("image_day")
    )
    by_accession = records.filter(pl.col("link") == "accession").join(
        keys.select("index", "accession"), on="accession"
    )
    by_study = records.filter(pl.col("link") == "study").join(
        keys.select("index", "study"), on="study"
    )
    days = pl.col("day") - pl.col("image_day")
    last = max(policy.days_after, policy.late_days) if late else policy.days_after
    by_patient = (
        records.filter(pl.col("link").is_null() & pl.col("patient").is_not_null())
        .join(keys.select("index", "patient", "image_day"), on="patient")
        .filter(days.is_between(-policy.days_before, last))
        .with_columns((days > policy.days_after).alias("late"))
    )
    columns = [*records.collect_schema().names(), "index"]
    never = pl.lit(value=False).alias("late")
    return (
        pl.concat(
            [
                by_accession.select(*columns, never),
                by_study.select(*columns, never),
                by_patient.select(*columns, "late"),
            ]
        )
        .sort("index", "row")
        .collect(engine="streaming")
    )


def unlinked(records: pl.LazyFrame, images: pl.LazyFrame, policy: FusionPolicy) -> pl.LazyFrame:
    """Return `row` and `reason` of the records that belong to no image."""
    days = images.select("patient", image_day="day").drop_nulls()
    near = (
        records.filter(pl.col("link").is_null())
        .join(days, on="patient")
        .filter(
            (pl.col("day") - pl.col("image_day")).is_between(-policy.days_before, policy.days_after)
        )
        .select("row")
        .unique()
    )
    patients = images.select("patient").drop_nulls().unique()
    known = (
        records.filter(pl.col("link").is_null())
        .join(patients, on="patient", how="semi")
        .select("row")
        .unique()
        .with_columns(pl.lit(value=True).alias("known"))
    )
    reason = (
        pl.when(pl.col("patient").is_null()).then(pl.lit("no image of its accession or study"))
        .when(pl.col("known").is_null()).then(pl.lit("no image of its patient"))
        .when(pl.col("day").is_null()).then(pl.lit("no date"))
        .otherwise(pl.lit("no image of its patient within the window"))
    )  # fmt: skip
    return (
        records.filter(pl.col("link").is_null())
        .join(near, on="row", how="anti")
        .join(known, on="row", how="left")
        .select("row", reason.alias("reason"))
        .unique()
        .sort("row")
    )
