"""The network as torch runs it, operation by operation."""

import numpy as np
import torch
from numpy.typing import NDArray

from ribsight.detector.maps import MapFunction
from ribsight.detector.network import DetectorNetwork


def eager(network: DetectorNetwork, device: torch.device) -> MapFunction:
    """Return the maps of a network that is on `device` and in evaluation mode when it is called."""

    def maps_of(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits = network(torch.from_numpy(batch).to(device))
            maps: NDArray[np.float32] = torch.sigmoid(logits.float()).cpu().numpy()
        return maps

    return maps_of


def eager_on(network: DetectorNetwork, device: str, threads: int | None = None) -> MapFunction:
    """Move a trained network to a device, in the layout that is quickest, and return its maps."""
    if threads is not None:
        torch.set_num_threads(threads)
    where = torch.device(device)
    return eager(network.to(memory_format=torch.channels_last).to(where).eval(), where)
