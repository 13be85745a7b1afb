"""`ribsight learning-curve` as a person runs it: a table of trainings becomes curves."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from ribsight.cli.learning_curve_command import learning_curve
from ribsight.errors import RibsightError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Truth on 20 images of 20 patients; two methods, two amounts, two trainings each."""
    made = tmp_path_factory.mktemp("learning")
    truth = ["image,finding,x0,y0,x1,y1,patient,image_width,image_height"]
    truth += [f"i{k},rib,{'10,10,30,25' if k % 3 == 0 else ',,,'},p{k},80,60" for k in range(20)]
    (made / "truth.csv").write_text("\n".join(truth) + "\n")
    table = ["method,regions,seed,marks"]
    for method, skill in (("plain", 0.1), ("aals", 0.4)):
        for regions in (10, 40):
            for seed in range(2):
                generator = np.random.default_rng([regions, seed])
                rows = ["image,finding,x,y,score"]
                for k in range(20):
                    score = generator.random() * 0.5 + (skill + regions / 100) * (k % 3 == 0)
                    rows.append(f"i{k},rib,20,18,{score:.4f}")
                name = f"{method}_{regions}_{seed}.csv"
                (made / name).write_text("\n".join(rows) + "\n")
                table.append(f"{method},{regions},{seed},{name}")
    (made / "runs.csv").write_text("\n".join(table) + "\n")
    return made


def run(folder: Path, out: Path, *more: str, table: str = "runs.csv") -> Result:
    arguments = [
        str(folder / table), "--truth", str(folder / "truth.csv"), "--out", str(out),
        "--replicates", "100", *more,
    ]  # fmt: skip
    return CliRunner().invoke(learning_curve, arguments)


def test_curves_are_written_and_said(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path, "--png")
    assert done.exit_code == 0, done.output
    assert "aals, 40 regions" in done.output
    assert "2 trainings, SD" in done.output
    rows = pl.read_csv(tmp_path / "learning_curve.csv")
    assert rows.height == 3 * 2 * 2
    aals = rows.filter((pl.col("key") == "auroc") & (pl.col("method") == "aals"))
    for row in aals.iter_rows(named=True):
        assert row["mean"] == pytest.approx(np.mean([float(v) for v in row["values"].split()]))
        assert row["low"] <= row["mean"] <= row["high"]
        assert row["against"] == "plain"
    assert rows.filter(pl.col("method") == "plain")["against"].to_list() == [""] * 6
    plots = {one.name for one in (tmp_path / "plots").iterdir()}
    keys = ("auroc", "froc_score", "wafroc")
    assert plots == {f"learning-{key}-rib.{end}" for key in keys for end in ("svg", "png")}
    ElementTree.parse(tmp_path / "plots" / "learning-auroc-rib.svg")


def test_differences_are_means_of_differences(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path, "--format", "json", "--figure", "auroc")
    rows = json.loads(done.stdout)
    by_name = {(one["method"], one["regions"]): one for one in rows}
    for regions in (10, 40):
        one, other = by_name["plain", regions], by_name["aals", regions]
        assert other["difference"] == pytest.approx(other["mean"] - one["mean"])
        assert other["difference_low"] <= other["difference_high"]
        assert 0 < other["p"] <= 1


@pytest.mark.parametrize("form", ["csv", "md"])
def test_forms_are_printed_alone(folder: Path, tmp_path: Path, form: str) -> None:
    done = run(folder, tmp_path, "--format", form, "--figure", "auroc")
    if form == "csv":
        assert pl.read_csv(done.stdout.encode()).height == 4
    else:
        assert done.stdout.startswith("## rib: AUROC")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method,marks\nplain,plain_10_0.csv\n", "no column 'regions'"),
        ("method,regions,marks\nplain,ten,plain_10_0.csv\n", "row 2: regions is 'ten'"),
        ("method,regions,marks\nplain,10,none.csv\n", "row 2: there is no file of marks"),
        ("method,regions,marks\n,10,plain_10_0.csv\n", "row 2: no method"),
        ("method,regions,marks\nplain,-1,plain_10_0.csv\n", "below 0"),
        (
            "method,regions,marks\nplain,10,plain_10_0.csv\naals,10,plain_10_0.csv\n",
            "row 3: plain_10_0.csv is listed twice",
        ),
        ("method,regions,marks\n", "lists no training"),
    ],
)
def test_a_wrong_table_is_one_sentence(
    folder: Path, tmp_path: Path, text: str, message: str
) -> None:
    (folder / "wrong.csv").write_text(text)
    done = run(folder, tmp_path, table="wrong.csv")
    assert isinstance(done.exception, RibsightError)
    assert message in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_an_unknown_figure_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    done = run(folder, tmp_path, "--figure", "accuracy")
    assert "there is no figure 'accuracy'; there are: " in str(done.exception)
