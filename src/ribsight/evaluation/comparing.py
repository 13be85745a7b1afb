"""Is one detector better than another: permutation of patients, and many comparisons at once."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ribsight.evaluation.curves import Floats
from ribsight.evaluation.figures import Items, items_of, replicate
from ribsight.evaluation.froc import false_marks
from ribsight.evaluation.matching import MatchTable
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

PERMUTED = ("auroc", "patient_auroc", "froc_score", "wafroc")
"""Figures that depend on the order of scores alone, and so can be permuted."""

_AT_ONCE = 100


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values adjusted for being a family, step-down; None stays None and is not counted.

    The chance of any false alarm in the family is held. Holm, Scandinavian Journal of Statistics 6
    (1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for done, (p, place) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - done) * p))
        adjusted[place] = highest
    return adjusted


def permutation_p(
    truth: Truth,
    a: tuple[Reading, MatchTable],
    b: tuple[Reading, MatchTable],
    *,
    permutations: int,
    seed: int,
) -> dict[str, float]:
    """Return two-sided p values of "it does not matter which detector said what", by figure.

    Each group (patient) keeps or exchanges the two detectors' answers, all of its images together.
    Scores are first put on each detector's own scale of rank (of images) and of false positives
    passed (of marks), so that only their order matters: Bandos, Rockette and Gur, Statistics in
    Medicine 24 (2005). p = (1 + #{|d| >= |d observed|}) / (permutations + 1).

    Args:
        truth: N images of known state.
        a: reading and matches of one detector.
        b: of the other, under the same protocol.
        permutations: how many.
        seed: of `numpy.random.default_rng`.
    """
    items = items_of(*_pooled(truth, (_ranked(*a), _ranked(*b))), lean=True)
    generator = np.random.default_rng(seed)
    groups = int(truth.groups.max()) + 1
    observed = _differences(items, np.zeros((1, len(truth.images))))
    reached = dict.fromkeys(observed, 0)
    for start in range(0, permutations, _AT_ONCE):
        rows = min(_AT_ONCE, permutations - start)
        swapped = generator.integers(2, size=(rows, groups))[:, truth.groups].astype(float)
        for key, values in _differences(items, swapped).items():
            # A hair below, so that an equal difference is not missed by rounding.
            reached[key] += int((np.abs(values) >= np.abs(observed[key]) - 1e-12).sum())
    return {key: (1 + count) / (permutations + 1) for key, count in reached.items()}


def _differences(items: Items, swapped: Floats) -> dict[str, Floats]:
    """Return (R,) b - a where `swapped` (R, N) is 1 on images whose answers are exchanged."""
    a = replicate(items, np.concatenate([1 - swapped, swapped], axis=1)).figures
    b = replicate(items, np.concatenate([swapped, 1 - swapped], axis=1)).figures
    return {key: b[key] - a[key] for key in PERMUTED if key in a}


def _pooled(
    truth: Truth, both: tuple[tuple[Reading, MatchTable], ...]
) -> tuple[Truth, Reading, MatchTable]:
    """Return 2 N images: all of detector a, then all of b."""
    (reading_a, a), (reading_b, b) = both
    n, regions = len(truth.images), len(truth.region_image)
    twice = Truth(
        finding=truth.finding,
        images=truth.images * 2,
        groups=np.concatenate([truth.groups, truth.groups + int(truth.groups.max()) + 1]),
        sizes=np.tile(truth.sizes, (2, 1)),
        state=np.tile(truth.state, 2),
        region_image=np.concatenate([truth.region_image, truth.region_image + n]),
        region_boxes=np.tile(truth.region_boxes, (2, 1)),
        patients=tuple(f"{which}{one}" for which in "ab" for one in truth.patients),
        ignored_image=np.concatenate([truth.ignored_image, truth.ignored_image + n]),
        ignored_boxes=np.tile(truth.ignored_boxes, (2, 1)),
    )
    order = np.argsort(-np.concatenate([a.score, b.score]), kind="stable")
    region_b = np.where(b.region >= 0, b.region + regions, -1)
    table = MatchTable(
        image=np.concatenate([a.image, b.image + n])[order],
        score=np.concatenate([a.score, b.score])[order],
        x=np.concatenate([a.x, b.x])[order],
        y=np.concatenate([a.y, b.y])[order],
        region=np.concatenate([a.region, region_b])[order],
        outcome=np.concatenate([a.outcome, b.outcome])[order],
        overlap=np.concatenate([a.overlap, b.overlap])[order],
        protocol=a.protocol,
    )
    scores = np.concatenate([reading_a.image_scores, reading_b.image_scores])
    empty = np.zeros(0)
    reading = Reading(scores, empty.astype(np.int64), empty.reshape(0, 2), empty)
    return twice, reading, table


def _ranked(reading: Reading, table: MatchTable) -> tuple[Reading, MatchTable]:
    """Return the same answers on a scale that two detectors share, in the same order."""
    _, place, counts = np.unique(reading.image_scores, return_inverse=True, return_counts=True)
    mid = np.cumsum(counts) - (counts - 1) / 2
    false = np.sort(-table.score[false_marks(table, table.protocol)])
    above = np.searchsorted(false, -table.score, side="left")
    through = np.searchsorted(false, -table.score, side="right")
    # Hits between two false marks tie with each other, which no permuted figure notices.
    score = -(above + through) / 2
    return replace(reading, image_scores=mid[place]), replace(table, score=score)
