import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from ribsight.cohort.tables import load_cohort

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def ribsight(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ribsight.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def build(inputs: Any, tmp_path: Path) -> Run:
    def call(*extra: object, out: Path | None = None) -> "subprocess.CompletedProcess[str]":
        return ribsight(
            "cohort", "build", "--images", inputs.images, "--diagnoses", inputs.diagnoses,
            "--regions", inputs.regions, "--out", out or tmp_path / "cohort",
            "--finding", "fracture=fractured", "--patient-column", "patient", *extra,
        )  # fmt: skip

    return call


def assert_refused(done: "subprocess.CompletedProcess[str]", sentence: str) -> None:
    assert done.returncode == 2, done.stderr
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("ribsight: ")
    assert sentence in message
    assert "Traceback" not in done.stderr


def test_the_three_commands_in_a_row(build: Run, tmp_path: Path) -> None:
    done = build()
    assert done.returncode == 0, done.stderr
    assert "category 'fractured' of regions.json is fracture" in done.stderr
    assert done.stdout.splitlines() == [
        "finding   positive  negative  uncertain  unknown  regions",
        "fracture         6         6          0        0        6",
        f"12 radiographs -> {tmp_path / 'cohort'}",
    ]
    assert (tmp_path / "cohort" / "left_out.csv").read_text() == "file,row,reason\n"
    done = ribsight(
        "cohort", "split", tmp_path / "cohort", "--fractions", "0.5,0.17,0.33", "--reveal", 1
    )
    assert done.stdout.splitlines() == [
        "split  images  groups  fracture  with regions  revealed",
        "train       6       3         3             3         1",
        "val         2       1         1             1         1",
        "test        4       2         2             2         2",
    ]
    done = ribsight("cohort", "check", tmp_path / "cohort", "--files")
    assert (done.returncode, done.stdout) == (0, "12 radiographs: 0 errors, 0 warnings\n")


def test_check_prints_each_problem_and_exits_with_2(build: Run, inputs: Any) -> None:
    text = inputs.diagnoses.read_text()
    inputs.diagnoses.write_text(text.replace("img000.png,p0,1", "img000.png,p0,0"))
    folder = inputs.images.parent / "cohort"
    assert build().returncode == 0
    done = ribsight("cohort", "check", folder)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "error: region on a negative: regions.json, annotation 0: draws fracture on img000, which "
        "diagnoses.csv, row 2, column fractured calls negative; correct one of them, or build "
        "with `--drawn-negative positive` or `--drawn-negative leave-out`",
        "12 radiographs: 1 error, 0 warnings",
    ]
    assert build("--force", "--drawn-negative", "positive").returncode == 0
    assert ribsight("cohort", "check", folder).returncode == 0


def test_columns_can_come_from_a_toml_file(inputs: Any, tmp_path: Path) -> None:
    columns = tmp_path / "columns.toml"
    columns.write_text(
        'image = "image"\ngroup = "patient"\n[findings]\nfracture = "fractured"\n'
        '[categories]\nfractured = "fracture"\n'
    )
    arguments = (
        "cohort", "build", "--images", inputs.images, "--diagnoses", inputs.diagnoses,
        "--regions", inputs.regions, "--out", tmp_path / "cohort", "--columns", columns,
    )  # fmt: skip
    done = ribsight(*arguments)
    assert done.returncode == 0, done.stderr
    assert load_cohort(tmp_path / "cohort").radiographs["group"][:2].to_list() == ["p0", "p0"]
    columns.write_text('imgae = "image"\n')
    assert_refused(ribsight(*arguments, "--force"), "did you mean 'image'?")
    done = ribsight(*arguments, "--finding", "fracture=fractured")
    assert done.returncode == 2
    assert "give one or the other" in done.stderr


def test_an_empty_folder_is_refused(inputs: Any, build: Run) -> None:
    for path in inputs.images.iterdir():
        path.unlink()
    assert_refused(build(), "holds no PNG, JPEG or TIFF image")


def test_a_table_without_the_named_column_is_refused(build: Run) -> None:
    assert_refused(
        build("--group-column", "fracturd"),
        "has no column 'fracturd' (did you mean 'fractured'?); its columns are: image, patient, "
        "fractured",
    )


def test_a_region_file_for_other_images_is_refused(inputs: Any, build: Run) -> None:
    inputs.regions.write_text(inputs.regions.read_text().replace("img", "other"))
    assert_refused(build(), "is about other images: none of the 6 images with a region")


def test_corrupt_and_1_x_1_images_are_left_out_and_counted(inputs: Any, build: Run) -> None:
    (inputs.images / "img001.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    Image.new("L", (1, 1)).save(inputs.images / "img003.png")
    done = build()
    assert done.returncode == 0
    assert "left out: 2 items" in done.stderr
    lines = (inputs.images.parent / "cohort" / "left_out.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["file", "img001.png", "img003.png"]
    assert "12 radiographs" not in done.stdout


def test_a_folder_of_only_corrupt_images_is_refused(inputs: Any, build: Run) -> None:
    for path in inputs.images.iterdir():
        path.write_bytes(b"rubbish")
    assert_refused(build(), "none of the 12 images can be used")


def test_a_16_bit_png_is_joined(inputs: Any, build: Run) -> None:
    pixels = np.arange(40 * 48, dtype=np.uint16).reshape(40, 48) * 30
    Image.fromarray(pixels).save(inputs.images / "img001.png")
    assert build().returncode == 0
    table = pl.read_parquet(inputs.images.parent / "cohort" / "radiographs.parquet")
    assert table["bits"].to_list()[:3] == [8, 16, 8]


def test_an_output_that_cannot_be_written_is_refused(build: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_refused(build(out=tmp_path / "file" / "cohort"), "cannot write to")


def test_a_full_disk_is_one_sentence_and_leaves_no_cohort(build: Run, full_disk: Path) -> None:
    done = build(out=full_disk / "cohort")
    assert_refused(done, "No space left on device")
    assert list((full_disk / "cohort").iterdir()) == []
    assert_refused(ribsight("cohort", "check", full_disk / "cohort"), "is not a cohort")


def test_what_is_at_the_output_already_is_not_overwritten(build: Run, tmp_path: Path) -> None:
    assert build().returncode == 0
    assert_refused(build(), "is a cohort already")
    assert build("--force").returncode == 0
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious.txt").touch()
    assert_refused(build("--force", out=tmp_path / "other"), "is not empty and no cohort")


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (("--group", "25"), "--group 25 is not blocks:N"),
        (("--group", "blocks:5", "--group-column", "patient"), "either a group column or"),
        (("--finding", "plate"), "--finding plate is not of the form A=B"),
        (("--finding", "fracture=image"), "--finding gives fracture twice"),
        (("--category", "fractured=fractur"), "(did you mean 'fracture'?)"),
        (("--finding", "plate=patient"), "say what the categories of"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    build: Run, extra: tuple[str, ...], sentence: str
) -> None:
    assert_refused(build(*extra), sentence)


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (("--fractions", "0.5,0.5"), "is not three numbers"),
        (("--fractions", "0.5,0.5,0.5"), "add to 1.5"),
        (("--group", "blocks:0"), "no column 'blocks:0'"),
        (("--reveal", "-1"), "-1 radiographs"),
    ],
)
def test_a_split_that_cannot_be_is_refused_and_changes_nothing(
    build: Run, tmp_path: Path, extra: tuple[str, ...], sentence: str
) -> None:
    assert build().returncode == 0
    before = load_cohort(tmp_path / "cohort").fingerprint()
    assert_refused(ribsight("cohort", "split", tmp_path / "cohort", *extra), sentence)
    assert load_cohort(tmp_path / "cohort").fingerprint() == before


def test_annotations_of_unknown_categories_are_listed(inputs: Any, build: Run) -> None:
    document = json.loads(inputs.regions.read_text())
    document["categories"].append({"id": 1, "name": "plate"})
    document["annotations"][0]["category_id"] = 1
    inputs.regions.write_text(json.dumps(document))
    done = build("--category", "fractured=fracture")
    assert done.returncode == 0
    assert "annotation 0: its category 'plate' stands for no finding" in done.stderr


def test_readings_and_a_given_split(build: Run, tmp_path: Path) -> None:
    assert build().returncode == 0
    cohort = tmp_path / "cohort"
    (tmp_path / "expert.csv").write_text("image_id,fracture\nimg000,0\nelsewhere,1\n")
    done = ribsight("cohort", "readings", cohort, tmp_path / "expert.csv")
    assert done.returncode == 0
    assert "1 row about other images" in done.stdout
    rows = [f"p{k},{'test' if k > 3 else 'train'}" for k in range(6)]
    (tmp_path / "split.csv").write_text("\n".join(["patient_id,split", *rows]) + "\n")
    done = ribsight("cohort", "split", cohort, "--given", tmp_path / "split.csv", "--reveal", 1)
    assert done.returncode == 0
    loaded = load_cohort(cohort)
    assert loaded.states[loaded.ids.index("img000"), 0] == "negative"
    assert loaded.radiographs.filter(pl.col("split") == "test")[
        "patient"
    ].unique().sort().to_list() == ["p4", "p5"]
    both = ribsight("cohort", "split", cohort, "--given", "x.csv", "--group", "patient")
    assert both.returncode == 2
    assert "--given says who belongs where: leave out --group" in both.stderr
