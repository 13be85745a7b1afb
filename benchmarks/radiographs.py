"""How fast radiographs are read and how much memory that takes; prints Markdown tables.

    python benchmarks/radiographs.py [--real FOLDER] [--rounds 7]

The files are a simulated film of 2000 x 1700 pixels and 12 bits in several encodings, and the files
of FOLDER. Everything in a row is measured in turn, round by round, and the best round counts; the
columns are ratios to `read_radiograph` in this process. pydicom is its own pipeline: dcmread,
pixel_array, apply_modality_lut, apply_voi_lut, and MONOCHROME1 inverted; SimpleITK decodes only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

import numpy as np
import SimpleITK
from films import content, encoded, film
from pydicom import dcmread, uid
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from ribsight.radiographs import UnreadableImageError, read_radiograph
from ribsight.radiographs.decoding import decode
from ribsight.radiographs.dicom_header import read_header
from ribsight.radiographs.guarded import GuardedReader

SYNTAXES = (uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless,
            uid.JPEG2000Lossless)  # fmt: skip
# Runs in a process of its own: the largest memory it takes for one file beyond what it starts with.
MEMORY = """
import json, sys
from pathlib import Path
import numpy as np
from pydicom import dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from ribsight.radiographs import read_radiograph
def pydicom(path):
    dataset = dcmread(path)
    return apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
def decode(path):
    return dcmread(path).pixel_array
def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
read = {"ours": read_radiograph, "pydicom": pydicom, "decode": decode}[sys.argv[1]]
read(Path(sys.argv[2]))
start = peak()
read(Path(sys.argv[3]))
print(json.dumps(peak() - start))
"""


def pydicom_pipeline(path: Path) -> object:
    dataset = dcmread(path)
    values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        values = values.max() - values
    return values


def decode_only(path: Path) -> object:
    dataset = dcmread(path)
    return decode(dataset, read_header(dataset, dataset.file_meta.TransferSyntaxUID), [])


def simpleitk(path: Path) -> object:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))


def best_seconds(
    functions: dict[str, Callable[[Path], object]], path: Path, rounds: int
) -> dict[str, float]:
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            started = time.perf_counter()
            try:
                function(path)
            except (RuntimeError, NotImplementedError):  # an encoding that is not known there
                best[name] = float("nan")
                continue
            best[name] = min(best[name], time.perf_counter() - started)
    return best


def time_table(paths: list[Path], rounds: int) -> None:
    with GuardedReader() as reader:
        functions = {"in this process": read_radiograph, "guarded": reader.read,
                     "decode only": decode_only, "pydicom": pydicom_pipeline,
                     "SimpleITK": simpleitk}  # fmt: skip
        names = list(functions)[1:]
        print(f"| file | megapixels | ms | {' | '.join(names)} |\n| --- | --- | --- |", end="")
        print(" --- |" * len(names))
        for path in paths:
            best = best_seconds(functions, path, rounds)
            ours = best["in this process"]
            pixels = read_radiograph(path).pixels.size / 1e6
            ratios = " | ".join(
                "not read" if np.isnan(best[name]) else f"{best[name] / ours:.2f}" for name in names
            )
            print(f"| {path.name} | {pixels:.1f} | {1000 * ours:.0f} | {ratios} |")


def throughput_table(path: Path, rounds: int) -> None:
    """One child after another and two at once, over the same files; wrong ones among them."""
    files = [path] * 24
    best: dict[int, float] = {}
    for _ in range(max(2, rounds // 3)):
        for processes in (1, 2):
            with GuardedReader(processes) as reader:
                list(reader.map([path] * processes))
                started = time.perf_counter()
                results = list(reader.map(files))
                seconds = time.perf_counter() - started
                assert not any(isinstance(one, UnreadableImageError) for one in results)
            best[processes] = min(best.get(processes, seconds), seconds)
    print(f"\n{path.name}: two guarded children read {best[1] / best[2]:.2f} times as fast as one")


def start_cost(path: Path, rounds: int) -> None:
    ratios = []
    for _ in range(rounds):
        with GuardedReader() as reader:
            started = time.perf_counter()
            reader.read(path)
            first = time.perf_counter() - started
            started = time.perf_counter()
            reader.read(path)
            ratios.append(first / (time.perf_counter() - started))
    print(f"the first file of a child takes {np.median(ratios):.1f} times as long as the next")


def memory_table(folder: Path) -> None:
    small, large = folder / "small.dcm", folder / "large.dcm"
    attributes = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    small.write_bytes(content(encoded(film(100, 100), uid.ExplicitVRLittleEndian, attributes)))
    pixels = np.tile(film(1000, 1000), (5, 4))
    large.write_bytes(content(encoded(pixels, uid.ExplicitVRLittleEndian, attributes)))
    stored = pixels.nbytes / 1024
    print(
        "\n| for a film of 20 megapixels | memory beyond a small film's, in units of its samples |"
    )
    print("| --- | --- |")
    for name in ("ours", "pydicom", "decode"):
        command = [sys.executable, "-c", MEMORY, name, small, large]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"| {name} | {json.loads(found) / stored:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    wanted = parser.parse_args()
    warnings.simplefilter("ignore")
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    with tempfile.TemporaryDirectory() as name:
        folder, paths = Path(name), []
        attributes = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096,
                      "RescaleSlope": 1, "RescaleIntercept": 0}  # fmt: skip
        for syntax in SYNTAXES:
            paths.append(folder / syntax.keyword)
            paths[-1].write_bytes(content(encoded(film(2000, 1700), syntax, attributes)))
        paths += sorted(wanted.real.glob("*.dcm")) if wanted.real else []
        time_table(paths, wanted.rounds)
        throughput_table(paths[3], wanted.rounds)
        start_cost(paths[0], wanted.rounds)
        memory_table(folder)


if __name__ == "__main__":
    main()
