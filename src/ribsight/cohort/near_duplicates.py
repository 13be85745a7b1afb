"""Copies of one film under several names: turned, mirrored, inverted, saved again, cut, resized.

Copies with the same pixels are told by their hash. These are told by what they look like:
candidates are nearest neighbours by the low frequencies of the local contrast, in all eight
orientations and of either polarity; a candidate is a pair if, registered by an affine map, the fine
local contrast of both correlates. Two films of one patient show the same bones and do not.
(Registration: enhanced correlation coefficient, Evangelidis and Psarakis, PAMI 2008.)
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from tqdm import tqdm

from ribsight.cohort.cache import fill_cache
from ribsight.cohort.pictures import (
    ORIENTATIONS,
    SMALL,
    Picture,
    Pictures,
    oriented,
    oriented_frequencies,
)
from ribsight.cohort.tables import NEAR_DUPLICATES, Cohort
from ribsight.cohort.workers import progress_bar

MIN_CORRELATION = 0.82
"""Of the fine local contrast of registered copies; `benchmarks/cohort.py` chooses and measures."""
MIN_COARSE = 0.82
"""Of the coarse local contrast, from which it is worth while to look at the fine one."""
MIN_SIMILARITY = 0.75
"""Of the low frequencies, from which a neighbour is a candidate."""
NEIGHBOURS = 6
"""Candidates of one picture."""

_BLOCK = 256
_COARSE_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 1e-3)
_FINE_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 6, 1e-4)
_FAILED = -1.0


@dataclass(frozen=True)
class Candidate:
    """Two pictures that may show one film.

    Attributes:
        first, second: indices of radiographs, `first < second`.
        first_picture, second_picture: which of their pictures.
        orientation: of the second, as `ORIENTATIONS`.
        inverted: whether light and dark are exchanged.
    """

    first: int
    first_picture: int
    second: int
    second_picture: int
    orientation: int
    inverted: bool


def find_near_duplicates(
    cohort: Cohort, folder: Path, *, processes: int = 1, progress: bool = True
) -> Cohort:
    """Return the cohort with the table `near_duplicates`.

    Pixels come from the cache in `folder`, which is filled with what it lacks. Time grows with the
    square of the radiographs in the search for candidates, and with their number in looking at
    them. The table does not depend on `processes`.

    Raises:
        RibsightError: as `fill_cache` does.
    """
    cache = fill_cache(cohort, SMALL, folder, processes=processes, progress=progress)
    sizes = cohort.radiographs.select("width", "height").to_numpy().astype(np.int64)
    pairs = near_duplicate_pairs(Pictures(cache, sizes), processes=processes, progress=progress)
    ids = cohort.ids
    rows = [
        (
            *sorted((ids[one.first], ids[one.second])),
            correlation,
            ORIENTATIONS[one.orientation],
            one.inverted,
        )
        for one, correlation in pairs
    ]
    table = pl.DataFrame(rows, schema=NEAR_DUPLICATES, orient="row").sort("first", "second")
    return replace(cohort, near_duplicates=table)


def near_duplicate_pairs(
    pictures: Pictures, *, processes: int = 1, progress: bool = True
) -> list[tuple[Candidate, float]]:
    """Return each pair of radiographs that show one film, with its correlation."""
    count = len(pictures)
    with progress_bar(count, "near duplicates: looks", progress=progress) as bar:
        looks, owner, number = _descriptors(pictures, bar)
    with progress_bar(count, "near duplicates: neighbours", progress=progress) as bar:
        candidates = list(_candidates(looks, owner, number, bar))
    best: dict[tuple[int, int], tuple[Candidate, float]] = {}
    look = partial(correlation, pictures)
    bar = progress_bar(len(candidates), "near duplicates: pairs", progress=progress)
    with bar, ThreadPoolExecutor(processes) as pool:
        # A few at a time: the pool would queue millions.
        stream = iter(candidates)
        while some := list(islice(stream, _BLOCK)):
            for one, found in zip(some, pool.map(look, some), strict=True):
                key = one.first, one.second
                if found >= MIN_CORRELATION and (key not in best or found > best[key][1]):
                    best[key] = one, found
            bar.update(len(some))
    return [best[key] for key in sorted(best)]


def correlation(pictures: Pictures, one: Candidate) -> float:
    """Return how much alike two pictures are, fine contrast registered; -1 if not even coarsely."""
    first = pictures.of(one.first)[one.first_picture]
    second = pictures.of(one.second)[one.second_picture]
    return registered_correlation(first, second, one.orientation, inverted=one.inverted)


def registered_correlation(
    first: Picture, second: Picture, orientation: int, *, inverted: bool
) -> float:
    """Return the correlation of `first` and the oriented `second`; -1 if not even coarsely."""
    sign = np.float32(-1 if inverted else 1)
    start = np.eye(2, 3, dtype=np.float32)
    coarse, warp = _register(
        first.coarse, sign * oriented(second.coarse, orientation), start, _COARSE_STEPS, 3
    )
    if coarse < MIN_COARSE:
        return _FAILED
    # Pixel centres are half a pixel from the corner at either scale.
    warp = warp.copy()
    warp[:, 2] = 2 * warp[:, 2] + 0.5 * (warp[:, :2].sum(axis=1) - 1)
    fine, _ = _register(first.fine, sign * oriented(second.fine, orientation), warp, _FINE_STEPS, 1)
    return fine


def _register(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    warp: NDArray[np.float32],
    steps: tuple[int, int, float],
    blur: int,
) -> tuple[float, NDArray[np.float32]]:
    try:
        found, warp = cv2.findTransformECC(  # type: ignore[call-overload]
            first, second, warp, cv2.MOTION_AFFINE, steps, None, blur
        )
    except cv2.error:  # does not converge: not the same film
        return _FAILED, warp
    return float(found), warp


def _descriptors(
    pictures: Pictures, bar: "tqdm[NoReturn]"
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Return (V, F, F) frequencies, and (V,) whose they are and of which of their pictures."""
    looks: list[NDArray[np.float32]] = []
    owner: list[int] = []
    number: list[int] = []
    for index in range(len(pictures)):
        low = pictures.descriptors(index)
        looks.append(low)
        owner += [index] * len(low)
        number += range(len(low))
        bar.update()
    return np.concatenate(looks), np.array(owner), np.array(number)


def _candidates(
    looks: NDArray[np.float32],
    owner: NDArray[np.int64],
    number: NDArray[np.int64],
    bar: "tqdm[NoReturn]",
) -> Iterator[Candidate]:
    """Yield the nearest neighbours of every picture among those after it."""
    flat = looks.reshape(len(looks), -1)
    for start in range(0, len(looks), _BLOCK):
        block = slice(start, start + _BLOCK)
        later = flat[start:]
        # Turning the later picture by the inverse is what is named, so the earlier is turned here.
        signed = np.zeros((len(looks[block]), len(later)), dtype=np.float32)
        orientation = np.zeros(signed.shape, dtype=np.int8)
        for named, undone in enumerate(_INVERSE):
            turned = oriented_frequencies(looks[block], undone).reshape(-1, flat.shape[1])
            likeness = turned @ later.T
            better = np.abs(likeness) > np.abs(signed)
            signed[better] = likeness[better]
            orientation[better] = named
        strength = np.abs(signed)
        strength[owner[block][:, None] >= owner[start:][None]] = 0
        for row in range(len(strength)):
            for column in _strongest(strength[row]):
                yield Candidate(
                    first=int(owner[start + row]),
                    first_picture=int(number[start + row]),
                    second=int(owner[start + column]),
                    second_picture=int(number[start + column]),
                    orientation=int(orientation[row, column]),
                    inverted=bool(signed[row, column] < 0),
                )
        bar.update(len(set(owner[block])))


_INVERSE = (0, 1, 2, 3, 4, 6, 5, 7)
"""The orientation that undoes each."""


def _strongest(strength: NDArray[np.float32]) -> Sequence[int]:
    above = np.flatnonzero(strength > MIN_SIMILARITY)
    if len(above) > NEIGHBOURS:
        above = above[np.argsort(-strength[above], kind="stable")[:NEIGHBOURS]]
    return [int(one) for one in above]
