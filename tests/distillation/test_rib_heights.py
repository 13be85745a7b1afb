"""The tool that says where numbered ribs lie finds the line that a cohort was made with."""

import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from ribsight.cohort.tables import Cohort, load_cohort, save_cohort

TOOL = Path(__file__).resolve().parents[2] / "tools" / "rib_heights.py"


def run(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(TOOL), str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture
def named(trainable: Path) -> Cohort:
    """Regions of 10 pixels' height, at a fifth of the picture and a twentieth more a rib."""
    cohort = load_cohort(trainable)
    heights = dict(cohort.radiographs.select("radiograph", "height").rows())
    ribs, boxes = {}, []
    for number, radiograph in enumerate(cohort.regions["radiograph"]):
        ribs[radiograph] = f"left {number % 6 + 1}"
        middle = heights[radiograph] * (0.2 + 0.05 * (number % 6))
        boxes.append([[5.0, middle - 5, 9.0, middle - 5, 9.0, middle + 5, 5.0, middle + 5]])
    names = pl.col("radiograph").replace_strict(ribs, default="")
    return replace(
        cohort,
        diagnoses=cohort.diagnoses.with_columns(ribs=names),
        regions=cohort.regions.with_columns(polygons=pl.Series(boxes), revealed=pl.lit(True)),
    )


def test_the_line_is_found(named: Cohort, tmp_path: Path) -> None:
    save_cohort(named, tmp_path / "cohort")
    said = tomllib.loads(run(tmp_path / "cohort").stdout)["ribsight"]
    assert said == pytest.approx({"first_rib": 0.2, "rib_distance": 0.05, "rib_spread": 0.0})


def test_too_few_or_no_cohort_are_one_sentence(trainable: Path, tmp_path: Path) -> None:
    for folder, sentence in ((trainable, "a line needs 10"), (tmp_path, "is not a cohort")):
        done = run(folder)
        assert done.returncode != 0
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
