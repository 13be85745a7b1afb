"""A cohort larger than memory: what a million radiographs cost before and during training.

    python benchmarks/large_cohort.py [--rows 1000000] [--size 256]

Tables are real, pixels are sparse files of zeros (65 GB at 256 x 256, of which the disk holds
nothing): read through the same memory map as real ones. Each size runs in a process of its own.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SHARD = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure, asked.size)
        return
    print("      rows  cohort loaded  training data  batch of 12 images  resident memory")
    for rows in (asked.rows // 100, asked.rows):
        command = [sys.executable, __file__, "--measure", str(rows), "--size", str(asked.size)]
        subprocess.run(command, check=True)


def measure(rows: int, size: int) -> None:
    """Print what `rows` radiographs cost."""
    import numpy as np

    from ribsight.cohort.cache import PixelCache
    from ribsight.cohort.tables import load_cohort, save_cohort
    from ribsight.distillation.batches import StepDataset
    from ribsight.distillation.recipe import AugmentationSettings, BatchSettings
    from ribsight.distillation.sampling import pools_of
    from ribsight.distillation.training_data import training_data

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_cohort(_cohort(rows, size, folder), folder / "cohort")
        start = time.perf_counter()
        cohort = load_cohort(folder / "cohort")
        loaded = time.perf_counter() - start
        number = np.arange(rows)
        cache = PixelCache(
            shards=tuple(_sparse(folder, shard, size) for shard in range(-(-rows // _SHARD))),
            shard=(number // _SHARD).astype(np.int32),
            row=number % _SHARD,
            affines=np.tile([1.0, 1.0, 0.0, 0.0], (rows, 1)),
        )
        start = time.perf_counter()
        data = training_data(cohort, cache, pools_of(cohort.supervision()))
        prepared = time.perf_counter() - start
        batch = BatchSettings(regions=4, positives=4, negatives=4)
        steps = StepDataset(data, batch, AugmentationSettings(), seed=0, stage=2)
        steps[0]
        start = time.perf_counter()
        for step in range(1, 41):
            steps[step]
        took = (time.perf_counter() - start) / 40
    print(
        f"{rows:10}  {loaded:11.2f} s  {prepared:11.2f} s  {1000 * took:15.1f} ms  "
        f"{_resident_mib():11.0f} MiB",
        flush=True,
    )


def _cohort(rows: int, size: int, folder: Path) -> "Cohort":  # noqa: F821
    import polars as pl

    from ribsight.cohort.tables import DIAGNOSES, RADIOGRAPHS, REGIONS, Cohort

    number = pl.int_range(rows, eager=True)
    names = pl.Series([f"r{one:07d}" for one in range(rows)])
    fixed = {
        "file": names + ".png",
        "radiograph": names,
        "patient": names,
        "group": names,
        "split": pl.Series(["train"]).new_from_index(0, rows),
        "width": pl.Series([size]).new_from_index(0, rows),
        "height": pl.Series([size]).new_from_index(0, rows),
        "bits": pl.Series([8]).new_from_index(0, rows),
        "sha256": names,
        "pixels_sha256": names,
        "warnings": pl.Series([""]).new_from_index(0, rows),
    }
    radiographs = pl.DataFrame({name: fixed[name] for name in RADIOGRAPHS}).cast(RADIOGRAPHS)
    positive = number % 10 == 0
    diagnoses = pl.DataFrame(
        {
            "radiograph": names,
            "finding": pl.Series(["fracture"]).new_from_index(0, rows),
            "state": pl.select(
                pl.when(positive).then(pl.lit("positive")).otherwise(pl.lit("negative"))
            ).to_series(),
            "acuity": pl.Series(["unknown"]).new_from_index(0, rows),
            "side": pl.Series(["unknown"]).new_from_index(0, rows),
            "evidence": pl.Series(["made"]).new_from_index(0, rows),
        },
        schema=DIAGNOSES,
    )
    drawn = names.filter(positive)[:50]
    box = [[60.0, 60.0, 90.0, 60.0, 90.0, 90.0, 60.0, 90.0]]
    regions = pl.DataFrame(
        {
            "radiograph": drawn,
            "finding": ["fracture"] * len(drawn),
            "reader": [""] * len(drawn),
            "is_box": [True] * len(drawn),
            "polygons": [box] * len(drawn),
            "revealed": [True] * len(drawn),
            "source": ["made"] * len(drawn),
        },
        schema=REGIONS,
    )
    return Cohort(folder, ("fracture",), radiographs, diagnoses, regions)


def _sparse(folder: Path, shard: int, size: int) -> Path:
    """Write an array of zeros that takes no room."""
    import numpy as np

    path = folder / f"pixels-{shard}.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (_SHARD, size, size)}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + _SHARD * size * size)
    return path


def _resident_mib() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS in /proc/self/status")


if __name__ == "__main__":
    main()
