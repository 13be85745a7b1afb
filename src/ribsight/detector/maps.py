"""Network images -> probability maps -> predictions, whatever runs the network."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.detector.marks import to_marks
from ribsight.detector.settings import MarkSettings
from ribsight.evaluation.predictions import FindingPrediction
from ribsight.radiographs.preprocess import Affine

NetworkImage = NDArray[np.uint8] | NDArray[np.uint16]
MapFunction = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(N, 1, S, S) intensities in [0, 1] -> (N, K, S/4, S/4) probabilities: a network, its
normalisation and the sigmoid, in whatever runs them (`runtimes`)."""


@dataclass(frozen=True)
class StoredImage:
    """Where a network image comes from: its affine and its stored size in pixels."""

    affine: Affine
    width: int
    height: int


def read_maps(
    maps: NDArray[np.float32],
    findings: Sequence[str],
    settings: MarkSettings,
    stored: StoredImage,
) -> dict[str, FindingPrediction]:
    """Read image scores (each map's maximum) and marks off the (K, h, w) maps of one image."""
    return {
        name: FindingPrediction(
            score=float(one.max()),
            marks=to_marks(one, settings, stored.affine, stored.width, stored.height),
        )
        for name, one in zip(findings, maps, strict=True)
    }


def probability_maps(maps_of: MapFunction, images: Sequence[NetworkImage]) -> NDArray[np.float32]:
    """Return the (N, K, S/4, S/4) probabilities of N network images (S, S)."""
    return maps_of(np.stack([to_unit_interval(image) for image in images])[:, None])


def to_unit_interval(image: NetworkImage) -> NDArray[np.float32]:
    """Return the samples of a network image as float32 in [0, 1]."""
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def batches(count: int, size: int) -> Iterator[range]:
    """Yield consecutive index ranges of at most `size` that cover `range(count)`."""
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
