"""How well copies of a film are found and how fast, and whether a killed cache ends as any other.

    python benchmarks/cohort.py copies FRACATLAS        # or any folder of radiographs
    python benchmarks/cohort.py speed FRACATLAS [--count 16461]
    python benchmarks/cohort.py kill IMAGES [--kills 25]

`copies`: images are halved by a hash of their name. From every sampled image one copy of each kind
is made and looked for among all originals of its half. The threshold is chosen on the first half,
as the lowest that takes no more than one other film for a copy in a thousand searches; the second
half measures it. Pairs of originals above it are printed, to be looked at: some are true copies.
"""

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ribsight.cohort import near_duplicates as found_by
from ribsight.cohort.cache import PixelCache
from ribsight.cohort.pictures import SMALL, Pictures, oriented
from ribsight.radiographs import Radiograph, image_files, preprocess, read_radiograph
from ribsight.radiographs.preprocess import eight_bit

Pixels = NDArray[np.uint8]
Random = np.random.Generator


def window(pixels: Pixels, choose: Random) -> Pixels:
    low, high = np.percentile(pixels, [choose.uniform(0, 10), choose.uniform(90, 100)])
    return np.asarray(((pixels - low) / max(high - low, 1) * 255).clip(0, 255), np.uint8)


def gamma(pixels: Pixels, choose: Random) -> Pixels:
    return np.asarray(255 * (pixels / 255) ** choose.uniform(0.6, 1.6), np.uint8)


def jpeg(pixels: Pixels, choose: Random) -> Pixels:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(choose.integers(25, 80))]
    _, code = cv2.imencode(".jpg", pixels, quality)
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)


def resize(pixels: Pixels, choose: Random) -> Pixels:
    factor = choose.uniform(0.4, 1)
    return np.asarray(
        cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )


def cut(share: float) -> Callable[[Pixels, Random], Pixels]:
    def change(pixels: Pixels, choose: Random) -> Pixels:
        height, width = pixels.shape
        top, bottom, left, right = choose.uniform(0, share, 4)
        return pixels[
            int(top * height) : height - int(bottom * height),
            int(left * width) : width - int(right * width),
        ]

    return change


def framed(pixels: Pixels, choose: Random) -> Pixels:
    height, width = pixels.shape
    top, bottom, left, right = choose.uniform(0, 0.1, 4)
    return np.pad(
        pixels, ((int(top * height), int(bottom * height)), (int(left * width), int(right * width)))
    )


def turned(pixels: Pixels, choose: Random) -> Pixels:
    number = int(choose.integers(1, 8))
    return oriented(pixels.astype(np.float32), number).astype(np.uint8)


def tilted(pixels: Pixels, choose: Random) -> Pixels:
    height, width = pixels.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), choose.uniform(-3, 3), 1)
    return np.asarray(cv2.warpAffine(pixels, matrix, (width, height)), np.uint8)


def exported(pixels: Pixels, choose: Random) -> Pixels:
    """Cut, windowed, inverted or not, turned, made smaller, as JPEG: all at once."""
    pixels = gamma(window(cut(0.04)(pixels, choose), choose), choose)
    if choose.random() < 0.5:
        pixels = np.asarray(255 - pixels, np.uint8)
    return jpeg(resize(turned(pixels, choose), choose), choose)


KINDS: dict[str, Callable[[Pixels, Random], Pixels]] = {
    "turned or mirrored": turned,
    "inverted": lambda pixels, _: np.asarray(255 - pixels, np.uint8),
    "another window, up to 10 % clipped": window,
    "gamma 0.6 to 1.6": gamma,
    "JPEG of quality 25 to 80": jpeg,
    "0.4 to 1 of the size": resize,
    "up to 3 % cut on each side": cut(0.03),
    "up to 6 % cut on each side": cut(0.06),
    "up to 10 % cut on each side": cut(0.1),
    "a black frame up to 10 % wide": framed,
    "tilted up to 3 degrees": tilted,
    "all at once, 4 % cut": exported,
}


def pictures_of(films: list[Pixels], file: Path) -> Pictures:
    network, affines, sizes = [], [], []
    for pixels in films:
        square, affine = preprocess(Radiograph(pixels=pixels, bits=8), SMALL)
        network.append(square)
        affines.append((affine.scale_x, affine.scale_y, affine.offset_x, affine.offset_y))
        sizes.append(pixels.shape[::-1])
    np.save(file, np.stack(network))
    rows = np.arange(len(films), dtype=np.int32)
    cache = PixelCache((file,), np.zeros_like(rows), rows, np.array(affines))
    return Pictures(cache, np.array(sizes))


def copies(folder: Path, sample: int) -> None:
    files = image_files(folder / "images" if (folder / "images").is_dir() else folder)
    halves: tuple[list[Path], list[Path]] = [], []
    for path in files:
        halves[hashlib.sha256(path.stem.encode()).digest()[0] % 2].append(path)
    limit = 0.0
    for title, half in zip(("first half, chosen here", "second half"), halves, strict=True):
        originals = [eight_bit(read_radiograph(path)) for path in half]
        pairs = among(originals, [path.stem for path in half])
        # What may be a true copy of another original is no other film.
        single = [index for index in range(len(half)) if index not in pairs]
        chosen = np.random.default_rng(0).permutation(single)[:sample]
        print(f"{title}: {len(half)} films, {len(chosen)} copies of each kind", flush=True)
        own, other = search(originals, chosen)
        if not limit:
            limit = choose(other)
            print(f"chosen: a correlation of {limit:.2f}; the code has {found_by.MIN_CORRELATION}")
        report(own, other, found_by.MIN_CORRELATION)


def search(
    originals: list[Pixels], chosen: NDArray[np.int64]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Return the correlation of each copy with its own film, and the highest with another."""
    random_ = np.random.default_rng(1)
    own, other = {}, {}
    for kind, change in KINDS.items():
        made = [change(originals[index], random_) for index in chosen]
        with tempfile.TemporaryDirectory() as name:
            pictures = pictures_of([*made, *originals], Path(name) / "pixels.npy")
            bar: tqdm = tqdm(disable=True)  # type: ignore[type-arg]
            looks = found_by._descriptors(pictures, bar)
            candidates = takewhile(
                lambda one: one.first < len(chosen), found_by._candidates(*looks, bar)
            )
            mine, others = np.full(len(made), -1.0), np.full(len(made), -1.0)
            for one in candidates:
                if one.second < len(made):
                    continue
                value = found_by.correlation(pictures, one)
                best = mine if one.second - len(made) == chosen[one.first] else others
                best[one.first] = max(best[one.first], value)
        own[kind], other[kind] = mine, others
    return own, other


def choose(other: dict[str, NDArray[np.float64]]) -> float:
    highest = np.concatenate(list(other.values()))
    return float(np.ceil(100 * np.quantile(highest, 0.999)) / 100)


def report(
    own: dict[str, NDArray[np.float64]], other: dict[str, NDArray[np.float64]], limit: float
) -> None:
    print(f"  {'copy':<36} found  candidate  another film taken for it")
    for kind in own:
        print(
            f"  {kind:<36} {np.mean(own[kind] >= limit):5.3f}  {np.mean(own[kind] > -1):9.3f}"
            f"  {np.sum(other[kind] >= limit)}"
        )
    taken = sum(int(np.sum(one >= limit)) for one in other.values())
    print(f"  other films taken for copies: {taken} of {sum(map(len, other.values()))} searches")


def among(originals: list[Pixels], names: list[str]) -> set[int]:
    """Print pairs among the originals, and return those in a pair."""
    with tempfile.TemporaryDirectory() as name:
        pictures = pictures_of(originals, Path(name) / "pixels.npy")
        processes = os.cpu_count() or 1
        pairs = found_by.near_duplicate_pairs(pictures, processes=processes, progress=False)
    print(f"pairs among {len(originals)} originals: {len(pairs)}")
    for one, value in sorted(pairs, key=lambda pair: -pair[1]):
        print(f"    {names[one.first]} {names[one.second]} {value:.3f}")
    return {index for one, _ in pairs for index in (one.first, one.second)}


def speed(folder: Path, count: int) -> None:
    """Time each step on some films, and the search for neighbours among `count`."""
    files = image_files(folder / "images" if (folder / "images").is_dir() else folder)[:400]
    start = time.process_time()
    originals = [eight_bit(read_radiograph(path)) for path in files]
    decoding = (time.process_time() - start) / len(files)
    with tempfile.TemporaryDirectory() as name:
        pictures = pictures_of(originals, Path(name) / "pixels.npy")
        bar: tqdm = tqdm(disable=True)  # type: ignore[type-arg]
        start = time.process_time()
        looks, _, _ = found_by._descriptors(pictures, bar)
        looking = (time.process_time() - start) / len(files)
        candidates = [
            found_by.Candidate(one, 0, one + 1, 0, one % 8, inverted=False)
            for one in range(len(files) - 1)
        ]
        start = time.process_time()
        for one in candidates:
            found_by.correlation(pictures, one)
        pair = (time.process_time() - start) / len(candidates)
    random_ = np.random.default_rng(0)
    many = random_.normal(size=(count, *looks.shape[1:])).astype(np.float32)
    many /= np.linalg.norm(many.reshape(count, -1), axis=1)[:, None, None]
    start = time.process_time()
    for _ in found_by._candidates(many, np.arange(count), np.zeros(count, np.int64), bar):
        pass
    search_ = time.process_time() - start
    print(
        f"decoding a film                  {1e3 * decoding:8.1f} ms of processor, {files[0].parent}"
    )
    print(
        f"its look                         {1e3 * looking:8.1f} ms, "
        f"{looking / decoding:.2f} x decoding"
    )
    print(
        f"a candidate pair                 {1e3 * pair:8.1f} ms, {pair / decoding:.2f} x decoding"
    )
    print(
        f"neighbours among {count:>9}       {search_:8.0f} s, "
        f"{search_ / count / decoding:.2f} x decoding"
    )


def kill(folder: Path, kills: int) -> None:
    """Kill the filling of a cache, with all its workers; compare with an undisturbed one."""
    fill = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ribsight.cohort import cache\n"
        "from ribsight.cohort.tables import load_cohort\n"
        "from ribsight.radiographs import Preprocessing\n"
        "cache.SHARD_IMAGES = 16\n"
        "if __name__ == '__main__':\n"
        "    cohort = load_cohort(Path(sys.argv[1]))\n"
        "    cache.fill_cache(cohort, Preprocessing(128), Path(sys.argv[2]), processes=2)\n"
    )
    choose_ = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "fill.py").write_text(fill)
        make_cohort(folder, work)

        def run(out: str, after: float | None = None) -> float:
            start = time.perf_counter()
            command = [sys.executable, work / "fill.py", work / "cohort", work / out]
            process = subprocess.Popen(command, start_new_session=True)
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return -1.0
            assert process.returncode == 0
            return time.perf_counter() - start

        whole = run("undisturbed")
        expected = contents(work / "undisturbed")
        killed, left = 0, 0
        for number in range(kills):
            out = f"killed{number // 3}"  # a few on top of each other, then from nothing again
            killed += run(out, choose_.uniform(0.2, 0.95) * whole) < 0
            left += len(list((work / out).rglob("*.part")))
        same = 0
        for number in range((kills + 2) // 3):
            run(f"killed{number}")
            same += contents(work / f"killed{number}") == expected
        print(
            f"undisturbed: {whole:.1f} s; killed {killed} of {kills} times, "
            f"{left} times with a half-written file"
        )
        print(f"then run again: {same} of {(kills + 2) // 3} folders have the same bytes")


def make_cohort(folder: Path, work: Path) -> None:
    """Build a cohort of the first 200 images of a folder."""
    from ribsight.cohort.build import build_cohort
    from ribsight.cohort.tables import save_cohort
    from ribsight.records import ColumnMapping

    images = work / "images"
    images.mkdir()
    files = image_files(folder / "images" if (folder / "images").is_dir() else folder)[:200]
    rows = ["image,finding"]
    for path in files:
        (images / path.name).symlink_to(path.absolute())
        rows.append(f"{path.name},0")
    (work / "table.csv").write_text("\n".join(rows) + "\n")
    mapping = ColumnMapping("image", {"finding": "finding"})
    cohort, _ = build_cohort(images, work / "table.csv", None, mapping)
    save_cohort(cohort, work / "cohort")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["copies", "speed", "kill"])
    parser.add_argument("images", type=Path)
    parser.add_argument("--sample", type=int, default=150, help="copies of each kind and half")
    parser.add_argument(
        "--count", type=int, default=16_461, help="films among which speed searches"
    )
    parser.add_argument("--kills", type=int, default=25)
    given = parser.parse_args()
    if given.what == "copies":
        copies(given.images, given.sample)
    elif given.what == "speed":
        speed(given.images, given.count)
    else:
        kill(given.images, given.kills)


if __name__ == "__main__":
    main()
