"""Do 95 % intervals hold the true value 95 % of the time? Simulated data sets with known truth.

    python benchmarks/coverage.py [--sets 1000] [--replicates 1000] [--patients 200] [--part 1|2|3]

Each data set draws patients with one to four images; a patient's images share a habit of being
marked highly and of being marked wrongly, so they are alike. The true value of every figure is that
of one data set of very many patients. Two detectors share part of what they see.
"""

import argparse
import math
from statistics import NormalDist

import numpy as np

from ribsight.evaluation.bootstrap import interval
from ribsight.evaluation.delong import delong
from ribsight.evaluation.delong_figures import delong_change, delong_figure
from ribsight.evaluation.figures import items_of, replicate
from ribsight.evaluation.matching import match
from ribsight.evaluation.measure import resample
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

SIDE = 1000.0
FIGURES = (
    "auroc", "patient_auroc", "image_ap", "froc_score", "sensitivity_at_0.2", "lesion_ap", "afroc",
    "wafroc", "wafroc1", "brier", "ece", "called/sensitivity", "called/specificity", "called/ppv",
    "called/lesion_precision", "called/lesion_f1",
)  # fmt: skip
PAIRED = ("auroc", "froc_score", "wafroc", "lesion_ap")
DELONG = ("auroc_delong", "patient_auroc_delong")
PLAIN = "auroc_delong, plain"
THRESHOLD = 0.4


def draw(generator, patients, alike):
    """Return a truth and the readings of two detectors."""
    n_images = generator.integers(1, 5, patients) if alike else np.ones(patients, dtype=int)
    patient = np.repeat(np.arange(patients), n_images)
    n = len(patient)
    habit, noise = (generator.normal(size=patients)[patient] * alike for _ in range(2))
    diseased = generator.normal(size=patients)[patient] * alike + generator.normal(size=n) > 0.5
    lesions = np.where(diseased, generator.integers(1, 4, n), 0)
    owner = np.repeat(np.arange(n), lesions)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(lesions) - lesions, lesions)
    corner = np.stack([100 + 250.0 * place, np.full(len(owner), 100.0)], axis=1)
    truth = Truth(
        finding="f",
        images=tuple(map(str, range(n))),
        groups=patient,
        sizes=np.full((n, 2), SIDE),
        state=diseased.astype(np.int8),
        region_image=owner,
        region_boxes=np.concatenate([corner, corner + 50], axis=1),
        patients=tuple(map(str, patient)),
    )
    seen = generator.normal(size=len(owner))
    readings = []
    for skill in (1.2, 1.5):
        found = generator.random(len(owner)) < 0.85
        image = owner[found]
        hit = skill + 0.8 * habit[image] + 0.8 * seen[found] + generator.normal(size=len(image))
        false = np.repeat(np.arange(n), generator.poisson(1.2 * np.exp(0.5 * noise)))
        wrong = -1.5 + 0.8 * habit[false] + 1.2 * generator.normal(size=len(false))
        score = 1 / (1 + np.exp(-np.concatenate([hit, wrong])))
        mark_image = np.concatenate([image, false])
        image_score = np.zeros(n)
        np.maximum.at(image_score, mark_image, score)
        xy = np.concatenate([corner[found] + 25, generator.uniform(500, 990, (len(false), 2))])
        readings.append(Reading(image_score, mark_image, xy, score))
    return truth, readings


def plain(key):
    """Return the figure that an interval's or a difference's name is about."""
    return key.partition(",")[0].removesuffix("_delong")


def figures(truth, reading, replicates, seed):
    """Return what the data say; with replicates, resampled."""
    table = match(truth, reading, Protocol())
    items = items_of(truth, reading, table, thresholds=[("called", THRESHOLD)])
    if not replicates:
        return replicate(items, np.ones((1, len(truth.images)))).figures
    return resample(items, truth, replicates, seed)


def cover(name, alike, by_image, sets, replicates, patients):
    generator = np.random.default_rng(1)
    truth, readings = draw(generator, 60_000, alike)
    true = [figures(truth, one, 0, 0) for one in readings]
    paired = [f"{key}, difference" for key in (*PAIRED, *DELONG)]
    held = dict.fromkeys([*FIGURES, *DELONG, PLAIN, *paired], 0)
    images = 0
    streams = np.random.SeedSequence(0).spawn(sets)
    for number, stream in enumerate(streams):
        truth, readings = draw(np.random.default_rng(stream), patients, alike)
        images += len(truth.images)
        if by_image:
            truth = Truth(**{**vars(truth), "groups": np.arange(len(truth.images)), "patients": ()})
        one, other = (figures(truth, reading, replicates, number) for reading in readings)
        for key in FIGURES:
            if key in one.plain.figures:
                at = one.figure(key)
                held[key] += at.low <= true[0][key][0] <= at.high
        for key in DELONG:
            if truth.patients:
                at = delong_figure(truth, readings[0], key).figure
                wanted = true[0][plain(key)][0]
                held[key] += at.low is not None and at.low <= wanted <= at.high
                at = delong_change(truth, *readings, key).difference
                wanted = true[1][plain(key)][0] - wanted
                held[f"{key}, difference"] += at.low <= wanted <= at.high
        exact = delong(readings[0].image_scores, truth.positive)
        held[PLAIN] += exact.low <= true[0]["auroc"][0] <= exact.high
        for key in PAIRED:
            at = interval(other.drawn.figures[key] - one.drawn.figures[key], groups=one.groups)
            held[f"{key}, difference"] += at.low <= true[1][key][0] - true[0][key][0] <= at.high
    print(f"\n{name}: {sets} data sets of {patients} patients, {images / sets:.0f} images each")
    print(f"{'figure':30s} {'true':>7s}  cover   outside 93-97 %")
    for key, count in held.items():
        if by_image and ("delong" in key or key == "patient_auroc"):
            continue
        value = true[0][plain(key)][0]
        if key.endswith("difference"):
            value = true[1][plain(key)][0] - value
        share = 100 * count / sets
        print(f"{key:30s} {value:7.3f}  {share:4.1f} %  {'' if 93 <= share <= 97 else 'OUTSIDE'}",
              flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--part", type=int, choices=(1, 2, 3), help="only this [default: all]")
    asked = parser.parse_args()
    rest = asked.sets, asked.replicates, asked.patients
    error = 100 * math.sqrt(0.95 * 0.05 / asked.sets) * NormalDist().inv_cdf(0.975)
    print(f"95 % intervals, {asked.replicates} resamples; chance alone moves a cover of 95.0 % by "
          f"+- {error:.1f}")  # fmt: skip
    parts = (
        ("Independent images, resampled one by one", 0, False),
        ("Images of a patient alike, patients resampled", 1, False),
        ("Images of a patient alike, images resampled (wrong)", 1, True),
    )
    for number, part in enumerate(parts, start=1):
        if asked.part in (None, number):
            cover(*part, *rest)


if __name__ == "__main__":
    main()
