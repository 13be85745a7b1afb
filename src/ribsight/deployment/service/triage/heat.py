"""Probability maps -> pictures that cover the stored image exactly."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ribsight.detector.maps import StoredImage
from ribsight.detector.settings import STRIDE

LONGEST_SIDE = 512


def heat_png(probability: NDArray[np.float32], stored: StoredImage) -> bytes:
    """Return a map as a PNG of one byte a pixel, 255 for certain, over the whole stored image.

    Args:
        probability: (h, w) at stride `STRIDE` of the network image.
        stored: the image's size and its affine to network pixels.
    """
    longer = max(stored.width, stored.height)
    size = (
        max(round(stored.width * LONGEST_SIDE / longer), 1),
        max(round(stored.height * LONGEST_SIDE / longer), 1),
    )
    per_pixel = np.array([stored.width / size[0], stored.height / size[1]])
    # Three corners say where each picture pixel's centre lies among the centres of the map's cells.
    corners = np.array([[0.0, 0.0], [size[0], 0.0], [0.0, size[1]]]) + 0.5
    cells = stored.affine.to_network(corners * per_pixel) / STRIDE - 0.5
    to_cells = cv2.getAffineTransform(
        np.asarray(corners - 0.5, np.float32), np.asarray(cells, np.float32)
    )
    warped = cv2.warpAffine(
        probability,
        to_cells,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    picture = Image.fromarray(np.rint(255 * np.clip(warped, 0, 1)).astype(np.uint8))
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()
