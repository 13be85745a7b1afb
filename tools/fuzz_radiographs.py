"""Damage image files in many ways and read them in the guarded child; prints what became of them.

    python tools/fuzz_radiographs.py [--files 20000] [--seed 0] [--real FOLDER] [--processes 2]
        [--seconds 3] [--keep FOLDER]

Seeds are a simulated film in every transfer syntax, PNG, JPEG and TIFF, and the files of FOLDER.
A mutated file must give a radiograph or an UnreadableImageError; anything else ends the run with
its traceback. With --keep, what was slow, crashed a child or took its memory is saved.
"""

import argparse
import hashlib
import heapq
import io
import random
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from films import LOSSLESS, LOSSY, content, encoded, film, lookup_table
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset

from ribsight.radiographs import UnreadableImageError
from ribsight.radiographs.guarded import GuardedReader

Random = random.Random
Mutation = tuple[str, str, bytes]
"""Kind of seed, kind of mutation, and the file."""

# Attributes that decide what is allocated or computed, and what to say in them instead.
FALSE_NUMBERS = (0, 1, 2, 7, 31, 33, 255, 8192, 8193, 32767, 65535)
WHOLE = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel",
         "PixelRepresentation", "PlanarConfiguration")  # fmt: skip
WORDS = {
    "PhotometricInterpretation": (
        "MONOCHROME1",
        "RGB",
        "YBR_FULL_422",
        "PALETTE COLOR",
        "",
        "X" * 64,
    ),
    "NumberOfFrames": ("0", "1", "2", "-1", "99999999", ""),
    "WindowCenter": ("", "1e308", "-1e308", "0", ["1"] * 500),
    "WindowWidth": ("", "0", "1e-300", "1e308", "-5"),
    "RescaleSlope": ("0", "1e308", "-1", "1e-320", ""),
    "RescaleIntercept": ("1e308", "-99999", ""),
    "PixelSpacing": (["0", "0"], ["1e-300", "1e300"], "0.1", ""),
    "PixelPaddingValue": (0, 1, 65535),
    "PresentationLUTShape": ("INVERSE", "IDENTITY", "X"),
    "VOILUTFunction": ("SIGMOID", "LINEAR_EXACT", "X"),
    "SOPClassUID": (uid.DigitalXRayImageStorageForProcessing, uid.CTImageStorage, "1.2.3"),
    "PatientOrientation": (["R", "H"], ["P", "F"], ["X"], ""),
    "CollimatorShape": ("RECTANGULAR",),
}
SYNTAXES = (*LOSSLESS, *LOSSY, uid.DeflatedExplicitVRLittleEndian, uid.MPEG2MPML, "1.2.3", "")


def seeds(real: Path | None) -> dict[str, bytes]:
    """Return one file of each kind."""
    found: dict[str, bytes] = {}
    table = lookup_table(0, film(1, 4096)[0])
    extras: dict[str, Any] = {"WindowCenter": ["2000", "900"], "WindowWidth": ["3000", "40"],
                              "VOILUTSequence": [table], "PixelSpacing": ["0.15", "0.15"],
                              "PatientOrientation": ["L", "F"]}  # fmt: skip
    for syntax in (*LOSSLESS, *LOSSY):
        bits = 8 if syntax == uid.JPEGBaseline8Bit else 12
        pixels = film(bits=bits)
        if bits == 8:
            pixels = pixels.astype("u1")
        attributes = {"BitsStored": bits, **extras}
        found[syntax.keyword] = content(encoded(pixels, syntax, attributes))
    for kind, mode in (("PNG", "I;16"), ("TIFF", "I;16"), ("JPEG", "L")):
        stream = io.BytesIO()
        pixels = film() if mode == "I;16" else film(bits=8).astype("u1")
        Image.fromarray(pixels).save(stream, kind)
        found[kind] = stream.getvalue()
    colour = np.repeat(film(bits=8).astype("u1")[..., None], 3, axis=2)
    as_capture = {"SOPClassUID": uid.SecondaryCaptureImageStorage}
    found["colour"] = content(encoded(colour, uid.ExplicitVRLittleEndian, as_capture))
    nested = Dataset()
    for _ in range(40):
        outer = Dataset()
        outer.AnatomicRegionSequence = [nested]
        nested = outer
    deep = {"AnatomicRegionSequence": [nested], "BitsStored": 12}
    found["nested"] = content(encoded(film(), uid.ExplicitVRLittleEndian, deep))
    for path in sorted(real.glob("*.dcm")) if real else ():
        found[path.name] = path.read_bytes()
    return found


def flip_bytes(seed: bytes, random: Random, start: int, stop: int) -> bytes:
    changed = bytearray(seed)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        at = random.randrange(start, max(start + 1, min(stop, len(seed))))
        changed[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    return bytes(changed)


def header_bytes(seed: bytes, random: Random) -> bytes:
    return flip_bytes(seed, random, 0, pixels_start(seed))


def codestream_header(seed: bytes, random: Random) -> bytes:
    start = pixels_start(seed)
    return flip_bytes(seed, random, start, start + 160)


def codestream_bytes(seed: bytes, random: Random) -> bytes:
    return flip_bytes(seed, random, pixels_start(seed), len(seed))


def lengths(seed: bytes, random: Random) -> bytes:
    """Overwrite four bytes in a row, as a length is, with a large or odd number."""
    at = random.randrange(128, max(129, pixels_start(seed)))
    number = random.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, random.randrange(1 << 32)))
    return seed[:at] + number.to_bytes(4, random.choice(("little", "big"))) + seed[at + 4 :]


def truncate(seed: bytes, random: Random) -> bytes:
    return seed[: random.randrange(len(seed))]


def swap_blocks(seed: bytes, random: Random) -> bytes:
    size = random.choice((2, 16, 64, 512, 4096))
    a, b = sorted(random.randrange(len(seed)) for _ in range(2))
    return (
        seed[:a] + seed[b : b + size] + seed[a + size : b] + seed[a : a + size] + seed[b + size :]
    )


def repeat_block(seed: bytes, random: Random) -> bytes:
    at, size = random.randrange(len(seed)), random.choice((1, 8, 64, 1024))
    return seed[:at] + seed[at : at + size] * random.choice((2, 3, 50)) + seed[at + size :]


def drop_block(seed: bytes, random: Random) -> bytes:
    at, size = random.randrange(len(seed)), random.choice((1, 2, 8, 64, 1024))
    return seed[:at] + seed[at + size :]


def false_attributes(seed: bytes, random: Random) -> bytes:
    """Say something else in attributes, well-formed; another kind of file gets header bytes."""
    try:
        dataset = pydicom.dcmread(io.BytesIO(seed))
    except Exception:
        return header_bytes(seed, random)
    for _ in range(random.choice((1, 2, 3))):
        choice = random.random()
        if choice < 0.4:
            setattr(dataset, random.choice(WHOLE), random.choice(FALSE_NUMBERS))
        elif choice < 0.8:
            keyword = random.choice(list(WORDS))
            setattr(dataset, keyword, random.choice(WORDS[keyword]))
        elif choice < 0.9:
            dataset.file_meta.TransferSyntaxUID = random.choice(SYNTAXES)
        else:
            keyword = random.choice(("VOILUTSequence", "ModalityLUTSequence",
                                     "PresentationLUTSequence"))  # fmt: skip
            item = lookup_table(random.choice((0, 7, 65535)), film(1, random.choice((2, 300)))[0],
                                random.choice((0, 8, 10, 16, 99)))  # fmt: skip
            setattr(dataset, keyword, [item])
    stream = io.BytesIO()
    try:
        # The samples stay what they are: only the header lies.
        dataset.save_as(stream, enforce_file_format=False)
    except Exception:
        return header_bytes(seed, random)
    return stream.getvalue()


def pixels_start(seed: bytes) -> int:
    """Return where the samples of a DICOM file begin; of another file, where a header may end."""
    for tag in (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10"):
        at = seed.rfind(tag, 0, 200_000)
        if at > 0:
            return at + 12
    return min(200, len(seed))


MUTATIONS: dict[str, Callable[[bytes, Random], bytes]] = {
    "bytes of the header": header_bytes,
    "start of the samples": codestream_header,
    "bytes of the samples": codestream_bytes,
    "lengths": lengths,
    "truncation": truncate,
    "blocks exchanged": swap_blocks,
    "blocks repeated": repeat_block,
    "blocks dropped": drop_block,
    "false attributes": false_attributes,
}
# A real file takes a hundred times as long as a simulated one.
REAL_SHARE = 0.02


def mutated(files: int, seed: int, found: dict[str, bytes]) -> Iterator[Mutation]:
    """Yield kind of seed, kind of mutation and the file; the same for the same seed."""
    real = [name for name in found if name.endswith(".dcm")]
    small = [name for name in found if name not in real]
    for number in range(files):
        random = Random(f"{seed}:{number}")
        is_real = bool(real) and random.random() < REAL_SHARE
        name = random.choice(real if is_real else small)
        how = random.choice(list(MUTATIONS))
        changed = MUTATIONS[how](found[name], random)
        if random.random() < 0.2:
            changed = header_bytes(changed, random) if changed else changed
        yield name, how, changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--keep", type=Path)
    wanted = parser.parse_args()
    found = seeds(wanted.real)
    became: Counter[str] = Counter()
    by_mutation: Counter[tuple[str, bool]] = Counter()
    killed: Counter[str] = Counter()
    slowest: list[tuple[float, str]] = []
    started = time.monotonic()
    with (
        GuardedReader(wanted.processes, seconds=wanted.seconds) as reader,
        ThreadPoolExecutor(wanted.processes) as threads,
    ):
        for part in batched(mutated(wanted.files, wanted.seed, found), 200):
            for (name, how, changed), (reason, seconds) in zip(
                part, threads.map(partial(read, reader), part), strict=True
            ):
                became[reason] += 1
                by_mutation[how, reason == "a radiograph"] += 1
                slowest = heapq.nlargest(3, [*slowest, (seconds, f"{name}, {how}: {reason}")])
                if reason.startswith("is not read"):
                    killed[f"{name}, {how}: {reason}"] += 1
                    keep(wanted.keep, name, changed)
            if sys.stderr.isatty():
                print(f"\r{sum(became.values())}", end="", file=sys.stderr)
    seconds = time.monotonic() - started
    report(became, by_mutation, killed, slowest, seconds)


def read(reader: GuardedReader, mutation: Mutation) -> tuple[str, float]:
    """Return what became of a file, and in how many seconds."""
    started = time.monotonic()
    reason = "a radiograph"
    try:
        reader.read(mutation[2])
    except UnreadableImageError as error:
        if not str(error).isprintable() or "Nobody" in str(error):
            sys.exit(f"{mutation[:2]}: {error!r}")
        reason = sentence(error.reason)
    return reason, time.monotonic() - started


def batched(items: Iterable[Mutation], size: int) -> Iterator[list[Mutation]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def keep(folder: Path | None, name: str, changed: bytes) -> None:
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}-{hashlib.sha256(changed).hexdigest()[:12]}").write_bytes(changed)


def sentence(reason: str) -> str:
    """Return a reason without its numbers, to count those that are alike."""
    reason = re.sub(r"\d+", "N", reason)
    return re.sub(r"(DICOM )(?!file).*( object)", r"\1…\2", reason)


def report(
    became: Counter[str],
    by_mutation: Counter[tuple[str, bool]],
    killed: Counter[str],
    slowest: list[tuple[float, str]],
    seconds: float,
) -> None:
    files = sum(became.values())
    print(f"{files:,} mutated files, {files / seconds:.0f} a second\n")
    print("| mutation | radiograph | refused |\n| --- | --- | --- |")
    for how in MUTATIONS:
        print(f"| {how} | {by_mutation[how, True]:,} | {by_mutation[how, False]:,} |")
    print("\n| became | files |\n| --- | --- |")
    for reason, count in became.most_common():
        print(f"| {reason} | {count:,} |")
    print("\nended by the guard:")
    for text, count in killed.most_common():
        print(f"  {count} x {text}")
    print("slowest by the clock:")
    for taken, text in slowest:
        print(f"  {taken:.1f} s, {text}")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\nlargest memory in use: parent {own:.0f} MiB, child {child:.0f} MiB")


if __name__ == "__main__":
    main()
