"""`ribsight score` and `compare` as a person runs them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image


def ribsight(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ribsight.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fails(*arguments: object) -> str:
    """Run, expect status 2, one sentence and no traceback; return the sentence."""
    done = ribsight(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("ribsight: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Truth and two detectors' marks on 24 images of 12 patients, and the pictures."""
    made = tmp_path_factory.mktemp("score")
    (made / "images").mkdir()
    generator = np.random.default_rng(0)
    truth = ["image,finding,x0,y0,x1,y1,patient,image_width,image_height,vendor"]
    marks: dict[str, list[str]] = {"good": [], "poor": []}
    for number in range(24):
        name, ill = f"i{number:02d}", number % 3 == 0
        tail = f"p{number // 2},80,60,{'AB'[number % 2]}"
        truth.append(f"{name},rib,{'10,10,30,25' if ill else ',,,'},{tail}")
        Image.fromarray(np.full((60, 80), 90, dtype=np.uint8)).save(made / "images" / f"{name}.png")
        for detector, skill in (("good", 0.6), ("poor", 0.1)):
            score = generator.random() * 0.4 + skill * ill
            where = "20,18" if ill and generator.random() < 0.4 + skill else "70,50"
            marks[detector].append(f"{name},rib,{where},{score:.4f}")
    (made / "truth.csv").write_text("\n".join(truth) + "\n")
    for detector, rows in marks.items():
        (made / f"{detector}.csv").write_text("\n".join(["image,finding,x,y,score", *rows]) + "\n")
    return made


def test_score_writes_everything(folder: Path, tmp_path: Path) -> None:
    done = ribsight(
        "score", "--truth", folder / "truth.csv", "--marks", folder / "good.csv", "--out", tmp_path,
        "--replicates", 100, "--choose", "sensitivity 0.9", "--prevalence", 0.02,
        "--pictures", folder / "images", "--png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "wAFROC AUC" in done.stdout
    assert "protocol ribsight: A mark hits a region when" in done.stdout
    document = json.loads((tmp_path / "evaluation.json").read_text())
    finding = document["findings"]["rib"]
    assert {one["key"] for one in finding["figures"]} >= {
        "auroc", "auroc_delong", "patient_auroc", "image_ap", "froc_score", "lesion_ap", "afroc",
        "wafroc", "brier", "ece", "sensitivity 0.9/ppv",
    }  # fmt: skip
    assert {one["column"] for one in finding["strata"]} == {"size_share", "vendor"}
    assert finding["operating_points"][0]["aim"] == "sensitivity 0.9"
    assert pl.read_parquet(tmp_path / "matches.parquet")["image"].n_unique() == 24
    rows = pl.read_csv(tmp_path / "figures.csv")
    assert rows.filter(pl.col("column") == "vendor").height == 6
    assert rows["protocol"].str.starts_with("A mark hits").all()
    names = {"roc", "froc", "wafroc", "reliability", "strata"}
    for ending in ("svg", "png"):
        assert {p.name.split("-")[0] for p in (tmp_path / "plots").glob(f"*.{ending}")} == names
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img ") >= 6
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "CLAIM" in page


@pytest.mark.parametrize("form", ["md", "json", "csv"])
def test_formats_are_printed_alone(folder: Path, tmp_path: Path, form: str) -> None:
    done = ribsight(
        "score", "--truth", folder / "truth.csv", "--marks", folder / "good.csv", "--out", tmp_path,
        "--replicates", 100, "--protocol", "luna16", "--format", form,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if form == "json":
        assert json.loads(done.stdout)["protocol"]["name"] == "luna16"
    elif form == "csv":
        assert pl.read_csv(done.stdout.encode()).height > 10
    else:
        assert "| FROC score | " in done.stdout


def test_compare_is_paired_and_sums_up_trainings(folder: Path, tmp_path: Path) -> None:
    done = ribsight(
        "compare", "--truth", folder / "truth.csv", "--marks", f"poor={folder / 'poor.csv'}",
        "--marks", f"good={folder / 'good.csv'}", "--marks", f"good={folder / 'good.csv'}",
        "--out", tmp_path, "--replicates", 100, "--permutations", 100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "good - poor, paired" in done.stdout
    assert "2 trainings, SD 0.000; +" in done.stdout
    trainings = pl.read_csv(tmp_path / "trainings.csv")
    assert trainings["method"].to_list() == ["poor", "good"] * 3
    assert trainings["trainings"].to_list() == [1, 2] * 3
    difference = json.loads((tmp_path / "comparison.json").read_text())[0]["differences"][0]
    by_key = {one["key"]: one for one in difference["figures"]}
    assert by_key["auroc"]["difference"]["value"] > 0.2
    assert by_key["auroc"]["p_permutation"] <= by_key["auroc"]["p_holm"] <= 1
    assert "Comparison" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("form", ["md", "json", "csv"])
def test_trainings_do_not_spoil_the_form(folder: Path, tmp_path: Path, form: str) -> None:
    done = ribsight(
        "compare", "--truth", folder / "truth.csv", "--marks", f"poor={folder / 'poor.csv'}",
        "--marks", f"good={folder / 'good.csv'}", "--marks", f"good={folder / 'good.csv'}",
        "--out", tmp_path, "--replicates", 100, "--permutations", 20, "--format", form,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if form == "json":
        document = json.loads(done.stdout)
        assert document["comparisons"][0]["differences"][0]["finding"] == "rib"
        assert [one["trainings"] for one in document["trainings"]] == [1, 2] * 3
    elif form == "csv":
        assert pl.read_csv(done.stdout.encode()).columns[-1] == "protocol"
    else:
        assert "| good | 2 | " in done.stdout
    assert "report -> " in done.stderr


def test_mistakes_are_one_sentence(folder: Path, tmp_path: Path) -> None:
    base = ["--truth", folder / "truth.csv", "--out", tmp_path]
    good = ["--marks", folder / "good.csv"]
    assert "no protocol 'luna'" in fails("score", *base, *good, "--protocol", "luna")
    assert "is no aim" in fails("score", *base, *good, "--choose", "high")
    assert "no column 'vendr'" in fails("score", *base, *good, "--strata", "vendr")
    assert "cannot read" in fails("score", *base, "--marks", tmp_path / "none.csv")
    assert "no finding 'ribs'" in fails("score", *base, *good, "--finding", "ribs")
    assert "needs boxes" in fails("score", *base, *good, "--protocol", "ribfrac")
    assert "write it as COLUMN=VALUE" in fails("score", *base, *good, "--ignore", "old")
    assert "two detectors or more" in fails("compare", *base, *good)
    assert "has no picture of" in fails("score", *base, *good, "--pictures", tmp_path)
    strange = tmp_path / "strange.csv"
    strange.write_text("image,finding,x,y,score\ni99,rib,1,1,0.5\n")
    assert "strange.csv, row 2: image 'i99' is not in the truth" in fails(
        "score", *base, "--marks", strange
    )


def test_a_finding_that_no_mark_has_is_named_with_those_that_are_there(
    folder: Path, tmp_path: Path
) -> None:
    text = (folder / "good.csv").read_text()
    both, ribs = tmp_path / "both.csv", tmp_path / "ribs.csv"
    both.write_text(text + "i00,clavicle,1,1,0.5\n")
    ribs.write_text(text.replace(",rib,", ",ribs,"))
    truth = ["--truth", folder / "truth.csv", "--out", tmp_path / "out", "--replicates", 100]
    assert fails("score", *truth, "--marks", both, "--finding", "rib=clavicl") == (
        "ribsight: --finding rib=clavicl: no mark is of 'clavicl' (did you mean 'clavicle'?); "
        "there are rib, clavicle (--finding TRUTH=MARKS joins two names)"
    )
    said = fails("score", *truth, "--marks", ribs, "--finding", "rib=rbs")
    assert f"{ribs}: no mark is of 'rbs' (did you mean 'ribs'?); there are ribs" in said
    said = fails("score", *truth, "--marks", ribs, "--finding", "rib")
    assert f"{ribs}: no mark is of 'rib' (did you mean 'ribs'?)" in said
    pair = ["--marks", both, "--marks", folder / "poor.csv"]
    assert "no mark is of 'ribs'" in fails("compare", *truth, *pair, "--finding", "rib=ribs")
    # A finding that was not asked for is left aside; one file of two may use the other name.
    pair = ["--marks", both, "--marks", ribs, "--permutations", 0]
    done = ribsight("compare", *truth, *pair, "--finding", "rib=ribs", "--format", "json")
    assert done.returncode == 0, done.stderr
    (difference,) = json.loads((tmp_path / "out" / "comparison.json").read_text())[0]["differences"]
    assert (difference["finding"], difference["auroc"]["value"]) == ("rib", 0)
    empty = tmp_path / "empty.csv"
    empty.write_text("image,finding,x,y,score\n")
    done = ribsight("score", *truth, "--marks", empty, "--finding", "rib=ribs")
    assert done.returncode == 0, done.stderr


def test_coco_results_of_a_finding_that_is_not_scored_are_left_aside(tmp_path: Path) -> None:
    box = {"image_id": 1, "bbox": [1, 1, 8, 8]}
    truth = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 20, "height": 20} for n in (1, 2)],
        "annotations": [{**box, "id": one, "category_id": one} for one in (1, 2)],
        "categories": [{"id": 1, "name": "rib"}, {"id": 2, "name": "clavicle"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    results = [{**box, "category_id": one, "score": 0.5} for one in (1, 2, 2)]
    (tmp_path / "marks.json").write_text(json.dumps(results))
    asked = ["--truth", tmp_path / "truth.json", "--marks", tmp_path / "marks.json",
             "--out", tmp_path / "out", "--replicates", 100, "--finding"]  # fmt: skip
    done = ribsight("score", *asked, "rib")
    assert done.returncode == 0, done.stderr
    assert "rib: 2 images of 2 groups, 1 positive, 1 regions, 1 marks" in done.stdout
    assert "clavicle" not in done.stdout
    assert "no mark is of 'ribs' (did you mean 'rib'?)" in fails("score", *asked, "rib=ribs")
