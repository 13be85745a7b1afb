"""Draw a figure of kept results against the number of drawn regions: a line a variant.

    python -m benchmarks.methods.curve RESULTS.parquet OUT.svg [--figure froc_score]

RESULTS holds several numbers of revealed radiographs, of one finding.
"""

import argparse
from pathlib import Path
from typing import Any

import polars as pl

from ribsight.evaluation.plots import learning_plot
from ribsight.evaluation.results import Figure
from ribsight.evaluation.seeds import Summary
from ribsight.evaluation.trainings import Trained
from ribsight.files import write_bytes


def points(results: pl.DataFrame, figure: str) -> list[Trained]:
    """Return a point a variant and number of drawn regions, least first."""
    own = results.filter((pl.col("against") == "") & (pl.col("figure") == figure)).sort("drawn")
    return [_point(one, figure) for one in own.iter_rows(named=True)]


def _point(row: dict[str, Any], figure: str) -> Trained:
    mean = Figure(row["mean"], row["low"], row["high"], 0, 0)
    summary = Summary(figure, (), mean, row["deviation"])
    return Trained(row["finding"], row["variant"], row["drawn"], summary, "", None, None, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--figure", default="froc_score")
    asked = parser.parse_args()
    plot = learning_plot(points(pl.read_parquet(asked.results), asked.figure))
    write_bytes(asked.out, plot.svg_file())


if __name__ == "__main__":
    main()
