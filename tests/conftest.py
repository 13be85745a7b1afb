"""Fixtures that several rooms share: small inputs made on the spot, and the real data if there."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import settings
from PIL import Image

from ribsight.cohort.build import build_cohort
from ribsight.cohort.tables import DIAGNOSES, RADIOGRAPHS, REGIONS, Cohort, save_cohort
from ribsight.files import file_sha256
from ribsight.radiographs import pixels_sha256, read_radiograph
from ribsight.records import ColumnMapping

DATA = "RIBSIGHT_DATA"
_TRAINABLE_SIDE = 64

# A slow or busy machine is no failure.
settings.register_profile("ribsight", deadline=None)
settings.load_profile("ribsight")


@dataclass(frozen=True)
class Inputs:
    """What a user has: a folder of images, a CSV and a COCO file about them."""

    images: Path
    diagnoses: Path
    regions: Path

    def build(self) -> Cohort:
        """Join them, with patients."""
        mapping = ColumnMapping("image", {"fracture": "fractured"}, patient="patient")
        cohort, _ = build_cohort(
            self.images,
            self.diagnoses,
            self.regions,
            mapping,
            categories={"fractured": "fracture"},
            progress=False,
        )
        return cohort


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Twelve noise images of 48 x 40 pixels of six patients; every other image has a region."""
    images = tmp_path / "images"
    images.mkdir()
    names = [f"img{number:03d}.png" for number in range(12)]
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 48), dtype=np.uint8)
        Image.fromarray(pixels).save(images / name)
    diagnoses = tmp_path / "diagnoses.csv"
    rows = [f"{name},p{number // 2},{1 - number % 2}" for number, name in enumerate(names)]
    diagnoses.write_text("\n".join(["image,patient,fractured", *rows]) + "\n")
    regions = write_coco(tmp_path / "regions.json", names[::2])
    return Inputs(images, diagnoses, regions)


@pytest.fixture
def small_cohort(inputs: Inputs) -> Cohort:
    """The twelve images of `inputs`, joined and not yet split."""
    return inputs.build()


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a file system of 4 KiB, or skip where none can be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def fracatlas() -> Path:
    """The folder of the FracAtlas radiographs, or a skip."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get(DATA, beside)) / "fracatlas"
    if not (folder / "dataset.csv").is_file():
        pytest.skip(f"no FracAtlas at {folder}; set {DATA} to the folder that holds fracatlas/")
    return folder


def write_coco(path: Path, names: Sequence[str]) -> Path:
    """Write a COCO file with the box x 8..20, y 10..18 on each image of 48 x 40 pixels."""
    document = {
        "images": [
            {"id": number, "file_name": name, "width": 48, "height": 40}
            for number, name in enumerate(names)
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 0, "bbox": [8, 10, 12, 8]}
            for number in range(len(names))
        ],
        "categories": [{"id": 0, "name": "fractured"}],
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="session")
def trainable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cohort folder: 24 train and 12 val images; every third of train has a region,
    every third is record-positive without one, every third is negative.
    """
    folder = tmp_path_factory.mktemp("trainable")
    images = folder / "images"
    images.mkdir()
    radiographs, diagnoses, regions = [], [], []
    for number in range(36):
        name, split = f"img{number:02d}", "train" if number < 24 else "val"
        is_positive = number % 3 < 2
        path = images / f"{name}.png"
        x, y = _write_image(path, number, is_positive=is_positive)
        radiographs.append(_radiograph_row(name, path, split))
        state = "positive" if is_positive else "negative"
        diagnoses.append((name, "fracture", state, "unknown", "unknown", "made"))
        if is_positive:
            box = [x, y, x + 12.0, y, x + 12.0, y + 6.0, x, y + 6.0]
            revealed = split == "val" or number % 3 == 0
            regions.append((name, "fracture", "", True, [box], revealed, "made"))
    cohort = Cohort(
        images=images,
        findings=("fracture",),
        radiographs=pl.DataFrame(radiographs, schema=RADIOGRAPHS, orient="row"),
        diagnoses=pl.DataFrame(diagnoses, schema=DIAGNOSES, orient="row"),
        regions=pl.DataFrame(regions, schema=REGIONS, orient="row"),
    )
    save_cohort(cohort, folder / "cohort")
    return folder / "cohort"


def _write_image(path: Path, number: int, *, is_positive: bool) -> tuple[float, float]:
    random = np.random.default_rng(number)
    pixels = random.integers(40, 120, (_TRAINABLE_SIDE, _TRAINABLE_SIDE), dtype=np.uint8)
    x, y = random.integers(4, 44, 2)
    if is_positive:
        pixels[y : y + 6, x : x + 12] = 250
    Image.fromarray(pixels).save(path)
    return float(x), float(y)


def _radiograph_row(name: str, path: Path, split: str) -> tuple[object, ...]:
    pixels = pixels_sha256(read_radiograph(path).pixels)
    return (
        name,
        path.name,
        name,
        name,
        split,
        _TRAINABLE_SIDE,
        _TRAINABLE_SIDE,
        8,
        file_sha256(path),
        pixels,
        "",
    )
