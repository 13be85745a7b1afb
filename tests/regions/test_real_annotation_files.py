"""Real files of five formats, against counts taken by other means."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import polars as pl
import pytest

from ribsight.regions import known_images, read_annotations, write_annotations


def counted(names: list[str]) -> dict[str, int]:
    return dict(pl.Series("name", names).value_counts().sort("name").rows())


def test_vinbigdata(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "annotation_formats" / "vinbigdata-train.csv.gz"
    rows = pl.read_csv(io.BytesIO(gzip.decompress(path.read_bytes())))
    drawn = rows.filter(pl.col("class_name") != "No finding")
    content = read_annotations(path)
    assert len(content.images) == rows["image_id"].n_unique()
    assert counted([one.finding for one in content.regions]) == counted(
        drawn["class_name"].to_list()
    )
    assert counted([one.reader for one in content.regions]) == counted(drawn["rad_id"].to_list())
    x1 = sum(one.box[2] for one in content.regions)
    assert x1 == drawn["x_max"].sum()
    write_annotations(content, "vindr", tmp_path / "out.csv")
    order = ["image_id", "class_name", "rad_id", "x_min", "y_min", "x_max", "y_max"]
    again = pl.read_csv(tmp_path / "out.csv").select(rows.columns).sort(order)
    assert again.equals(rows.sort(order))


def test_rsna(real_data: Path) -> None:
    path = real_data / "annotation_formats" / "rsna_stage_2_train_labels.csv.zip"
    with zipfile.ZipFile(path) as archive:
        rows = pl.read_csv(archive.read("stage_2_train_labels.csv"))
    content = read_annotations(path)
    assert len(content.regions) == rows["Target"].sum()
    assert len(content.images) == rows["patientId"].n_unique()
    empty = sum(not own for own in content.by_image().values())
    assert empty == rows.filter(pl.col("Target") == 0).height


def test_nih(real_data: Path) -> None:
    path = real_data / "annotation_formats" / "nih_BBox_List_2017.csv.gz"
    lines = [one.split(",") for one in gzip.decompress(path.read_bytes()).decode().splitlines()[1:]]
    content = read_annotations(path)
    assert counted([one.finding for one in content.regions]) == counted([one[1] for one in lines])
    assert len(content.images) == len({one[0] for one in lines})
    first = content.regions[0].box
    assert first[2] - first[0] == pytest.approx(float(lines[0][4]))


def test_chestx_det(real_data: Path) -> None:
    path = real_data / "annotation_formats" / "ChestX_Det_train.json"
    document = json.loads(path.read_text())
    content = read_annotations(path)
    assert len(content.images) == len(document)
    names = [name for one in document for name in one["syms"]]
    assert counted([one.finding for one in content.regions]) == counted(names)
    assert [list(one.box_to_write) for one in content.regions] == [
        box for one in document for box in one["boxes"]
    ]


def test_fracatlas_coco(fracatlas: Path) -> None:
    path = fracatlas / "annotations.coco.json"
    document = json.loads(path.read_text())
    known = known_images(fracatlas / "images") if (fracatlas / "images").is_dir() else None
    content = read_annotations(path, images=known)
    assert len(content.regions) == len(document["annotations"])
    assert set(content.images) >= {one["file_name"] for one in document["images"]} or known
