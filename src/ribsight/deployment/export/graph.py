"""A network as another runtime's graph: normalisation and sigmoid inside, any number of images."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ribsight.detector.network import DetectorNetwork

INPUT, OUTPUT = "images", "maps"
"""Names of the graph's ends: (N, 1, S, S) intensities in [0, 1], (N, K, S/4, S/4) probabilities."""


class Graph(Protocol):
    """What the three formats have in common."""

    def quantised(self, images: Sequence[NDArray[np.float32]]) -> "Graph":
        """Return the graph with 8-bit weights and activations, ranged on (1, 1, S, S) images."""

    def files(self, carried: str) -> dict[str, bytes]:
        """Return the files by name, the main one first, with a text that they carry."""


class Probabilities(nn.Module):
    """A detector's network with the sigmoid that makes its logits probabilities."""

    def __init__(self, network: DetectorNetwork):
        """Wrap a network, and put it into evaluation mode."""
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, 1, S, S) intensities in [0, 1] to (N, K, S/4, S/4) probabilities."""
        return torch.sigmoid(self.network(images))


def example(size: int) -> Tensor:
    """Return a batch to follow the network with. Of two images: one would be taken as fixed."""
    return torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(0))


def exported_program(network: DetectorNetwork, size: int) -> torch.export.ExportedProgram:
    """Return what `torch.export` sees of a network: side S is fixed, the number of images is not.

    The side is fixed because the pixel pipeline makes no other, and a graph of known size is
    smaller and quicker.
    """
    count = torch.export.Dim("count")
    return torch.export.export(
        Probabilities(network), (example(size),), dynamic_shapes=({0: count},)
    )
