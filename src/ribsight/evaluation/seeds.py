"""Several trainings of one method, and of several amounts of data: means with honest intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ribsight.errors import RibsightError
from ribsight.evaluation.bootstrap import interval, two_sided_p
from ribsight.evaluation.curves import Floats
from ribsight.evaluation.measure import Measured
from ribsight.evaluation.protocol import require_equal
from ribsight.evaluation.results import Figure


@dataclass(frozen=True)
class Summary:
    """One figure of several trainings.

    Attributes:
        key: of the figure.
        seeds: value of each training.
        mean: mean over trainings; its interval is over trainings and patients.
        deviation: standard deviation over trainings; None for one.
    """

    key: str
    seeds: tuple[float, ...]
    mean: Figure
    deviation: float | None


def across_seeds(runs: Sequence[Measured], key: str, *, seed: int = 0) -> Summary:
    """Return the mean of a figure over trainings, with an interval over trainings and patients.

    A resample draws the patients once for all trainings, then as many trainings as there are, with
    replacement. With few trainings this is too narrow rather than too wide: say how many.

    Args:
        runs: of one method, measured under one protocol with the same seed and resamples.
        key: of a figure.
        seed: of the draws of trainings.

    Raises:
        RibsightError: other protocols or truths among the runs, or no such figure.
    """
    for one in runs[1:]:
        require_equal(runs[0].table.protocol, one.table.protocol)
        if one.truth.images != runs[0].truth.images:
            raise RibsightError("trainings can be summed up only on the same images")
    values = [found.value for one in runs if (found := one.result.find(key)) is not None]
    known = [one for one in values if one is not None]
    if len(known) < len(runs):
        raise RibsightError(f"'{key}' is not defined in every training")
    drawn = np.stack([one.replicates[key] for one in runs])
    bounds = interval(resampled_mean(drawn, seed), groups=runs[0].result.counts.groups)
    lone = runs[0].result.counts.groups == 1
    nothing = lone or not bounds.used
    mean = Figure(
        float(np.mean(known)),
        None if nothing else bounds.low,
        None if nothing else bounds.high,
        0 if nothing else bounds.used,
        bounds.dropped,
        "no interval: all images are of one group" if lone else "",
    )
    deviation = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Summary(key, tuple(known), mean, deviation)


def resampled_mean(drawn: Floats, seed: int) -> Floats:
    """Return (R,) mean over trainings drawn anew in each resample, from (S, R) replicates."""
    seeds, replicates = drawn.shape
    generator = np.random.default_rng(seed)
    chosen = generator.integers(seeds, size=(seeds, replicates))
    mean: Floats = np.take_along_axis(drawn, chosen, axis=0).mean(axis=0)
    return mean


def difference_across_seeds(
    a: Sequence[Measured], b: Sequence[Measured], key: str, *, seed: int = 0
) -> tuple[Figure, float | None]:
    """Return mean of b - mean of a with its interval over trainings and patients, and a p value.

    A resample draws the same patients for both methods, and the trainings of each on their own: no
    training of one belongs to one of the other. Arguments and errors as `across_seeds`.
    """
    one, other = across_seeds(a, key, seed=seed), across_seeds(b, key, seed=seed)
    assert one.mean.value is not None
    assert other.mean.value is not None
    if one.mean.low is None or other.mean.low is None:
        return Figure(other.mean.value - one.mean.value, None, None, 0, 0, one.mean.note), None
    drawn = [
        resampled_mean(np.stack([run.replicates[key] for run in runs]), own)
        for runs, own in ((a, seed), (b, seed + 1))
    ]
    differences = drawn[1] - drawn[0]
    bounds = interval(differences, groups=a[0].result.counts.groups)
    value = other.mean.value - one.mean.value
    return Figure(value, bounds.low, bounds.high, bounds.used, bounds.dropped), two_sided_p(
        differences
    )


def learning_curve(
    runs: Mapping[float, Sequence[Measured]], key: str, *, seed: int = 0
) -> list[tuple[float, Summary]]:
    """Return the summary of a figure at each amount of data, amounts rising."""
    return [(amount, across_seeds(runs[amount], key, seed=seed)) for amount in sorted(runs)]
