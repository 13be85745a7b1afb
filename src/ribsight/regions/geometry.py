"""Checked numbers, boxes and polygons of annotation files."""

import math
from collections.abc import Sequence

import numpy as np

from ribsight.regions.annotations import Fault, UnusableError
from ribsight.regions.region import Box, Polygon

MIN_AREA = 1e-6
"""Square pixels; what is drawn smaller than this has no area but rounding."""

ELLIPSE_POINTS = 128


def number(value: object, what: str) -> float:
    """Return a finite number. Raises UnusableError if it is none."""
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        result = float(value)
    except (ValueError, OverflowError):
        raise UnusableError(Fault.NOT_FINITE, f"{what} is {value!r}, not a number") from None
    if not math.isfinite(result):
        raise UnusableError(Fault.NOT_FINITE, f"{what} is {result}, not a finite number")
    return result


def numbers(values: object, what: str, length: int | None = None) -> list[float]:
    """Return finite numbers. Raises UnusableError if one is none, or there are not `length`."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise UnusableError(Fault.REFERENCE, f"{what} is {values!r}, not a list of numbers")
    if length is not None and len(values) != length:
        raise UnusableError(Fault.REFERENCE, f"{what} has {len(values)} numbers, not {length}")
    return [
        float(one)
        if type(one) is float and math.isfinite(one)
        else number(one, f"number {place} of {what}")
        for place, one in enumerate(values, 1)
    ]


def checked_box(x0: float, y0: float, x1: float, y1: float) -> Box:
    """Return the box. Raises UnusableError if corners are swapped or it has no area."""
    said = f"its box goes from x {x0:g} to {x1:g} and y {y0:g} to {y1:g}"
    if x1 < x0 or y1 < y0:
        raise UnusableError(Fault.SWAPPED, f"{said}, so two corners are swapped")
    if not (x1 - x0) * (y1 - y0) >= MIN_AREA:
        raise UnusableError(Fault.NO_AREA, f"{said}, so it has no area")
    return x0, y0, x1, y1


def sized_box(x: float, y: float, width: float, height: float) -> Box:
    """Return the box of a corner and a size. Raises UnusableError if the size is not positive."""
    if width < 0 or height < 0:
        raise UnusableError(Fault.SWAPPED, f"its box has the size {width:g} x {height:g}")
    if not width * height >= MIN_AREA:
        raise UnusableError(Fault.NO_AREA, f"its box has the size {width:g} x {height:g}")
    return x, y, x + width, y + height


def checked_polygon(values: Sequence[float]) -> Polygon:
    """Return x, y, x, y, ... as a polygon. Raises UnusableError if it encloses no area."""
    if len(values) % 2:
        raise UnusableError(Fault.REFERENCE, f"its polygon has {len(values)} numbers")
    polygon = np.array(values, dtype=np.float64).reshape(-1, 2)
    while len(polygon) > 1 and (polygon[0] == polygon[-1]).all():
        polygon = polygon[:-1]
    if len({(x, y) for x, y in polygon.tolist()}) < 3:
        raise UnusableError(Fault.NO_AREA, "its polygon has fewer than three distinct points")
    if abs(signed_area(polygon)) < MIN_AREA:
        raise UnusableError(Fault.NO_AREA, "its polygon has no area")
    return polygon


def signed_area(polygon: Polygon) -> float:
    """Return the area in square pixels, positive if the vertices run clockwise on the screen."""
    # Around the first vertex: far-off coordinates lose no digits, and the edge back to it adds 0.
    x, y = (polygon - polygon[0]).T
    return float(np.dot(x[:-1], y[1:]) - np.dot(y[:-1], x[1:])) / 2


def ellipse(
    centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0
) -> Polygon:
    """Return an ellipse as a polygon whose vertices lie on it.

    Args:
        centre: x, y.
        radii: along x and y before the rotation.
        degrees: rotation, clockwise on the screen.
    """
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_POINTS, endpoint=False)
    points = np.stack([radii[0] * np.cos(angle), radii[1] * np.sin(angle)], axis=1)
    return checked_polygon((_turn(points, degrees) + centre).ravel().tolist())


def rotated(polygon: Polygon, degrees: float, pivot: tuple[float, float]) -> Polygon:
    """Return the polygon turned clockwise (on the screen) around the pivot."""
    return _turn(polygon - pivot, degrees) + pivot


def _turn(points: Polygon, degrees: float) -> Polygon:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]), dtype=np.float64)


def as_axis_box(polygon: Polygon) -> Box | None:
    """Return the box whose four corners the polygon is, or None if it is no upright box."""
    if len(polygon) != 4:
        return None
    (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
    corners = {(x0, y0), (x1, y0), (x1, y1), (x0, y1)}
    steps = (polygon != np.roll(polygon, -1, axis=0)).sum(axis=1)
    if {(x, y) for x, y in polygon} != corners or len(corners) < 4 or (steps != 1).any():
        return None
    return float(x0), float(y0), float(x1), float(y1)


def joined(polygons: Sequence[Polygon]) -> Polygon:
    """Return several polygons as one, joined by seams of no width.

    All run in the same direction then, so the signed area around any point stays what it was.
    """
    ways = [one if signed_area(one) > 0 else one[::-1] for one in polygons]
    if len(ways) == 1:
        return polygons[0]
    rings = [np.concatenate([one, one[:1]]) for one in ways]
    seams = [ways[0]]
    for ring in rings[1:]:
        seams += [ways[0][:1], ring]
    return np.concatenate(seams)


def clip_polygon(polygon: Polygon, width: float, height: float) -> Polygon:
    """Return the part inside 0..width, 0..height (Sutherland and Hodgman 1974); maybe empty."""
    for axis, limit, keep_below in ((0, 0.0, False), (0, width, True), (1, 0.0, False),
                                    (1, height, True)):  # fmt: skip
        if not len(polygon):
            break
        side = limit - polygon[:, axis] if keep_below else polygon[:, axis] - limit
        kept = []
        for index in range(len(polygon)):
            before, here = side[index - 1], side[index]
            if (before < 0) != (here < 0):
                share = before / (before - here)
                cut = polygon[index - 1] + share * (polygon[index] - polygon[index - 1])
                cut[axis] = limit
                kept.append(cut)
            if here >= 0:
                kept.append(polygon[index])
        polygon = np.array(kept, dtype=np.float64).reshape(-1, 2)
    return polygon
