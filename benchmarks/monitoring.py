"""How often `ribsight monitor` calls drift where there is none, and finds it where there is.

    python benchmarks/monitoring.py [--reports 400] [--permutations 999]

Each report compares 300 reference images with 150 new ones in a score, two rates, intensities that
follow the score, a view and a size. Patients have one image, or three that are alike; those of the
new images are not known to the monitor, as in life. With drift, scores move by a share of their
standard deviation, or one view becomes more frequent.
"""

import argparse

import numpy as np
from scipy.stats import norm

from ribsight.deployment.drift import changes, numbers_column, words_column

REFERENCE, NEW = 300, 150
CASES = (
    ("no drift, one image a patient", {}),
    ("no drift, three images a patient", {"of_one": 3}),
    ("... taken for independent", {"of_one": 3, "known": False}),
    ("scores move by 0.3 deviations", {"shift": 0.3}),
    ("scores move by 0.6 deviations", {"shift": 0.6}),
    ("AP films rise from 30 to 45 %", {"ap": 0.45}),
    ("AP films rise from 30 to 60 %", {"ap": 0.6}),
)


def draw(random, count, of_one, shift, ap):
    """Return images as columns, and whom they are of."""
    groups = np.arange(count) // of_one
    alike = 0.0 if of_one == 1 else 0.5
    habit = random.normal(size=(groups[-1] + 1, 4))[groups]
    latent = np.sqrt(alike) * habit + np.sqrt(1 - alike) * random.normal(size=(count, 4))
    score = norm.cdf(latent[:, 0] + shift)
    return {
        "score": score,
        "doubtful": np.where(score >= 0.3, "yes", "no").tolist(),
        "confident": np.where(score >= 0.9, "yes", "no").tolist(),
        "middle": latent[:, 1] + 0.5 * latent[:, 0],
        "view": np.where(norm.cdf(latent[:, 2]) < ap, "ap", "pa").tolist(),
        "size": np.digitize(norm.cdf(latent[:, 3]), (0.2, 0.5, 0.9)).astype(float),
    }, groups


def report(seed, permutations, *, of_one=1, shift=0.0, ap=0.3, known=True):
    """Return whether anything is called."""
    random = np.random.default_rng(seed)
    before, groups = draw(random, REFERENCE, of_one, 0.0, 0.3)
    now, _ = draw(random, NEW, of_one, shift, ap)
    columns = [
        (words_column if isinstance(before[name], list) else numbers_column)(
            name, before[name], now[name]
        )
        for name in before
    ]
    if not known:
        groups = np.arange(REFERENCE)
    found = changes(columns, groups, permutations=permutations, seed=seed)
    return min(one.p_adjusted for one in found) <= 0.05


def main():
    """Print a line each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=400)
    parser.add_argument("--permutations", type=int, default=999)
    given = parser.parse_args()
    print(f"{given.reports} reports each, {REFERENCE} reference and {NEW} new images")
    for name, case in CASES:
        flagged = np.mean(
            [report(seed, given.permutations, **case) for seed in range(given.reports)]
        )
        error = np.sqrt(flagged * (1 - flagged) / given.reports)
        print(f"{name:34} called in {100 * flagged:5.1f} % (standard error {100 * error:.1f})")


if __name__ == "__main__":
    main()
