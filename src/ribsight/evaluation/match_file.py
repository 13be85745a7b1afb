"""The match table as Parquet: everything that statistics of marks need, in one file.

A row is a mark, a region that no mark hits, or an image with neither.
"""

import io
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from ribsight.errors import RibsightError
from ribsight.evaluation.matching import MatchTable, Outcome
from ribsight.evaluation.measure import Measured
from ribsight.evaluation.protocol import Protocol, protocol_from_dict
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth
from ribsight.files import write_bytes

SCHEMA = pl.Schema(
    {
        "finding": pl.String(),
        "image": pl.String(),
        "patient": pl.String(),  # null if not known
        "group": pl.Int64(),  # code of what a bootstrap resamples as one
        "positive": pl.Boolean(),  # whether the image has the finding
        "image_score": pl.Float64(),
        "outcome": pl.String(),  # hit, duplicate, false, left_out; missed; none
        "score": pl.Float64(),  # of the mark; null without one
        "x": pl.Float64(),  # stored pixels
        "y": pl.Float64(),
        "lesion": pl.Int64(),  # number of the region within the finding; null if none
        "overlap": pl.Float64(),  # IoU of mark and region; null if not known
        "counted": pl.Boolean(),  # whether the image counts in the FROC
    }
)
_OUTCOMES = np.array([one.name.lower() for one in Outcome])
_PROTOCOL = "ribsight_protocol"


def match_frame(truth: Truth, reading: Reading, table: MatchTable) -> pl.DataFrame:
    """Return the rows of one finding, marks by falling score first."""
    hit = np.zeros(len(truth.region_image), dtype=np.bool_)
    hit[table.region[table.outcome == Outcome.HIT]] = True
    missed = np.flatnonzero(~hit)
    bare = np.ones(len(truth.images), dtype=np.bool_)
    bare[table.image] = bare[truth.region_image] = False
    empty = np.flatnonzero(bare)
    lone = len(missed) + len(empty)
    image = np.concatenate([table.image, truth.region_image[missed], empty])
    region = np.concatenate([table.region, missed, np.full(len(empty), -1)])
    nothing = np.full(lone, np.nan)
    outcome = [*_OUTCOMES[table.outcome], *["missed"] * len(missed), *["none"] * len(empty)]
    patients = np.array(truth.patients or [None] * len(truth.images), dtype=object)
    return pl.DataFrame(
        {
            "finding": [truth.finding] * len(image),
            "image": np.array(truth.images, dtype=object)[image].tolist(),
            "patient": patients[image].tolist(),
            "group": truth.groups[image],
            "positive": truth.positive[image],
            "image_score": reading.image_scores[image],
            "outcome": outcome,
            "score": np.concatenate([table.score, nothing]),
            "x": np.concatenate([table.x, nothing]),
            "y": np.concatenate([table.y, nothing]),
            "lesion": region,
            "overlap": np.concatenate([table.overlap, nothing]),
            "counted": truth.located[image],
        },
        schema=SCHEMA,
    ).with_columns(
        pl.col("score", "x", "y", "overlap").fill_nan(None),
        pl.when(pl.col("lesion") >= 0).then("lesion"),
    )


def write_matches(measured: Iterable[Measured], path: Path) -> None:
    """Write the rows of all findings, with their protocol in the file's metadata, in one step.

    Raises:
        RibsightError: `path` cannot be written.
    """
    all_of = list(measured)
    frame = pl.concat([match_frame(one.truth, one.reading, one.table) for one in all_of])
    content = io.BytesIO()
    protocol = json.dumps(all_of[0].table.protocol.to_dict())
    frame.write_parquet(content, metadata={_PROTOCOL: protocol})
    write_bytes(path, content.getvalue())


def read_matches(path: Path) -> tuple[pl.DataFrame, Protocol]:
    """Read what `write_matches` wrote.

    Raises:
        RibsightError: no such file, or one without the columns or the protocol.
    """
    try:
        frame = pl.read_parquet(path)
        metadata = pl.read_parquet_metadata(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RibsightError(f"cannot read {path}: {error}") from error
    if frame.schema != SCHEMA or _PROTOCOL not in metadata:
        raise RibsightError(f"{path} is no file of matches of ribsight")
    return frame, protocol_from_dict(json.loads(metadata[_PROTOCOL]), str(path))
