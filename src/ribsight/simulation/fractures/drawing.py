"""Where a break lies on a film, how well it shows, and what an expert draws around it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ribsight.simulation.projection.camera import Camera
from ribsight.simulation.projection.exposure import Exposure, Signal
from ribsight.simulation.truth import Point

MARGIN = 1.5
"""mm at the detector around the break's zone."""
VISIBLE = 3.0
"""Contrast-to-noise ratio from which a fracture counts as visible. Rose (1948) asks for about 5 on
an even ground for a detail as a whole; a fracture changes some twenty pixels at 512 x 512, each
against this ratio, but among ribs and vessels. Below 2 nothing is seen, below 3 hardly anything."""
_CHANGED = 0.1


def outline_of(zone: NDArray[np.float64], camera: Camera) -> tuple[Point, ...]:
    """Return the convex outline of a break's zone (Z, 3) mm on the film, with a margin.

    Empty when its middle lies outside the film.
    """
    pixels, _ = camera.project(zone)
    middle = pixels.mean(axis=0)
    if not ((middle > 0) & (middle < [camera.width, camera.height])).all():
        return ()
    around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    disc = MARGIN / camera.pixel_spacing * np.stack([np.cos(around), np.sin(around)], axis=1)
    hull = cv2.convexHull((pixels[:, None] + disc).reshape(-1, 2).astype(np.float32))[:, 0]
    inside = hull.clip(0, [camera.width, camera.height])
    return tuple((float(x), float(y)) for x, y in inside)


def contrast_to_noise(
    broken: Signal, intact: Signal, exposure: Exposure, outline: tuple[Point, ...],
    offset: tuple[int, int] = (0, 0),
) -> float:  # fmt: skip
    """Return how much a break changes the film against the noise, inside its outline.

    The root mean square of the difference of expected signals over the pixels that change at
    least a tenth as much as the one that changes most, divided by the noise there.

    Args:
        broken: (h, w) expected signal with the break, a part of the film.
        intact: the same without it.
        exposure: the whole film, for the noise.
        outline: polygon in pixels of the film.
        offset: left, top of the part.

    """
    left, top = offset
    height, width = broken.shape
    mask = np.zeros((height, width), np.uint8)
    corners = np.round(np.asarray(outline) - [left + 0.5, top + 0.5]).astype(np.int32)
    cv2.fillPoly(mask, [corners], 1)
    noise = exposure.noise[top : top + height, left : left + width]
    ratio = np.abs(broken - intact)[mask > 0] / noise[mask > 0]
    if ratio.size == 0:
        return 0.0
    changed = ratio[ratio >= _CHANGED * ratio.max()]
    return float(np.sqrt(np.mean(changed**2)))


def drawn_by_reader(
    outline: tuple[Point, ...], width: int, height: int, random: np.random.Generator
) -> tuple[Point, ...]:
    """Return the polygon an expert draws: around the outline, generous and uneven.

    Every corner is moved away from the middle by 0 to 40 per cent, neighbours alike, and not over
    the edge of the film, `width` by `height` pixels; since the outline is convex, the drawing
    holds all of it.
    """
    corners = np.asarray(outline, dtype=np.float64)
    middle = corners.mean(axis=0)
    knots = random.uniform(1.0, 1.4, 6)
    place = np.linspace(0, 6, len(corners), endpoint=False)
    factor = np.interp(place, np.arange(7), np.append(knots, knots[0]))
    moved = (middle + (corners - middle) * factor[:, None]).clip(0, [width, height])
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in moved)
