"""The further commands and options of `ribsight cohort`, as a user types them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ribsight.cohort.tables import load_cohort


def ribsight(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ribsight.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def assert_refused(done: "subprocess.CompletedProcess[str]", sentence: str) -> None:
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def dated(inputs: Any, tmp_path: Path) -> Path:
    """Return a cohort that knows when and where a film was made; img011 is a copy of img000."""
    first = Image.open(inputs.images / "img000.png")
    smooth = first.resize((24, 20)).resize((240, 200), Image.Resampling.BICUBIC)
    smooth.save(inputs.images / "img000.png")
    smooth.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(inputs.images / "img011.png")
    lines = inputs.diagnoses.read_text().splitlines()
    years = [2015 + number // 2 for number in range(12)]
    rows = [
        f"{line},{year}0101,{'north' if year < 2020 else 'south'}"
        for line, year in zip(lines[1:], years, strict=True)
    ]
    inputs.diagnoses.write_text("\n".join([f"{lines[0]},study_date,site", *rows]) + "\n")
    done = ribsight(
        "cohort", "build", "--images", inputs.images, "--diagnoses", inputs.diagnoses, "--out",
        tmp_path / "cohort", "--finding", "fracture=fractured", "--patient-column", "patient",
        "--keep", "study_date,site", "--near-duplicates",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "near duplicates: 1 pair of radiographs show one film" in done.stderr
    return tmp_path / "cohort"


def test_split_by_time_by_site_and_a_card(dated: Path) -> None:
    done = ribsight("cohort", "split", dated, "--by-time", "2017-01-01,2019-01-01")
    # The copies tie the first patient to the last one.
    assert [line.split()[:3] for line in done.stdout.splitlines()] == [
        ["split", "images", "groups"],
        ["train", "2", "1"],
        ["val", "4", "2"],
        ["test", "6", "2"],
    ]
    done = ribsight("cohort", "split", dated, "--hold-out-site", "site=south")
    assert "2 radiographs in no split" in done.stderr
    splits = dict(load_cohort(dated).radiographs.select("radiograph", "split").rows())
    assert [splits[name] for name in ("img000", "img001", "img010", "img011")] == [
        None, None, "test", "test",
    ]  # fmt: skip
    done = ribsight("cohort", "near-duplicates", dated)
    assert done.stdout.splitlines()[1].split()[:2] == ["img000", "img011"]
    assert "mirrored left to right" in done.stdout
    done = ribsight("cohort", "card", dated, "--no-images")
    page = (dated / "card.html").read_text()
    assert done.stdout == f"12 radiographs -> {dated / 'card.html'}\n"
    assert "img000" not in page
    assert "split site" in page
    assert_refused(ribsight("cohort", "split", dated, "--hold-out-site", "site=west"), "site is: ")
    assert_refused(ribsight("cohort", "split", dated, "--gap", "9"), "belong to --by-time")


def test_a_build_says_what_does_not_go_together(inputs: Any, tmp_path: Path) -> None:
    base = ("cohort", "build", "--diagnoses", inputs.diagnoses, "--out", tmp_path / "out",
            "--finding", "fracture=fractured")  # fmt: skip
    assert_refused(ribsight(*base), "give either --images or --archive")
    assert_refused(
        ribsight(*base, "--archive", inputs.images),
        "is no archive: make one with `ribsight ingest`",
    )
    assert_refused(
        ribsight(*base, "--images", inputs.images, "--join", "patient"), "needs --within"
    )
    assert not (tmp_path / "out").exists()


def test_regions_of_another_format_are_joined(inputs: Any, tmp_path: Path) -> None:
    drawn = tmp_path / "vindr.csv"
    drawn.write_text(
        "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
        "img000,Rib fracture,0,R1,8,10,20,18\nimg000,Rib fracture,0,R2,9,11,20,18\n"
        "img001,No finding,14,R1,,,,\nimg002,Other,1,R1,1,1,5,5\nnobody,Rib fracture,0,R1,1,1,5,5\n"
    )
    done = ribsight(
        "cohort", "build", "--images", inputs.images, "--diagnoses", inputs.diagnoses, "--regions",
        drawn, "--out", tmp_path / "cohort", "--finding", "fracture=fractured",
        "--category", "Rib fracture=fracture",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    regions = load_cohort(tmp_path / "cohort").regions
    assert regions.select("radiograph", "reader", "is_box").rows() == [
        ("img000", "R1", True), ("img000", "R2", True),
    ]  # fmt: skip
    np.testing.assert_allclose(regions["polygons"][0][0][:2].to_numpy(), [8, 10])
    left_out = (tmp_path / "cohort" / "left_out.csv").read_text()
    assert "no image named nobody" in left_out
    assert "its category 'Other' stands for no finding" in left_out


def test_folds(dated: Path) -> None:
    tested = []
    for number in (1, 2, 3):
        done = ribsight("cohort", "split", dated, "--fold", f"{number}/3")
        assert done.returncode == 0, done.stderr
        tested += load_cohort(dated).select("test").ids
    assert sorted(tested) == sorted(load_cohort(dated).ids)
    assert_refused(ribsight("cohort", "split", dated, "--fold", "1-3"), "--fold 1-3 is not like")
    assert_refused(
        ribsight("cohort", "split", dated, "--fold", "1/3", "--by-time", "20170101"),
        "leave out other ways",
    )
