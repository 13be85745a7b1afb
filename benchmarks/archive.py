"""How fast `ribsight ingest` indexes, beside decoding the same files, which no reader can avoid.

    python benchmarks/archive.py WORK [--files 65845] [--side 64] [--processes 2] [--hash content]
    python benchmarks/archive.py WORK --files 200 --side 2048
    python benchmarks/archive.py WORK --rows 1000000

WORK is an empty folder with room for the files. They are radiographs of `ribsight simulate` with
their own headers, identifiers and noise. Decoding is timed on a sample, one process, in the same
run, times the number of processes: what it would take if it were the only work.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pydicom

from ribsight.archive.merge import merge
from ribsight.archive.sighting import sightings
from ribsight.radiographs import read_radiograph

SAMPLE = 300
FOLDER = 500
PLACE = 30
MB = 1e6


@dataclass(frozen=True)
class Run:
    """Seconds of wall time and of all processors, and the bytes of the largest process."""

    seconds: float
    cpu: float
    memory: float = 0.0


def make_files(work: Path, count: int, side: int) -> Path:
    """Write `count` radiographs of `side` x `side` pixels, `FOLDER` of them in a folder."""
    registry = work / "registry"
    simulate = ["simulate", str(registry), "--patients", "20", "--seed", "5", "--size", "256"]
    subprocess.run([sys.executable, "-m", "ribsight.cli.main", *simulate], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    templates = [template(path, side) for path in sorted((registry / "images").glob("*.dcm"))]
    files = work / "files"
    for number in range(count):
        content = templates[number % len(templates)].replace(
            b"7" * PLACE, b"%0*d" % (PLACE, number)
        )
        path = files / f"{number // FOLDER:05d}" / f"IM{number:07d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return files


def template(path: Path, side: int) -> bytes:
    dataset = pydicom.dcmread(path)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "2.25." + "7" * PLACE
    pixels = np.random.default_rng(0).integers(0, 1 << dataset.BitsStored, (side, side))
    dataset.Rows = dataset.Columns = side
    dataset.PixelData = pixels.astype(np.uint16).tobytes()
    content = BytesIO()
    dataset.save_as(content)
    return content.getvalue()


def measure(work: Path, files: Path, count: int, processes: int, hashed: str) -> None:
    size = sum(path.stat().st_size for path in files.rglob("IM*"))
    paths = sorted(files.rglob("IM*"))[:: max(1, count // SAMPLE)][:SAMPLE]
    # Before decoding: a child's largest size is never below what its parent has grown to.
    first = ingest(files, work / "archive", processes, hashed)
    again = ingest(files, work / "archive", processes, hashed)
    begun, cpu = time.perf_counter(), time.process_time()
    decoded = sum(len(read_radiograph(path).pixels) > 0 for path in paths)
    share = count / decoded
    decode = Run((time.perf_counter() - begun) * share / processes,
                 (time.process_time() - cpu) * share)  # fmt: skip
    images = json.loads((work / "archive" / "archive.json").read_bytes())["images"]
    print(f"{count} files, {size / MB:.0f} MB, {processes} processes, --hash {hashed}")
    print(f"  {images} images")
    for name, run in (("ingest", first), ("again, nothing new", again), ("decoding alone", decode)):
        memory = f"{run.memory / MB:5.0f} MB at most" if run.memory else f"from {decoded} files"
        print(
            f"  {name:<20} {run.seconds:7.1f} s  {count / run.seconds:7.0f} files/s  "
            f"{run.cpu:7.1f} s of processors  {memory}"
        )
    print(f"  ingest / decoding: {first.seconds / decode.seconds:.2f} of the time, "
          f"{first.cpu / decode.cpu:.2f} of the processors' time")  # fmt: skip


def ingest(files: Path, archive: Path, processes: int, hashed: str) -> Run:
    command = [sys.executable, "-m", "ribsight.cli.main", "ingest", str(files), "--out",
               str(archive), "--processes", str(processes), "--hash", hashed]  # fmt: skip
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    if status:
        raise SystemExit(f"ingest ended with {status}")
    seconds = time.perf_counter() - begun
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def measure_rows(count: int) -> None:
    """Time the merge alone, of `count` rows, a hundredth of them duplicates."""
    import resource

    row = {
        "size": 8_000_000, "mtime_ns": 1, "position": -1, "member": "", "offset": 0, "reason": "",
        "sentence": "", "format": "dicom", "bytes": 8_000_000, "modality": "CR", "rows": 2000,
        "columns": 2000, "manufacturer": "Maker", "view": "pa", "eligible": True, "kind": "chest",
        "ineligible_reason": "", "study_description": "XR CHEST PA AND LATERAL",
    }  # fmt: skip
    one = sightings([row]).drop("source", "image", "sha256", "head_sha256", "pixels", "patient")
    number = pl.Series("number", range(count), dtype=pl.Int64)
    text = pl.format("{}", pl.col("number") % (count - count // 100)).str.zfill(10)
    seen = (
        pl.DataFrame(number)
        .select(
            *(pl.lit(one[name][0], dtype=kind).alias(name) for name, kind in one.schema.items()),
            source=pl.lit("/archive/2024/01/31/") + pl.col("number").cast(pl.String).str.zfill(10),
            image=pl.lit("1.2.826.0.1.3680043.8.498.1234567890") + text,
            patient=text.str.head(9),
            **{name: pl.lit("0" * 54) + text for name in ("sha256", "head_sha256", "pixels")},
        )
        .select(sightings([]).columns)
    )
    begun = time.perf_counter()
    images, quarantine = merge(seen)
    seconds = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"merging {count} rows: {len(images)} images, {len(quarantine)} quarantined in "
        f"{seconds:.1f} s, {memory / MB:.0f} MB in all"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--files", type=int, default=65_845)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--hash", choices=["content", "header"], default="content")
    parser.add_argument("--rows", type=int)
    options = parser.parse_args()
    if options.rows:
        measure_rows(options.rows)
        return
    files = options.work / "files"
    if not files.is_dir():
        make_files(options.work, options.files, options.side)
    measure(options.work, files, options.files, options.processes, options.hash)


if __name__ == "__main__":
    main()
