"""Sightings -> the two tables: which image is which, and what is there twice."""

from pathlib import PurePosixPath

import polars as pl

from ribsight.archive.examine import shown
from ribsight.archive.index import IMAGES, QUARANTINE
from ribsight.archive.reasons import Reason
from ribsight.radiographs import image_id

_PLACE = ["source", "position"]
_SHORT = 8


def merge(seen: pl.DataFrame, *, keep_first: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the images, schema `IMAGES`, and the quarantine, schema `QUARANTINE`.

    Both are functions of the rows alone, not of their order. The same image is one with the same
    SOP Instance UID, patient, study and pixel data; the place that sorts first keeps it and the
    others are duplicates, whatever else their headers say. Images that share the UID and nothing
    more are in conflict: all are refused.

    Args:
        seen: schema `SIGHTINGS`, one row a place.
        keep_first: of images in conflict, keep the one whose place sorts first.
    """
    seen = seen.sort(_PLACE)
    is_refused = pl.col("reason") != ""
    images = _named(seen.filter(~is_refused & pl.col("eligible").is_not_null()))
    judged = _judged(images, keep_first=keep_first)
    accepted = judged.filter(~is_refused).sort("image")
    twice = judged.filter(is_refused).select(seen.columns)
    refused = pl.concat([seen.filter(is_refused), twice]).sort(_PLACE)
    return accepted.select(IMAGES.names()), refused.select(QUARANTINE.names())


def _judged(images: pl.DataFrame, *, keep_first: bool) -> pl.DataFrame:
    """Give duplicates and images in conflict their reason."""
    place = pl.when(pl.col("member") == "").then("source").otherwise(
        pl.col("source") + "!" + pl.col("member")
    )  # fmt: skip
    content = pl.concat_str(
        [pl.col(one).fill_null("") for one in ("pixels", "patient", "study")], separator="\n"
    )
    is_fetched = pl.col("bytes").is_not_null()
    ordered = images.with_columns(_place=place, _content=content, _fetched=is_fetched)
    # What was only heard of is never in conflict with what is there.
    ordered = ordered.sort("image", pl.col("_fetched").not_(), *_PLACE)
    ordered = ordered.with_columns(
        _first=pl.col("_place").first().over("image"),
        _index=pl.int_range(pl.len()).over("image"),
        _is_same=(pl.col("_content") == pl.col("_content").first().over("image"))
        | ~pl.col("_fetched"),
    )
    in_conflict = ~pl.col("_is_same").all().over("image")
    others = pl.col("_index") > 0
    duplicate = others & (pl.col("_is_same") if keep_first else ~in_conflict)
    conflict = (others & ~pl.col("_is_same")) if keep_first else in_conflict
    return ordered.with_columns(
        reason=pl.when(duplicate)
        .then(pl.lit(str(Reason.DUPLICATE)))
        .when(conflict)
        .then(pl.lit(str(Reason.CONFLICT)))
        .otherwise("reason"),
        sentence=pl.when(duplicate)
        .then(pl.lit("holds the same image as ") + pl.col("_first"))
        .when(conflict & (pl.col("_index") > 0))
        .then(
            pl.lit("has the SOPInstanceUID, but not the pixels, patient and study of ")
            + pl.col("_first")
        )
        .when(conflict)
        .then(pl.lit("shares its SOPInstanceUID with other pixels, patients or studies"))
        .otherwise("sentence"),
    )


def _named(images: pl.DataFrame) -> pl.DataFrame:
    """Name images without a UID by their stem; a stem of several contents gets part of the hash."""
    named = images.filter(pl.col("image").is_not_null())
    nameless = images.filter(pl.col("image").is_null())
    stems = [
        _stem(member or source) for source, member in nameless.select("source", "member").rows()
    ]
    hashes = pl.when(pl.col("sha256") == "").then("head_sha256").otherwise("sha256")
    nameless = nameless.with_columns(image=pl.Series(stems, dtype=pl.String), _hash=hashes)
    taken = named.select("image").unique().with_columns(_taken=pl.lit(True))
    nameless = nameless.join(taken, on="image", how="left")
    shared = (pl.col("_hash").n_unique().over("image") > 1) | pl.col("_taken").is_not_null()
    longer = pl.col("image") + "-" + pl.col("_hash").str.head(_SHORT)
    nameless = nameless.with_columns(image=pl.when(shared).then(longer).otherwise("image"))
    return pl.concat([named, nameless.select(images.columns)])


def _stem(place: str) -> str:
    """Return the last part of a path without its ending; never a path, nor empty."""
    name = image_id(PurePosixPath(place.replace("\\", "/")))
    return shown(name).strip(". ") or "image"
