"""Compare simulated ribs with ribs drawn by hand on real radiographs; draws rib_shapes.png.

    python tools/check_rib_shapes.py pku_rib_polylines.json [--people 100]

The file holds, under "poly", films as lists of polylines in pixels: first the outline of the rib
cage, then the centre lines of the posterior ribs that could be seen, each from the chest's side to
the spine by three or more points; under "bbox", the upper left and lower right corner of the cage.
The pixels' size is unknown, so lengths are shares of the cage's width. From the simulation, what a
hand would have drawn is measured: the posterior part of ribs 2 to 9, from where it leaves the
spine's shadow to where it meets the cage's outline, by four points; the cage ends where rib 10
does.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from ribsight.findings import Side
from ribsight.simulation.anatomy.build import draw_build, draw_person
from ribsight.simulation.anatomy.ribs import make_ribs
from ribsight.simulation.anatomy.spine import make_spine
from ribsight.simulation.projection.camera import camera_for
from ribsight.simulation.truth import View

Line = NDArray[np.float64]
"""(N, 2) x, y, y pointing down."""

MEASURES = {
    "spacing": "neighbouring ribs / cage width",
    "slope": "from lateral end up to the spine, degrees",
    "curvature": "sagitta / chord",
    "aspect": "cage height / width",
    "length": "drawn rib / cage width",
}
_SPINE_SHADOW = 0.085
"""Share of the cage's width from the midline to where the drawn ribs begin: their median."""
_END_INSIDE = 0.004
"""Share of the cage's width by which the outlines, polygons drawn by hand, cut corners: a drawn rib
ends where it first comes this near to its most lateral point, not where it turns around."""
_FIRST, _LAST = 2, 9


@dataclass(frozen=True)
class Film:
    """One film's lines: those of each side from the top down.

    Attributes:
        sides: ribs of the left and the right of the film, from the chest's side to the spine.
        width, height: of the cage.
        middle, top: x of its middle, y of its top.

    """

    sides: tuple[list[Line], list[Line]]
    width: float
    height: float
    middle: float
    top: float


def main() -> None:
    """Measure both, print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("polylines", type=Path)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--figure", type=Path, default=Path("docs/images/rib_shapes.png"))
    options = parser.parse_args()
    data = json.loads(options.polylines.read_text())
    real = measured([drawn_film(lines) for lines in data["poly"].values()])
    boxes = np.array([np.asarray(box) for box in data["bbox"].values()])
    size = np.abs(boxes[:, 1] - boxes[:, 0])
    real["aspect"] = size[:, 1] / size[:, 0]
    simulated = measured([simulated_film(k) for k in range(options.people)])
    print_table(real, simulated)
    draw(real, simulated, options.figure)


def drawn_film(lines: list[list[list[float]]]) -> Film:
    """Return a real film, its ribs sorted by side and height."""
    outline, *ribs = [np.asarray(line, dtype=float) for line in lines]
    low, high = outline.min(axis=0), outline.max(axis=0)
    middle = (low[0] + high[0]) / 2
    sides: tuple[list[Line], list[Line]] = ([], [])
    for rib in ribs:
        rib = rib if abs(rib[0, 0] - middle) > abs(rib[-1, 0] - middle) else rib[::-1]
        sides[int(rib[0, 0] > middle)].append(rib)
    for side in sides:
        side.sort(key=lambda line: float(line[-1, 1]))
    return Film(sides, high[0] - low[0], high[1] - low[1], middle, low[1])


def simulated_film(number: int) -> Film:
    """Return what would be drawn on a simulated PA film."""
    random = np.random.default_rng([2, number])
    person = draw_person("x", random)
    build = draw_build(person, supine=False, random=random)
    spine = make_spine(build)
    ribs = make_ribs(build, spine, random)
    camera = camera_for(
        View.PA_ERECT, target=(0, -60, -15), detector_gap=150, field=430, size=2000,
        rotation=random.normal(0, 2.5), tilt=random.normal(0, 2), roll=random.normal(0, 1.2),
    )  # fmt: skip
    lines = {(r.side, r.number): camera.project(r.bone.centres)[0] for r in ribs}
    cage = np.concatenate([line for (_, rib), line in lines.items() if rib <= 10])
    # The outline runs along the outside of the ribs, from the first to the lateral end of the last.
    half_rib = 4.0 * 1.1 / camera.pixel_spacing
    low, high = cage.min(axis=0) - half_rib, cage.max(axis=0) + half_rib
    width = high[0] - low[0]
    middle = float(camera.project(spine.centres[4:12])[0][:, 0].mean())
    sides: tuple[list[Line], list[Line]] = ([], [])
    for k, side in enumerate((Side.RIGHT, Side.LEFT)):
        for rib in range(_FIRST, _LAST + 1):
            sides[k].append(posterior(lines[side, rib], middle, width))
    bottom = max(float(posterior(lines[s, _LAST + 1], middle, width)[0, 1]) for s, _ in lines)
    top = min(float(lines[r.side, 1][:, 1].min()) for r in ribs) - half_rib
    return Film(sides, width, bottom - top, middle, top)


def posterior(line: Line, middle: float, width: float) -> Line:
    """Return four points of a projected rib, from the chest's side to the spine's shadow."""
    away = np.abs(line[:, 0] - middle)
    start = int(np.argmax(away > _SPINE_SHADOW * width))
    stop = int(np.argmax(away > away.max() - _END_INSIDE * width))
    part = line[start : stop + 1]
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(part, axis=0), axis=1))])
    place = np.linspace(steps[-1], 0, 4)
    return np.stack([np.interp(place, steps, part[:, k]) for k in (0, 1)], axis=1)


def measured(films: list[Film]) -> dict[str, NDArray[np.float64]]:
    """Return all values of every measure."""
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for film in films:
        found["aspect"].append(film.height / film.width)
        for side in film.sides:
            for line in side:
                chord = line[-1] - line[0]
                length = float(np.hypot(*chord))
                if len(line) < 3 or length < 0.1 * film.width:
                    continue
                found["slope"].append(float(np.degrees(np.arctan2(-chord[1], abs(chord[0])))))
                found["curvature"].append(sagitta(line) / length)
                found["length"].append(length / film.width)
            found["spacing"].extend(gap / film.width for gap in gaps(side))
    return {name: np.asarray(values) for name, values in found.items()}


def sagitta(line: Line) -> float:
    """Return how far a line's points rise above its chord at most."""
    chord = line[-1] - line[0]
    normal = np.array([chord[1], -chord[0]]) / np.hypot(*chord)
    offsets = (line - line[0]) @ normal
    return float(np.abs(offsets).max())


def gaps(side: list[Line]) -> Iterator[float]:
    """Yield the vertical distances of neighbours in the middle of where both run."""
    for upper, lower in pairwise(side):
        a, b = (line[np.argsort(line[:, 0])] for line in (upper, lower))
        left, right = max(a[0, 0], b[0, 0]), min(a[-1, 0], b[-1, 0])
        if left < right:
            x = (left + right) / 2
            yield float(np.interp(x, b[:, 0], b[:, 1]) - np.interp(x, a[:, 0], a[:, 1]))


def print_table(
    real: dict[str, NDArray[np.float64]], simulated: dict[str, NDArray[np.float64]]
) -> None:
    """Print quartiles and the two-sample Kolmogorov-Smirnov statistic as Markdown."""
    print("| measure | real: quartiles (n) | simulated: quartiles (n) | KS |")
    print("| --- | --- | --- | --- |")
    for name in MEASURES:
        cells = []
        for values in (real[name], simulated[name]):
            low, mid, high = np.percentile(values, [25, 50, 75])
            cells.append(f"{low:.3g} / {mid:.3g} / {high:.3g} ({len(values)})")
        statistic = ks_2samp(real[name], simulated[name]).statistic
        print(f"| {name} | {cells[0]} | {cells[1]} | {statistic:.2f} |")


def draw(
    real: dict[str, NDArray[np.float64]], simulated: dict[str, NDArray[np.float64]], path: Path
) -> None:
    """Draw the distributions side by side."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(MEASURES), figsize=(3 * len(MEASURES), 2.6))
    for axis, (name, about) in zip(axes, MEASURES.items(), strict=True):
        both = np.concatenate([real[name], simulated[name]])
        low, high = np.percentile(both, [0.5, 99.5])
        bins = np.linspace(low, high, 24)
        axis.hist(real[name], bins, density=True, alpha=0.55, label="real")
        axis.hist(simulated[name], bins, density=True, histtype="step", lw=1.6, label="simulated")
        axis.set_title(name, fontsize=10)
        axis.set_xlabel(about, fontsize=7)
        axis.set_yticks([])
        axis.tick_params(labelsize=7)
    axes[0].legend(fontsize=7)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
