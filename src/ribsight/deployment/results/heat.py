"""Probability maps laid over a film."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ribsight.deployment.results.picture import Film
from ribsight.radiographs.preprocess import Affine

_FAINTEST = 0.02
_STRONGEST_COVER = 0.6


@dataclass(frozen=True, eq=False)
class HeatMap:
    """What a detector gave for one image.

    Attributes:
        maps: (K, h, w) probabilities, each about a square of the network image.
        affine: from stored pixels to network pixels.
        size: S, side of the network image in pixels.
    """

    maps: NDArray[np.float32]
    affine: Affine
    size: int


def heat_picture(film: Film, heat: HeatMap) -> Image.Image:
    """Return the film with the largest probability of any finding in colour over it.

    The more probable, the brighter and the less transparent; below 0.02 the film is as it was.
    """
    shown = on_film(heat, film)
    coloured = cv2.applyColorMap(np.rint(255 * shown).astype(np.uint8), cv2.COLORMAP_INFERNO)
    colours = coloured[..., ::-1].astype(np.float32)
    grey = film.pixels[..., None].astype(np.float32)
    cover = np.where(shown > _FAINTEST, _STRONGEST_COVER * np.sqrt(shown), 0)[..., None]
    return Image.fromarray(np.rint(grey * (1 - cover) + colours * cover).astype(np.uint8))


def on_film(heat: HeatMap, film: Film) -> NDArray[np.float32]:
    """Return (h, w) probabilities at the centres of pixels of a film: the largest of all."""
    height, width = film.pixels.shape[:2]
    stored_x = (np.arange(width) + 0.5) / film.scale[0]
    stored_y = (np.arange(height) + 0.5) / film.scale[1]
    network = heat.affine.to_network(np.stack(np.meshgrid(stored_x, stored_y), axis=-1))
    cells = (network * (heat.maps.shape[-1] / heat.size) - 0.5).astype(np.float32)
    largest = np.ascontiguousarray(heat.maps.max(axis=0), dtype=np.float32)
    sampled = cv2.remap(
        largest, cells[..., 0], cells[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(sampled, np.float32).clip(0, 1)
