"""Measure the search for burned-in text: text drawn on films, and films as they are.

    python tools/measure_text_check.py FOLDER [FOLDER ...] [--films 200] [--seed 0] [--fonts FOLDER]

Each folder holds radiographs of any kind that ribsight reads. Each film is searched as it is, and
once for each way of writing: a line of a made-up name, date and number in a corner, in a font and
size drawn at random. Prints a Markdown table: how many films the search stops as they are, and for
each way and size the share of lines it finds (at least a third of the line inside boxes), and the
share it covers (nine tenths). A line that differs from the film by less than 40 of 255 grey levels
is not counted: nobody could read it. Look at the films that stop as they are: some have text.
"""

import argparse
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ribsight.deidentification.burned_in import find_text
from ribsight.radiographs import UnreadableImageError, image_files, read_radiograph

Shown = NDArray[np.uint16]
WAYS = {"white": 1.0, "light grey": 0.75, "black": 0.0, "white on a black box": 1.0}
SIZES = ((9, 13), (13, 20), (20, 40), (40, 90))
NAMES = ("DOE^JANE", "MUELLER, HANS", "Garcia Lopez", "SMITH JOHN A", "Nowak^Ewa", "LI XIAOMING")
NUMBERS = ("12/03/1957", "MRN 00482913", "2016-05-01", "ID:7741-23", "01.02.1944 F")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--films", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fonts", type=Path, default=Path("/usr/share/fonts/truetype"))
    given = parser.parse_args()
    fonts = sorted(given.fonts.rglob("*.ttf"))
    if not fonts:
        parser.error(f"no fonts below {given.fonts}")
    print("| films | way | height, pixels | lines | found | covered |")
    print("| --- | --- | --- | --- | --- | --- |")
    for folder in given.folders:
        measure(folder, given.films, random.Random(given.seed), fonts)


def measure(folder: Path, films: int, draw: random.Random, fonts: Sequence[Path]) -> None:
    files = image_files(folder)
    if len(files) > films:
        files = sorted(draw.sample(files, films))
    stopped: list[str] = []
    shares: dict[tuple[str, tuple[int, int]], list[float]] = defaultdict(list)
    read = 0
    for path in files:
        try:
            shown = read_radiograph(path).pixels
        except UnreadableImageError:
            continue
        read += 1
        if shown.dtype == np.uint8:
            shown = shown.astype(np.uint16) * 257
        if find_text(shown):
            stopped.append(path.name)
        for way in WAYS:
            size = draw.choice(SIZES)
            written = write(shown, way, draw.randint(*size), draw.choice(fonts), draw)
            if written is not None:
                changed, box = written
                boxes = [one.box for one in find_text(changed)]
                shares[way, size].append(covered(box, boxes))
    for (way, size), found in sorted(shares.items()):
        values = np.array(found)
        print(
            f"| {folder.name} | {way} | {size[0]} to {size[1]} | {len(values)} "
            f"| {np.mean(values > 1 / 3):.0%} | {np.mean(values > 0.9):.0%} |"
        )
    print(f"| {folder.name} | as they are | | {read} films | {len(stopped)} stopped | |")
    print(f"\nstopped as they are: {' '.join(stopped) or 'none'}\n")


def write(
    shown: Shown, way: str, height: int, font: Path, draw: random.Random
) -> tuple[Shown, tuple[int, int, int, int]] | None:
    """Return the film with a line in a corner, and its box; None if nobody could read it."""
    text = f"{draw.choice(NAMES)}{draw.choice((' ', '   '))}{draw.choice(NUMBERS)}"
    face = ImageFont.truetype(font, round(height * 1.35))
    left, top, right, bottom = (int(one) for one in face.getbbox(text))
    rows, columns = shown.shape
    width, tall = right - left, bottom - top
    margin = round(draw.uniform(0.01, 0.04) * rows)
    if width + 2 * margin > columns or tall + 2 * margin > rows:
        return None
    x = draw.choice((margin, columns - width - margin))
    y = draw.choice((margin, rows - tall - margin))
    layer = Image.new("L", (columns, rows))
    ImageDraw.Draw(layer).text((x - left, y - top), text, font=face, fill=255)
    ink = np.asarray(layer, np.float64) / 255
    film = shown.astype(np.float64)
    if way == "white on a black box":
        film[max(0, y - 4) : y + tall + 4, max(0, x - 4) : x + width + 4] = 0
    changed = film * (1 - ink) + WAYS[way] * 65535 * ink
    line = np.s_[y : y + tall, x : x + width]
    seen = np.abs(changed - film)[line][ink[line] > 0.8] / 257
    if not len(seen) or np.median(seen) < 40:
        return None
    return changed.astype(np.uint16), (x, y, x + width, y + tall)


def covered(box: tuple[int, int, int, int], boxes: Sequence[tuple[int, int, int, int]]) -> float:
    """Return the share of a box that others cover."""
    left, top, right, bottom = box
    inside = np.zeros((bottom - top, right - left), bool)
    for one in boxes:
        inside[
            max(0, one[1] - top) : max(0, one[3] - top),
            max(0, one[0] - left) : max(0, one[2] - left),
        ] = True
    return float(inside.mean())


if __name__ == "__main__":
    main()
