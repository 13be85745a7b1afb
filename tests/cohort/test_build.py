import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from ribsight.cohort.build import DrawnNegative, build_cohort
from ribsight.cohort.images import Truncated
from ribsight.cohort.left_out import LeftOut
from ribsight.cohort.tables import DIAGNOSES, PLACES, REGIONS, Cohort, load_cohort, save_cohort
from ribsight.errors import RibsightError
from ribsight.records import ColumnMapping

MAPPING = ColumnMapping("image", {"fracture": "fractured"}, patient="patient")
CATEGORIES = {"fractured": "fracture"}

Join = Callable[..., tuple[Cohort, list[LeftOut]]]


@pytest.fixture
def join(inputs: Any) -> Join:
    def call(mapping: ColumnMapping = MAPPING, **options: Any) -> tuple[Cohort, list[LeftOut]]:
        options.setdefault("regions", inputs.regions)
        return build_cohort(
            inputs.images,
            inputs.diagnoses,
            mapping=mapping,
            categories=CATEGORIES,
            progress=False,
            **options,
        )

    return call


def edit_regions(path: Path, **changes: object) -> None:
    document = json.loads(path.read_text())
    document["images"][0].update(changes)
    path.write_text(json.dumps(document))


def test_images_rows_and_regions_are_joined(join: Join) -> None:
    cohort, left_out = join()
    assert left_out == []
    assert cohort.ids == [f"img{number:03d}" for number in range(12)]
    assert cohort.states[:, 0].tolist() == ["positive", "negative"] * 6
    assert [len(one) for one in cohort.drawn(revealed_only=True)] == [1, 0] * 6
    assert cohort.drawn(revealed_only=True)[2][0].box == (8, 10, 20, 18)
    first = cohort.radiographs.row(0, named=True)
    assert (first["width"], first["height"], first["bits"]) == (48, 40, 8)
    assert (first["patient"], first["group"], first["split"]) == ("p0", "p0", None)
    assert cohort.diagnoses["evidence"][0] == "diagnoses.csv, row 2, column fractured"
    assert cohort.diagnoses.schema == {**DIAGNOSES, **PLACES}
    assert cohort.regions.schema == REGIONS


def test_a_cohort_reads_back_as_it_was_written(join: Join, tmp_path: Path) -> None:
    cohort, _ = join()
    save_cohort(cohort, tmp_path / "cohort")
    again = load_cohort(tmp_path / "cohort")
    assert again.fingerprint() == cohort.fingerprint()
    assert again.radiographs.equals(cohort.radiographs)
    assert again.regions.equals(cohort.regions)


def test_the_result_is_the_same_with_two_processes(join: Join) -> None:
    assert join(processes=2)[0].radiographs.equals(join()[0].radiographs)


def test_images_in_folders_and_names_without_ending_are_found(join: Join, inputs: Any) -> None:
    (inputs.images / "Fractured").mkdir()
    for path in list(inputs.images.glob("*.png"))[:6]:
        path.rename(inputs.images / "Fractured" / path.name)
    inputs.diagnoses.write_text(inputs.diagnoses.read_text().replace(".png", ""))
    cohort, left_out = join()
    assert left_out == []
    assert cohort.states[:, 0].tolist() == ["positive", "negative"] * 6
    assert sum(file.startswith("Fractured/") for file in cohort.radiographs["file"]) == 6


def test_kept_columns_follow_the_schema(join: Join, inputs: Any) -> None:
    mapping = ColumnMapping("image", {"fracture": "fractured"}, keep=("fractured",))
    cohort, _ = join(mapping)
    assert cohort.radiographs["fractured"].to_list() == ["1", "0"] * 6


@pytest.mark.parametrize(
    ("mapping", "blocks", "groups"),
    [
        (MAPPING, None, ["p0", "p0", "p1", "p1", "p2"]),
        (ColumnMapping("image", {"fracture": "fractured"}, group="patient"), None, ["p0", "p0"]),
        (ColumnMapping("image", {"fracture": "fractured"}), 4, ["block 0"] * 4 + ["block 1"]),
        (ColumnMapping("image", {"fracture": "fractured"}), None, ["image img000"]),
    ],
)
def test_groups_are_patients_else_a_column_else_blocks_else_images(
    join: Join, mapping: ColumnMapping, blocks: int | None, groups: list[str]
) -> None:
    cohort, _ = join(mapping, blocks=blocks)
    assert cohort.radiographs["group"].to_list()[: len(groups)] == groups


def test_an_image_without_a_row_is_unknown(join: Join, inputs: Any) -> None:
    lines = inputs.diagnoses.read_text().splitlines()
    inputs.diagnoses.write_text("\n".join(lines[:-1]) + "\n")
    cohort, left_out = join()
    assert left_out == []
    assert cohort.states[-1, 0] == "unknown"
    assert cohort.diagnoses["evidence"][-1] == "not in diagnoses.csv"


def test_a_region_makes_an_unknown_diagnosis_positive(join: Join, inputs: Any) -> None:
    inputs.diagnoses.write_text(
        inputs.diagnoses.read_text().replace("img000.png,p0,1", "img000.png,p0,")
    )
    cohort, _ = join()
    assert cohort.states[0, 0] == "positive"
    assert cohort.diagnoses["evidence"][0].startswith("regions.json, annotation 0")


def test_what_cannot_be_joined_is_listed(join: Join, inputs: Any) -> None:
    (inputs.images / "img002.png").write_bytes(b"not an image")
    (inputs.images / "img004.png").unlink()
    Image.new("L", (1, 1)).save(inputs.images / "dot.png")
    cohort, left_out = join()
    assert len(cohort.ids) == 10
    assert [(one.file, one.row) for one in left_out] == [
        ("dot.png", ""),
        ("img002.png", ""),
        ("diagnoses.csv", "6"),
        ("regions.json", "annotation 1"),
        ("regions.json", "annotation 2"),
    ]
    assert "1 x 1 pixels" in left_out[0].reason
    assert left_out[2].reason == "no image named img004.png"
    assert left_out[3].reason == "the image img002.png was left out"


def test_a_rejected_annotation_is_listed(join: Join, inputs: Any) -> None:
    document = json.loads(inputs.regions.read_text())
    document["annotations"][0]["bbox"] = [1, 1, 0, 0]
    inputs.regions.write_text(json.dumps(document))
    cohort, left_out = join()
    assert left_out == [
        LeftOut(
            "regions.json",
            "annotation 0",
            "regions.json, annotation 0: its box is 0 x 0 pixels",
        )
    ]
    assert len(cohort.regions) == 5


def test_a_region_that_is_there_twice_is_taken_once(join: Join, inputs: Any) -> None:
    document = json.loads(inputs.regions.read_text())
    first = document["annotations"][0]
    document["annotations"] += [{**first, "id": 77}, {**first, "id": 78, "reader": "B"}]
    inputs.regions.write_text(json.dumps(document))
    cohort, left_out = join()
    reason = "the same region as annotation 0"
    assert left_out == [LeftOut("regions.json", "annotation 77", reason)]
    assert [one.reader for one in cohort.drawn(revealed_only=True)[0]] == ["", "B"]


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [(40, 48, "width and height are swapped"), (96, 80, "but the image has 48 x 40")],
)
def test_regions_drawn_at_another_size_are_left_out(
    join: Join, inputs: Any, width: int, height: int, reason: str
) -> None:
    edit_regions(inputs.regions, width=width, height=height)
    cohort, (only,) = join()
    assert (only.file, only.row) == ("regions.json", "annotation 0")
    assert reason in only.reason
    assert "img000" not in cohort.regions["radiograph"]


@pytest.mark.parametrize(
    ("choice", "ids", "state", "listed"),
    [
        (DrawnNegative.REFUSE, 12, "negative", 0),
        (DrawnNegative.POSITIVE, 12, "positive", 0),
        (DrawnNegative.LEAVE_OUT, 11, "negative", 1),
    ],
)
def test_a_region_on_a_negative_is_treated_as_told(
    join: Join, inputs: Any, choice: DrawnNegative, ids: int, state: str, listed: int
) -> None:
    edited = inputs.diagnoses.read_text().replace("img000.png,p0,1", "img000.png,p0,0")
    inputs.diagnoses.write_text(edited)
    cohort, left_out = join(drawn_negative=choice)
    assert (len(cohort.ids), cohort.states[0, 0], len(left_out)) == (ids, state, listed)


@pytest.mark.parametrize(("choice", "ids"), [("refuse", 12), ("use", 12), ("leave-out", 11)])
def test_a_truncated_image_is_treated_as_told(
    join: Join, inputs: Any, choice: str, ids: int
) -> None:
    (inputs.images / "img001.png").unlink()
    path = inputs.images / "img001.jpg"
    noise = np.random.default_rng(1).integers(0, 256, (40, 48), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    cohort, left_out = join(truncated=Truncated(choice))
    assert len(cohort.ids) == ids
    warnings = [*cohort.radiographs["warnings"], *(one.reason for one in left_out)]
    assert sum(one.startswith("truncated file: last ") for one in warnings) == 1


def test_two_images_of_one_name_are_refused(join: Join, inputs: Any) -> None:
    (inputs.images / "more").mkdir()
    shutil.copy(inputs.images / "img000.png", inputs.images / "more")
    with pytest.raises(RibsightError, match=r"two images are named 'img000': .*img000.*img000"):
        join()


def test_two_rows_about_one_image_are_refused(join: Join, inputs: Any) -> None:
    inputs.diagnoses.write_text(inputs.diagnoses.read_text() + "img000,p0,1\n")
    with pytest.raises(RibsightError, match="rows 2 and 14 are both about"):
        join()


def test_a_table_about_other_images_is_refused(join: Join, inputs: Any) -> None:
    inputs.diagnoses.write_text(inputs.diagnoses.read_text().replace("img", "other"))
    with pytest.raises(RibsightError, match=r"about other images: none of its 12 rows"):
        join()


def test_a_kept_column_named_like_one_of_the_cohort_is_refused(join: Join) -> None:
    with pytest.raises(RibsightError, match="column 'patient' cannot be kept"):
        join(ColumnMapping("image", {"fracture": "fractured"}, keep=("patient",)))


def test_blocks_need_ids_with_numbers(join: Join, inputs: Any) -> None:
    (inputs.images / "img000.png").rename(inputs.images / "first.png")
    with pytest.raises(RibsightError, match="'first' does not"):
        join(ColumnMapping("image", {"fracture": "fractured"}), blocks=5)


def test_fracatlas_joins_whole(fracatlas: Path, tmp_path: Path) -> None:
    # A slice of the folder, as links: reading all of it takes seconds.
    images = tmp_path / "images"
    images.mkdir()
    for path in sorted((fracatlas / "images").iterdir())[2300:2400]:
        (images / path.name).symlink_to(path)
    cohort, left_out = build_cohort(
        images,
        fracatlas / "dataset.csv",
        fracatlas / "annotations.coco.json",
        ColumnMapping("image_id", {"fracture": "fractured"}),
        categories=CATEGORIES,
        blocks=25,
        progress=False,
    )
    assert len(cohort.ids) == 100
    named = {one.reason.removeprefix("no image named ") for one in left_out}
    assert not {Path(file).name for file in cohort.radiographs["file"]} & named
    drawn = cohort.regions["radiograph"].unique().to_list()
    states = dict(zip(cohort.ids, cohort.states[:, 0].tolist(), strict=True))
    assert {one for one in drawn if states[one] != "positive"} <= {"IMG0003298"}
    assert cohort.radiographs.filter(pl.col("warnings") != "").is_empty()


def test_a_cell_that_names_no_rib_is_an_error_with_its_radiograph(
    join: Join, tmp_path: Path
) -> None:
    save_cohort(join()[0], tmp_path / "cohort")
    file = tmp_path / "cohort" / "diagnoses.parquet"
    table = pl.read_parquet(file)
    ribs = table["ribs"].to_list()
    ribs[2], ribs[5], ribs[6] = "left 4; 7", "left IV", "left 14"
    table.with_columns(ribs=pl.Series(ribs)).write_parquet(file)
    with pytest.raises(RibsightError) as caught:
        load_cohort(tmp_path / "cohort")
    assert str(caught.value) == (
        f"{file}, radiograph img005, fracture (row 5, the first is row 0), column 'ribs': "
        "'left iv' names no rib: write it like 'left 4' or '4'"
    )
    table.with_columns(ribs=pl.lit(4)).write_parquet(file)
    with pytest.raises(RibsightError, match=r"column 'ribs' is of type Int32, not text"):
        load_cohort(tmp_path / "cohort")
    table.with_columns(ribs=pl.lit(None)).write_parquet(file)
    assert load_cohort(tmp_path / "cohort").named_places.is_empty()
