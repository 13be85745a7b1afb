"""Random views of a network image. Every number comes from the generator that is handed in."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ribsight.detector.maps import NetworkImage
from ribsight.distillation.recipe import AugmentationSettings

Matrix = NDArray[np.float64]
"""(2, 3) affine matrix on network pixels; origin at the top-left corner of the top-left pixel."""


def draw_geometry(settings: AugmentationSettings, size: int, random: np.random.Generator) -> Matrix:
    """Draw flips, rotation, scale and shift about the middle of a (size, size) image."""
    flip_x, flip_y, turn, grow, shift_x, shift_y = random.random(6)
    angle = np.deg2rad(settings.rotation) * (2 * turn - 1)
    scale = (1 + settings.scale) ** (2 * grow - 1)
    flip = np.diag(
        [
            -1.0 if flip_x < settings.flip_horizontal else 1.0,
            -1.0 if flip_y < settings.flip_vertical else 1.0,
        ]
    )
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * rotation @ flip
    middle = np.full(2, size / 2)
    shift = settings.shift * size * (2 * np.array([shift_x, shift_y]) - 1)
    return np.column_stack([linear, middle - linear @ middle + shift])


def centred_on(point: NDArray[np.float64], matrix: Matrix, size: int) -> Matrix:
    """Return `matrix`, about the middle of a (size, size) view, after moving `point` there.

    The result maps pixels of a whole image straight into a view of it: `warp` cuts out the view
    without warping the image.
    """
    linear = matrix[:, :2]
    return np.column_stack([linear, matrix[:, 2] + linear @ (size / 2 - point)])


def warp(image: NetworkImage, matrix: Matrix, size: int | None = None) -> NetworkImage:
    """Return the image moved by `matrix`, bilinear, zero outside.

    Args:
        image: (H, W).
        matrix: from the pixels of the image to those of the result.
        size: side of the result, (size, size); None keeps (H, W).

    """
    # OpenCV counts from the middle of the top-left pixel, the house from its corner.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    height, width = image.shape if size is None else (size, size)
    return cv2.warpAffine(image, centred, (width, height), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def warp_points(points: NDArray[np.float64], matrix: Matrix) -> NDArray[np.float64]:
    """Return points (P, 2) in network pixels moved by `matrix`."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def perturb(
    image: NDArray[np.float32],
    settings: AugmentationSettings,
    random: np.random.Generator,
    strength: float = 1.0,
) -> NDArray[np.float32]:
    """Change the intensities of an image in [0, 1]: gamma, contrast, brightness, noise.

    Args:
        image: (S, S).
        settings: the largest changes.
        random: the source of every number, through a seed those of the noise.
        strength: factor on every largest change.

    Returns:
        (S, S), clipped to [0, 1].

    """
    gamma, contrast, brightness = strength * (2 * random.random(3) - 1)
    noise = strength * settings.noise * random.random()
    changed = np.power(image, np.float32(2.0 ** (settings.gamma * gamma)))
    factor = np.float32(1 + settings.contrast * contrast)
    mean = changed.mean()
    changed *= factor
    changed += mean - mean * factor + np.float32(settings.brightness * brightness)
    # torch makes normal numbers several times as fast as numpy.
    source = torch.Generator().manual_seed(int(random.integers(2**63)))
    changed += torch.empty(image.shape).normal_(0.0, float(noise), generator=source).numpy()
    return np.clip(changed, 0.0, 1.0, out=changed)
