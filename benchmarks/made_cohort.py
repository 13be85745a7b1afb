"""A cohort made on the spot for benchmarks: tables of any length, and pictures if asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ribsight.cohort.tables import Cohort

_BOX = [[60.0, 60.0, 90.0, 60.0, 90.0, 90.0, 60.0, 90.0]]


def made_cohort(
    rows: int, size: int, images: Path, *, every: int = 10, drawn: int = 50, held: int = 0
) -> "Cohort":
    """Return `rows` radiographs of (size, size), the last `held` of them for validation.

    One in `every` is positive; the first `drawn` of these are drawn, and all for validation.
    """
    import polars as pl

    from ribsight.cohort.tables import DIAGNOSES, RADIOGRAPHS, REGIONS, Cohort

    number = pl.int_range(rows, eager=True)
    names = pl.Series([f"r{one:07d}" for one in range(rows)])

    def same(value: object) -> pl.Series:
        return pl.Series([value]).new_from_index(0, rows)

    columns = {
        "file": names + ".png",
        "radiograph": names,
        "patient": names,
        "group": names,
        "split": pl.Series(["train"] * (rows - held) + ["val"] * held),
        "width": same(size),
        "height": same(size),
        "bits": same(8),
        "sha256": names,
        "pixels_sha256": names,
        "warnings": same(""),
    }
    radiographs = pl.DataFrame({name: columns[name] for name in RADIOGRAPHS}).cast(RADIOGRAPHS)
    positive = number % every == 0
    state = pl.when(positive).then(pl.lit("positive")).otherwise(pl.lit("negative"))
    diagnoses = pl.DataFrame(
        {
            "radiograph": names,
            "finding": same("fracture"),
            "state": pl.select(state).to_series(),
            "acuity": same("unknown"),
            "side": same("unknown"),
            "evidence": same("made"),
        },
        schema=DIAGNOSES,
    )
    has_drawing = (positive & (number >= rows - held)) | (positive & (number < drawn * every))
    shown = names.filter(has_drawing)
    regions = pl.DataFrame(
        {
            "radiograph": shown,
            "finding": ["fracture"] * len(shown),
            "reader": [""] * len(shown),
            "is_box": [True] * len(shown),
            "polygons": [_BOX] * len(shown),
            "revealed": [True] * len(shown),
            "source": ["made"] * len(shown),
        },
        schema=REGIONS,
    )
    return Cohort(images, ("fracture",), radiographs, diagnoses, regions)


def made_pictures(cohort: "Cohort") -> "Cohort":
    """Write a smooth noisy 8-bit PNG for every radiograph; return the cohort with their hashes."""
    from dataclasses import replace

    import cv2
    import numpy as np
    import polars as pl
    from PIL import Image

    from ribsight.files import file_sha256
    from ribsight.radiographs import pixels_sha256, read_radiograph

    files, pixels = [], []
    for index, (file, size) in enumerate(cohort.radiographs.select("file", "width").rows()):
        random = np.random.default_rng(index)
        coarse = random.integers(30, 200, (16, 16)).astype(np.float32)
        smooth = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        noisy = smooth + random.normal(0, 2, (size, size))
        path = cohort.images / file
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
        files.append(file_sha256(path))
        pixels.append(pixels_sha256(read_radiograph(path).pixels))
    return replace(
        cohort,
        radiographs=cohort.radiographs.with_columns(
            sha256=pl.Series(files), pixels_sha256=pl.Series(pixels)
        ),
    )
