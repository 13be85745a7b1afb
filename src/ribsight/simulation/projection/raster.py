"""How far each ray runs inside closed surfaces: triangles scanned onto the detector.

The length of a ray inside a closed surface is the sum of its exits minus the sum of its entries.
Each triangle adds its own crossing to the pixels it covers, so any number of surfaces costs one
scan of their triangles. Corners are snapped to 1/256 pixel and edges follow the top-left rule, in
integers: a pixel centre on a shared edge belongs to exactly one of the two triangles, and no ray
leaks through a seam.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ribsight.simulation.mesh import Mesh
from ribsight.simulation.projection.camera import Camera

Lengths = NDArray[np.float32]
"""(H, W) mm."""

_SUBPIXELS = 256
# A vertex further than this from the film (in pixels) would overflow the integer products.
_FARTHEST = 1 << 18


def path_length(mesh: Mesh, camera: Camera, fine: int = 1) -> Lengths:
    """Return how far the ray through each pixel's middle runs inside the surfaces of `mesh`.

    Overlapping surfaces count as often as they overlap.

    Args:
        mesh: closed surfaces.
        camera: the beam.
        fine: mean over this many rays along each side of a pixel, for edges finer than pixels.

    Returns:
        (H, W) mm.

    """
    lengths: Lengths = weighted_lengths([(mesh, (1.0,))], camera, fine)[0]
    return lengths


def weighted_lengths(
    parts: Sequence[tuple[Mesh, Sequence[float]]], camera: Camera, fine: int = 1
) -> NDArray[np.float32]:
    """Return weighted sums of path lengths in one scan.

    Args:
        parts: surfaces, and for each of C sums the weight with which their length counts.
        camera: the beam.
        fine: see `path_length`.

    Returns:
        (C, H, W) mm.

    """
    channels = len(parts[0][1])
    sums = np.zeros((camera.height, camera.width, channels), np.float32)
    beam, turn = _beam(camera, fine), _turn(camera)
    for mesh, weights in parts:
        if len(mesh.triangles):
            share = np.asarray(weights, np.float32) / np.float32(fine * fine)
            corners, nearness = _seen(mesh, beam)
            _scan_sum(sums, corners, nearness, mesh.triangles, turn, share, fine)
    rays = ray_lengths(camera)
    return np.stack([sums[..., k] * rays for k in range(channels)])


def spans(mesh: Mesh, camera: Camera) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where each ray first enters and last leaves `mesh`.

    Returns:
        Two (H, W) arrays: shares of the way from the source to the detector's plane; a ray that
        misses enters at 2 and leaves at -1.

    """
    shape = (camera.height, camera.width)
    enters, leaves = np.full(shape, 2.0, np.float32), np.full(shape, -1.0, np.float32)
    corners, nearness = _seen(mesh, _beam(camera, 1))
    _scan_span(enters, leaves, corners, nearness, mesh.triangles)
    return enters, leaves


@lru_cache(maxsize=4)
def ray_lengths(camera: Camera) -> Lengths:
    """Return the distance from the source to the middle of each pixel, (H, W) mm.

    One film asks for those of its camera many times: they are kept, and nobody may write to them.
    """
    x = (np.arange(camera.width) + 0.5 - camera.width / 2) * camera.pixel_spacing
    y = (np.arange(camera.height) + 0.5 - camera.height / 2) * camera.pixel_spacing
    to_centre = camera.centre - camera.source
    x, y = x + to_centre @ camera.right, y + to_centre @ camera.down
    squares = camera.source_to_detector**2 + (x * x)[None, :] + (y * y)[:, None]
    lengths = np.sqrt(squares).astype(np.float32)
    lengths.setflags(write=False)
    return lengths


def pixel_box(mesh: Mesh, camera: Camera, margin: int = 0) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom (exclusive) of the pixels a mesh can touch."""
    pixels, _ = camera.project(mesh.vertices)
    low = np.floor(pixels.min(axis=0)).astype(int) - margin
    high = np.ceil(pixels.max(axis=0)).astype(int) + margin
    left, top = max(low[0], 0), max(low[1], 0)
    right, bottom = min(high[0], camera.width), min(high[1], camera.height)
    return left, top, max(right, left), max(bottom, top)


def _beam(camera: Camera, fine: int) -> NDArray[np.float64]:
    """Return the (3, 4) projection matrix onto the film in `fine`-fold pixels.

    Its rows give x and y times depth, and depth as a share of the way to the detector, of
    (point - source, 1).
    """
    scale = fine / camera.pixel_spacing
    offset = camera.centre - camera.source
    reach = camera.source_to_detector
    axis = camera.axis / reach
    # The film's middle is at half its size; the constant is taken along with the depth.
    x = camera.right * scale + axis * (fine * camera.width / 2 - offset @ camera.right * scale)
    y = camera.down * scale + axis * (fine * camera.height / 2 - offset @ camera.down * scale)
    matrix = np.stack([x, y, axis])
    return np.concatenate([matrix, -(matrix @ camera.source)[:, None]], axis=1)


def _turn(camera: Camera) -> int:
    """Return -1 if the film shows the world mirrored (seen from behind), else 1."""
    return 1 if np.cross(camera.right, camera.down) @ camera.axis > 0 else -1


def _seen(mesh: Mesh, beam: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return snapped corners (V, 2) and 1 / share of the way to the detector (V,)."""
    count = len(mesh.vertices)
    corners, nearness = np.empty((count, 2), np.int64), np.empty(count, np.float32)
    _project(mesh.vertices, beam, corners, nearness)
    return corners, nearness


@njit(cache=True, nogil=True)
def _project(vertices, beam, corners, nearness):  # type: ignore[no-untyped-def]
    for v in range(vertices.shape[0]):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        near = 1.0 / (beam[2, 0] * x + beam[2, 1] * y + beam[2, 2] * z + beam[2, 3])
        nearness[v] = near
        for k in range(2):
            place = (beam[k, 0] * x + beam[k, 1] * y + beam[k, 2] * z + beam[k, 3]) * near
            place = min(max(place, -_FARTHEST), _FARTHEST)
            corners[v, k] = np.int64(np.floor(place * _SUBPIXELS + 0.5))


@njit(cache=True, nogil=True, inline="always")
def _edge(ax, ay, bx, by, px, py):  # type: ignore[no-untyped-def]
    """Twice the area of (a, b, p), minus one if p on the edge belongs to the neighbour."""
    top_left = (by < ay) or (by == ay and bx > ax)
    value = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
    return value if top_left else value - 1


@njit(cache=True, nogil=True, inline="always")
def _facing(corners, triangle):  # type: ignore[no-untyped-def]
    """Return the corners' indices in one sense of rotation, and +1, -1 (turned) or 0 (edge on)."""
    a, b, c = triangle[0], triangle[1], triangle[2]
    area = (corners[b, 0] - corners[a, 0]) * (corners[c, 1] - corners[a, 1]) - (
        corners[b, 1] - corners[a, 1]
    ) * (corners[c, 0] - corners[a, 0])
    if area < 0:
        return a, c, b, -1
    return a, b, c, 1 if area > 0 else 0


@njit(cache=True, nogil=True, inline="always")
def _depth(wa, wb, wc, na, nb, nc):  # type: ignore[no-untyped-def]
    """Return the share of the way to the detector at which a ray meets a triangle."""
    inside = np.float32(wa + wb + wc)
    if inside == 0:
        # The smallest triangles: all three areas went to the rule for edges.
        return np.float32(3.0) / (na + nb + nc)
    return inside / (np.float32(wa) * na + np.float32(wb) * nb + np.float32(wc) * nc)


@njit(cache=True, nogil=True, inline="always")
def _covered(first, second, third, count):  # type: ignore[no-untyped-def]
    """Return the first and last of `count` pixels whose middles lie between three coordinates."""
    half, unit = _SUBPIXELS // 2, _SUBPIXELS
    low = max((min(first, second, third) - half + unit - 1) // unit, 0)
    high = min((max(first, second, third) - half) // unit, count - 1)
    return low, high


@njit(cache=True, nogil=True, fastmath=True)
def _scan_sum(out, corners, nearness, triangles, turn, weights, fine):  # type: ignore[no-untyped-def]
    height, width = out.shape[0] * fine, out.shape[1] * fine
    channels = weights.shape[0]
    half, unit = _SUBPIXELS // 2, _SUBPIXELS
    for t in range(triangles.shape[0]):
        a, b, c, facing = _facing(corners, triangles[t])
        if facing == 0:
            continue
        ax, ay, bx, by = corners[a, 0], corners[a, 1], corners[b, 0], corners[b, 1]
        cx, cy = corners[c, 0], corners[c, 1]
        left, right = _covered(ax, bx, cx, width)
        top, bottom = _covered(ay, by, cy, height)
        if left > right or top > bottom:
            continue
        sign = np.float32(turn * facing)
        na, nb, nc = nearness[a], nearness[b], nearness[c]
        for row in range(top, bottom + 1):
            py = row * unit + half
            px = left * unit + half
            wa = _edge(bx, by, cx, cy, px, py)
            wb = _edge(cx, cy, ax, ay, px, py)
            wc = _edge(ax, ay, bx, by, px, py)
            step_a, step_b, step_c = (
                -(cy - by) * unit,
                -(ay - cy) * unit,
                -(by - ay) * unit,
            )
            for column in range(left, right + 1):
                if (wa | wb | wc) >= 0:
                    length = sign * _depth(wa, wb, wc, na, nb, nc)
                    for k in range(channels):
                        out[row // fine, column // fine, k] += length * weights[k]
                wa += step_a
                wb += step_b
                wc += step_c


@njit(cache=True, nogil=True, fastmath=True)
def _scan_span(enters, leaves, corners, nearness, triangles):  # type: ignore[no-untyped-def]
    height, width = enters.shape
    half, unit = _SUBPIXELS // 2, _SUBPIXELS
    for t in range(triangles.shape[0]):
        a, b, c, facing = _facing(corners, triangles[t])
        if facing == 0:
            continue
        ax, ay, bx, by = corners[a, 0], corners[a, 1], corners[b, 0], corners[b, 1]
        cx, cy = corners[c, 0], corners[c, 1]
        left, right = _covered(ax, bx, cx, width)
        top, bottom = _covered(ay, by, cy, height)
        if left > right or top > bottom:
            continue
        na, nb, nc = nearness[a], nearness[b], nearness[c]
        for row in range(top, bottom + 1):
            py = row * unit + half
            px = left * unit + half
            wa = _edge(bx, by, cx, cy, px, py)
            wb = _edge(cx, cy, ax, ay, px, py)
            wc = _edge(ax, ay, bx, by, px, py)
            step_a, step_b, step_c = (
                -(cy - by) * unit,
                -(ay - cy) * unit,
                -(by - ay) * unit,
            )
            for column in range(left, right + 1):
                if (wa | wb | wc) >= 0:
                    share = _depth(wa, wb, wc, na, nb, nc)
                    enters[row, column] = min(enters[row, column], share)
                    leaves[row, column] = max(leaves[row, column], share)
                wa += step_a
                wb += step_b
                wc += step_c
