"""Read one film in every transfer syntax and look; prints Markdown tables for docs/radiographs.md.

    python tools/check_transfer_syntaxes.py

The film is written with 8 to 16 bits, signed and not, as MONOCHROME1 and MONOCHROME2, with a
window and with a table, by pydicom's encoders, imagecodecs and, where dcmtk is installed, by its
tools. Each is compared with the plain film of the same bits. Then our picture of each way of
showing is compared with that of highdicom and of dcmtk's dcm2pnm.
"""

import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import SimpleITK
from films import LOSSLESS, LOSSY, content, encoded, film, lookup_table
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ribsight.radiographs import UnreadableImageError, read_radiograph
from ribsight.radiographs.read import read_content

DEPTHS = (8, 10, 12, 14, 15, 16)
# What dcmtk's tools write, and the depths that their lossy encoders keep.
DCMTK: dict[tuple[str, ...], tuple[int, ...]] = {
    ("dcmconv", "+te"): DEPTHS,
    ("dcmconv", "+ti"): DEPTHS,
    ("dcmconv", "+tb"): DEPTHS,
    ("dcmconv", "+td"): DEPTHS,
    ("dcmcrle",): DEPTHS,
    ("dcmcjpeg", "+el"): DEPTHS,
    ("dcmcjpeg", "+e1"): DEPTHS,
    ("dcmcjpls", "+el"): DEPTHS,
    ("dcmcjpls", "+en"): DEPTHS,
    ("dcmcjpeg", "+eb", "+q", "98"): (8,),
    ("dcmcjpeg", "+ee", "+q", "98"): (8, 12),
}
ONLY = {uid.JPEGBaseline8Bit: (8,), uid.JPEGExtended12Bit: (12,)}


def films() -> Iterator[tuple[int, str, dict[str, Any], NDArray[Any], NDArray[np.uint16]]]:
    """Yield bits, name, header and samples of each variant, and the picture that is expected."""
    for bits in DEPTHS:
        base = film(bits=bits).astype(np.int64)
        top = (1 << bits) - 1
        plain = {"BitsStored": bits, **window(0, top, negative=False)}
        kind = "u1" if bits == 8 else "u2"
        expected = read_content(
            content(encoded(base.astype(kind), uid.ExplicitVRLittleEndian, plain)), "film"
        ).pixels
        for signed in (False, True):
            lowest = -(1 << (bits - 1)) if signed else 0
            for negative in (False, True):
                values = (top - base if negative else base) + lowest
                samples = values.astype(kind.replace("u", "i") if signed else kind)
                for look, of_look in (("window", window), ("table", table)):
                    header = {
                        "BitsStored": bits,
                        "PhotometricInterpretation": f"MONOCHROME{1 if negative else 2}",
                        **of_look(lowest, top, negative=negative),
                    }
                    name = f"{'signed ' if signed else ''}{header['PhotometricInterpretation']}"
                    yield bits, f"{name}, {look}", header, samples, expected


def window(lowest: int, top: int, *, negative: bool) -> dict[str, Any]:
    center, width = round(0.45 * top), round(0.7 * top)
    if negative:
        center = top - center + 1
    return {"WindowCenter": center + lowest, "WindowWidth": width}


def table(lowest: int, top: int, *, negative: bool) -> dict[str, Any]:
    """Return the window as a table of 16 bits with an entry for each value."""
    center, width = round(0.45 * top), round(0.7 * top)
    values = np.arange(top + 1)
    shown = ((values - (center - 0.5)) / (width - 1) + 0.5).clip(0, 1)
    entries = np.rint(np.round(shown, 10) * 65535).astype(int)
    if negative:
        entries = 65535 - entries[::-1]
    return {"VOILUTSequence": [lookup_table(lowest, entries, signed=lowest < 0)]}


def encodings(
    folder: Path,
) -> Iterator[tuple[str, tuple[int, ...], Callable[[Mapping[str, Any], NDArray[Any]], bytes]]]:
    """Yield who writes it, for which depths, and a function that writes."""

    def own(syntax: UID) -> Callable[[Mapping[str, Any], NDArray[Any]], bytes]:
        return lambda header, samples: content(encoded(samples, syntax, header))

    def dcmtk(command: tuple[str, ...]) -> Callable[[Mapping[str, Any], NDArray[Any]], bytes]:
        def write(header: Mapping[str, Any], samples: NDArray[Any]) -> bytes:
            source, target = folder / "in.dcm", folder / "out.dcm"
            source.write_bytes(content(encoded(samples, uid.ExplicitVRLittleEndian, header)))
            subprocess.run([*command, source, target], check=True, capture_output=True)
            return target.read_bytes()

        return write

    for syntax in (*LOSSLESS, *LOSSY):
        by_hand = "HTJ2K" in syntax.keyword or syntax.keyword.startswith(
            ("JPEGB", "JPEGE", "JPEGLos")
        )
        yield "imagecodecs" if by_hand else "pydicom", ONLY.get(syntax, DEPTHS), own(syntax)
    for command, depths in DCMTK.items():
        if shutil.which(command[0]):
            yield " ".join(command), depths, dcmtk(command)


def syntax_table(folder: Path) -> None:
    print("| transfer syntax | written by | files | identical | mean difference | largest |")
    print("| --- | --- | --- | --- | --- | --- |")
    variants = list(films())
    for writer, depths, write in encodings(folder):
        found: defaultdict[str, list[NDArray[np.int64]]] = defaultdict(list)
        refused: defaultdict[str, set[str]] = defaultdict(set)
        for bits, name, header, samples, expected in variants:
            # dcmtk leaves the table out when it compresses with loss.
            if bits not in depths or ("+q" in writer and "table" in name):
                continue
            try:
                written = write(header, samples)
            except Exception as error:
                refused["not written"].add(type(error).__name__)
                continue
            (folder / "a.dcm").write_bytes(written)
            syntax = dcmread(folder / "a.dcm", stop_before_pixels=True).file_meta.TransferSyntaxUID
            try:
                pixels = read_content(written, "the file").pixels
            except UnreadableImageError as error:
                refused[syntax.name].add(error.reason)
                continue
            found[syntax.name].append(np.abs(pixels.astype(np.int64) - expected))
        for kind, differences in found.items():
            same = sum(not one.any() for one in differences)
            mean = np.mean([one.mean() for one in differences]) / 65535
            most = max(one.max() for one in differences) / 65535
            print(f"| {kind} | {writer} | {len(differences)} | {same} | {mean:.3%} | {most:.2%} |")
        for kind, reasons in refused.items():
            print(f"| {kind} | {writer} | none | {'; '.join(sorted(reasons))} | | |")


def looks() -> dict[str, dict[str, Any]]:
    """Return ways of showing a film of 12 bits."""
    bend = (65535 * (np.arange(3000) / 2999) ** 0.7).astype(int)
    words = (255 * (np.arange(3000) / 2999) ** 0.7).astype(int)
    return {
        "window, linear": {"WindowCenter": 2000, "WindowWidth": 3000},
        "window, linear exact": {
            "WindowCenter": 2000, "WindowWidth": 3000, "VOILUTFunction": "LINEAR_EXACT"},
        "window, sigmoid": {"WindowCenter": 2000, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"},
        "three windows, the first": {
            "WindowCenter": [2000, 1000, 500], "WindowWidth": [3000, 90, 20]},
        "rescale, window": {"RescaleSlope": 2, "RescaleIntercept": -1000, "RescaleType": "US",
                            "WindowCenter": 3000, "WindowWidth": 6000},
        "modality table, window": {
            "ModalityLUTSequence": [modality_table()], "WindowCenter": 4000, "WindowWidth": 6000},
        "table of 16 bits": {"VOILUTSequence": [lookup_table(501, bend)]},
        "table of 8 bits in words": {"VOILUTSequence": [lookup_table(501, words, bits=8)]},
        "table of 8 bits in bytes": {"VOILUTSequence": [packed(lookup_table(501, words, bits=8))]},
        "table before window": {"VOILUTSequence": [lookup_table(501, bend)],
                                "WindowCenter": 9, "WindowWidth": 20},
    }  # fmt: skip


def packed(item: Dataset) -> Dataset:
    """Store a table's entries of 8 bits two to a word."""
    item.LUTData = item.LUTData[::2]
    return item


def modality_table() -> Dataset:
    item = lookup_table(0, (np.arange(4096) ** 1.1).astype(int))
    item.ModalityLUTType = "US"
    return item


def look_table(folder: Path) -> None:
    """Compare with highdicom and dcm2pnm: largest difference as a share of the range."""
    print("\n| look | polarity | highdicom | dcm2pnm |\n| --- | --- | --- | --- |")
    for look, header in looks().items():
        for photometric in ("MONOCHROME2", "MONOCHROME1"):
            path = folder / "a.dcm"
            attributes = {"BitsStored": 12, "PhotometricInterpretation": photometric, **header}
            dataset = encoded(film(), uid.ExplicitVRLittleEndian, attributes)
            path.write_bytes(content(dataset))
            ours = read_radiograph(path).pixels / 65535
            print(f"| {look} | {photometric} | {against_highdicom(path, ours)} | "
                  f"{against_dcmtk(path, ours, header)} |")  # fmt: skip


def against_highdicom(path: Path, ours: NDArray[np.float64]) -> str:
    try:
        theirs = highdicom.imread(path).get_frame(
            1, apply_voi_transform=True, apply_presentation_lut=True, voi_output_range=(0.0, 1.0)
        )
    except RuntimeError:
        return "not read there"
    return f"{np.abs(ours - theirs).max():.4%}"


def against_dcmtk(path: Path, ours: NDArray[np.float64], header: Mapping[str, Any]) -> str:
    if not shutil.which("dcm2pnm"):
        return ""
    if header.get("VOILUTFunction") == "LINEAR_EXACT":
        return "not known there"
    picture = path.with_suffix(".png")
    which = ["+Wl", "1"] if "VOILUTSequence" in header else ["+Wi", "1"]
    sigmoid = ["+Wfs"] if header.get("VOILUTFunction") == "SIGMOID" else []
    subprocess.run(
        ["dcm2pnm", *which, *sigmoid, "+on2", path, picture], check=True, capture_output=True
    )
    theirs = np.asarray(Image.open(picture)) / 65535
    return f"{np.abs(ours - theirs).max():.4%}"


def simpleitk_table(folder: Path) -> None:
    """Compare stored values, which SimpleITK gives of MONOCHROME2 without a rescale."""
    print("\n| transfer syntax | stored values as SimpleITK reads them |\n| --- | --- |")
    for syntax in LOSSLESS:
        path = folder / "a.dcm"
        header = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
        path.write_bytes(content(encoded(film(), syntax, header)))
        try:
            theirs = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))[0]
        except RuntimeError:
            print(f"| {syntax.name} | not read there |")
            continue
        expected = np.rint(np.round(theirs / 4095, 10) * 65535)
        same = np.array_equal(read_radiograph(path).pixels, expected)
        print(f"| {syntax.name} | {'identical' if same else 'DIFFERENT'} |")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        syntax_table(Path(name))
        look_table(Path(name))
        simpleitk_table(Path(name))


if __name__ == "__main__":
    main()
