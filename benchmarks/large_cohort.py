"""A cohort larger than memory: what a million radiographs cost before and during training.

    python benchmarks/large_cohort.py [--rows 1000000] [--size 256] [--batches 3000]

Tables are real, pixels are sparse files of zeros (65 GB at 256 x 256, of which the disk holds
nothing): read through the same memory map as real ones. Each size runs in a process of its own.

"own" is memory that only this process can give back; "of files" are pages of the pixel files, which
the kernel keeps while there is room and drops when there is not.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from made_cohort import made_cohort

_SHARD = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batches", type=int, default=3000)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure(asked.measure, asked.size, asked.batches)
        return
    print("      rows   pixels  loaded  prepared  batch of 12  batches     read      own  of files")
    for rows in (asked.rows // 100, asked.rows):
        command = [sys.executable, __file__, "--measure", str(rows), "--size", str(asked.size)]
        command += ["--batches", str(asked.batches)]
        subprocess.run(command, check=True)


def measure(rows: int, size: int, batches: int) -> None:
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
        save_cohort(made_cohort(rows, size, folder), folder / "cohort")
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
        done, spent = 1, 0.0
        for until in (batches // 10, batches):
            start = time.perf_counter()
            for step in range(done, until):
                steps[step]
            spent = (time.perf_counter() - start) / (until - done)
            done = until
            memory = _resident_mib()
            print(
                f"{rows:10} {rows * size**2 / 1e9:5.1f} GB {loaded:5.1f} s {prepared:7.1f} s "
                f"{1000 * spent:8.1f} ms {until:8} {12 * until * size**2 / 2**20:5.0f} MiB "
                f"{memory['RssAnon']:4.0f} MiB {memory['RssFile']:5.0f} MiB",
                flush=True,
            )


def _sparse(folder: Path, shard: int, size: int) -> Path:
    """Write an array of zeros that takes no room."""
    import numpy as np

    path = folder / f"pixels-{shard}.npy"
    header = {"descr": "|u1", "fortran_order": False, "shape": (_SHARD, size, size)}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + _SHARD * size * size)
    return path


def _resident_mib() -> dict[str, float]:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    pairs = (line.split(":") for line in lines if line.startswith(("RssAnon", "RssFile")))
    return {name: int(value.split()[0]) / 1024 for name, value in pairs}


if __name__ == "__main__":
    main()
