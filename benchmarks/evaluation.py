"""What scoring costs, beside MONAI and picai_eval in the same run (each left out where missing).

    python benchmarks/evaluation.py [--replicates 2000] [--most 2000000]

Seconds are processor time of one thread, so that other work on the machine does not count. MONAI
and picai_eval are quadratic in the marks and are run up to 40,000 of them.
"""

import argparse
import importlib
import time

import numpy as np

from ribsight.evaluation.figures import items_of
from ribsight.evaluation.froc import froc_curve, froc_events, froc_score
from ribsight.evaluation.matching import Outcome, match
from ribsight.evaluation.measure import froc_grid, resample
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

SIZES = ((500, 10_000), (2_000, 40_000), (5_000, 500_000), (100_000, 2_000_000))
OTHERS_UP_TO = 40_000


def draw(images, marks, seed=0):
    """Return a truth with a third of images positive, two images a patient, and marks on it."""
    generator = np.random.default_rng(seed)
    state = (np.arange(images) % 3 == 0).astype(np.int8)
    owner = np.repeat(np.flatnonzero(state), generator.integers(1, 4, int(state.sum())))
    low = generator.uniform(50, 900, (len(owner), 2))
    boxes = np.concatenate([low, low + generator.uniform(20, 80, (len(owner), 2))], axis=1)
    patient = np.arange(images) // 2
    truth = Truth(
        "f", tuple(map(str, range(images))), patient, np.full((images, 2), 1024.0), state, owner,
        boxes, patients=tuple(map(str, patient)),
    )  # fmt: skip
    found = generator.permutation(len(owner))[: int(0.8 * len(owner))]
    stray = marks - len(found)
    image = np.concatenate([owner[found], generator.integers(images, size=stray)])
    centre = (boxes[found, :2] + boxes[found, 2:]) / 2
    xy = np.concatenate([centre, generator.uniform(0, 1000, (stray, 2))])
    logit = np.concatenate([generator.normal(1, 1.5, len(found)), generator.normal(-2, 1.5, stray)])
    score = 1 / (1 + np.exp(-logit))
    image_score = np.zeros(images)
    np.maximum.at(image_score, image, score)
    return truth, Reading(image_score, image, xy, score)


def cost(work, repeat=5):
    """Return the least processor seconds of some runs."""
    least = np.inf
    for _ in range(repeat):
        start = time.process_time()
        work()
        least = min(least, time.process_time() - start)
    return least


def monai(table, truth):
    froc = importlib.import_module("monai.metrics.froc")
    hit, false = (table.score[table.outcome == one] for one in (Outcome.HIT, Outcome.FALSE))
    return lambda: froc.compute_froc_curve_data(
        false, hit, len(truth.region_image), len(truth.images)
    )


def picai(table, truth):
    metrics = importlib.import_module("picai_eval.metrics")
    rows = {name: [] for name in range(len(truth.images))}
    for image, score, outcome in zip(table.image, table.score, table.outcome, strict=True):
        if outcome != Outcome.DUPLICATE:
            rows[image].append((int(outcome == Outcome.HIT), float(score), 1.0))
    return lambda: metrics.Metrics(lesion_results=rows).calculate_counts()


def beside(other, table, truth, own):
    """Return what another package takes, and how many times ours."""
    if len(table) > OTHERS_UP_TO:
        return "too many"
    try:
        took = cost(other(table, truth), 1)
    except ImportError:
        return "missing"
    return f"{took:.2f} s {took / own:.0f}x"


def measure(images, marks, replicates):
    """Return the cells of one row."""
    protocol = Protocol()
    small = marks <= OTHERS_UP_TO
    truth, reading = draw(images, marks)
    readings = reading, draw(images, marks, seed=1)[1]
    tables = [match(truth, one, protocol) for one in readings]

    def froc():
        return froc_score(froc_curve(froc_events(tables[0], truth, protocol)), protocol)

    def both(grid=None):
        for one, table in zip(readings, tables, strict=True):
            resample(items_of(truth, one, table), truth, replicates, 0, grid)

    matching = cost(lambda: match(truth, reading, protocol), 5 if small else 1)
    own, drawn = cost(froc, 9), cost(both, 2 if small else 1)
    banded = cost(lambda: both(froc_grid(protocol)), 2 if small else 1)
    others = [beside(other, tables[0], truth, own) for other in (monai, picai)]
    return (
        f"{1000 * matching:.1f} ms",
        f"{1000 * own:.2f} ms",
        *others,
        f"{drawn:.2f} s",
        f"{banded:.2f} s",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--most", type=int, default=2_000_000)
    asked = parser.parse_args()
    print(f"{asked.replicates} resamples of all figures, for two models")
    header = "images", "marks", "matching", "FROC", "MONAI", "picai_eval", "resamples", "with bands"
    print(" ".join(f"{cell:>13s}" for cell in header))
    for images, marks in SIZES:
        if marks <= asked.most:
            cells = str(images), str(marks), *measure(images, marks, asked.replicates)
            print(" ".join(f"{cell:>13s}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
