"""`ribsight evaluate` writes and prints what `score` does."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

RECIPE = Path(__file__).parents[2] / "recipes" / "test.toml"


def ribsight(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ribsight.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(trainable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    done = ribsight(
        "train", "--cohort", trainable, "--recipe", RECIPE, "--out", folder, "--quiet"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def evaluate(run: Path, trainable: Path, out: Path, *more: object) -> str:
    done = ribsight(
        "evaluate", run, "--cohort", trainable, "--split", "val", "--out", out, "--replicates", 100,
        "--quiet", *more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_figures_plots_and_strata(run: Path, trainable: Path, tmp_path: Path) -> None:
    images = tmp_path / "images.csv"
    rows = [f"img{number:02d},{'AB'[number % 2]}" for number in range(36)]
    images.write_text("\n".join(["image,vendor", *rows]) + "\n")
    out = tmp_path / "out"
    printed = evaluate(
        run, trainable, out, "--images", images, "--strata", "vendor", "--png", "--format", "csv",
        "--against", run,
    )  # fmt: skip
    differences = pl.read_csv(printed.encode())
    assert differences.filter(pl.col("key") == "auroc")["value"].to_list() == [0]
    figures = pl.read_csv(out / "figures.csv")
    strata = figures.filter(pl.col("column") == "vendor")["stratum"].unique().sort()
    assert strata.to_list() == ["A", "B"]
    names = {path.stem.split("-")[0] for path in (out / "plots").glob("*.png")}
    assert names >= {"roc", "froc", "wafroc"}
    assert (out / "matches.parquet").is_file()
    assert "Training" in (out / "report.html").read_text()


@pytest.mark.parametrize("form", ["json", "md"])
def test_forms(run: Path, trainable: Path, tmp_path: Path, form: str) -> None:
    printed = evaluate(run, trainable, tmp_path, "--format", form)
    if form == "json":
        assert json.loads(printed)["cohort"]["split"] == "val"
    else:
        assert "| wAFROC AUC | " in printed
