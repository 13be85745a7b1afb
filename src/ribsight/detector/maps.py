"""Network images -> probability maps -> predictions, for whoever has a network in hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ribsight.detector.marks import to_marks
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.settings import MarkSettings
from ribsight.evaluation.predictions import FindingPrediction
from ribsight.radiographs.preprocess import Affine

NetworkImage = NDArray[np.uint8] | NDArray[np.uint16]


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


def probability_maps(
    network: DetectorNetwork, images: Sequence[NetworkImage], device: torch.device
) -> NDArray[np.float32]:
    """Run a network in evaluation mode on network images.

    Args:
        network: already on `device` and in evaluation mode.
        images: N arrays (S, S) of uint8 or uint16.
        device: where the network is.

    Returns:
        (N, K, S/4, S/4) probabilities.

    """
    batch = np.stack([to_unit_interval(image) for image in images])[:, None]
    with torch.inference_mode():
        logits = network(torch.from_numpy(batch).to(device))
        maps: NDArray[np.float32] = torch.sigmoid(logits.float()).cpu().numpy()
    return maps


def to_unit_interval(image: NetworkImage) -> NDArray[np.float32]:
    """Return the samples of a network image as float32 in [0, 1]."""
    return image.astype(np.float32) / np.float32(np.iinfo(image.dtype).max)


def batches(count: int, size: int) -> Iterator[range]:
    """Yield consecutive index ranges of at most `size` that cover `range(count)`."""
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
