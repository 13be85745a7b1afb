"""Voxels and a camera -> the length of each ray through them, by shear and warp.

A slice across the beam falls on a plane parallel to it as a scaled and shifted picture, so the sum
over slices needs one bilinear enlargement each, row by row, and one warp of the sum onto the
detector (Lacroute & Levoy, SIGGRAPH 1994). The step along the ray is one slice. Empty rows cost
nothing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from ribsight.simulation.ct.grid import Grid
from ribsight.simulation.projection.camera import Camera
from ribsight.simulation.projection.raster import Lengths

Numbers = NDArray[np.float64]
Voxels = NDArray[np.uint16] | NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Sheet:
    """The plane that slices are summed on: rows at b, columns at c, across axis a."""

    first: tuple[float, float]
    step: tuple[float, float]
    shape: tuple[int, int]
    depth: float


def project(voxels: Voxels, grid: Grid, camera: Camera, unit: float = 1.0) -> Lengths:
    """Return the integral of `voxels` along the ray through each pixel's middle.

    The lowest and the highest slice are carried on below and above the volume, so that a scan
    that is cut off fills the film.

    Args:
        voxels: [y, z, x].
        grid: where they lie.
        camera: beam and film.
        unit: what counts as 1.

    Returns:
        (H, W) mm times voxel value / `unit`.

    """
    order = [1, 2, 0] if abs(camera.axis[1]) >= abs(camera.axis[0]) else [0, 2, 1]
    stack = voxels if order[0] == 1 else np.ascontiguousarray(voxels.transpose(2, 1, 0))
    origin, spacing = np.asarray(grid.origin)[order], np.asarray(grid.spacing)[order]
    source = camera.source[order]
    sheet, aligned = _sheet(camera, order)
    total = np.zeros(sheet.shape, np.float32)
    _add_slices(total, stack, _filled(stack), origin, spacing, source,
                np.array([*sheet.first, *sheet.step, sheet.depth]))  # fmt: skip
    rows = sheet.first[0] + sheet.step[0] * np.arange(sheet.shape[0]) - source[1]
    columns = sheet.first[1] + sheet.step[1] * np.arange(sheet.shape[1]) - source[2]
    deep = sheet.depth - source[0]
    slant = np.sqrt(rows[:, None] ** 2 + columns[None, :] ** 2 + deep**2) / abs(deep)
    total *= (slant * (spacing[0] / unit)).astype(np.float32)
    return total if aligned else _warped(total, sheet, camera, order)


def _sheet(camera: Camera, order: list[int]) -> tuple[_Sheet, bool]:
    """Return the plane through the detector's middle across axis a, and whether both agree."""
    right, down, source = camera.right[order], camera.down[order], camera.source[order]
    centre = camera.centre[order]
    if abs(right[2]) > 1 - 1e-12 and abs(down[1]) > 1 - 1e-12:
        step = (camera.pixel_spacing * float(down[1]), camera.pixel_spacing * float(right[2]))
        first = (
            float(centre[1]) - step[0] * (camera.height - 1) / 2,
            float(centre[2]) - step[1] * (camera.width - 1) / 2,
        )
        return _Sheet(first, step, (camera.height, camera.width), float(centre[0])), True
    half_x, half_y = camera.width / 2, camera.height / 2
    corners = np.stack([
        centre + camera.pixel_spacing * (x * right + y * down)
        for x in (-half_x, half_x) for y in (-half_y, half_y)
    ])  # fmt: skip
    rays = corners - source
    hits = source + rays * ((centre[0] - source[0]) / rays[:, 0])[:, None]
    low, high = hits[:, 1:].min(axis=0), hits[:, 1:].max(axis=0)
    pitch = camera.pixel_spacing
    count = np.ceil((high - low) / pitch).astype(int) + 3
    return _Sheet(
        (float(low[0]) - pitch, float(low[1]) - pitch), (pitch, pitch),
        (int(count[0]), int(count[1])), float(centre[0]),
    ), False  # fmt: skip


def _warped(total: Lengths, sheet: _Sheet, camera: Camera, order: list[int]) -> Lengths:
    rays = (camera.pixel_centres() - camera.source)[..., order]
    source = camera.source[order]
    share = (sheet.depth - source[0]) / rays[..., 0]
    rows = (source[1] + rays[..., 1] * share - sheet.first[0]) / sheet.step[0]
    columns = (source[2] + rays[..., 2] * share - sheet.first[1]) / sheet.step[1]
    return cv2.remap(  # type: ignore[return-value]
        total, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _filled(stack):  # type: ignore[no-untyped-def]
    """Return (A, B, 2): each row's first voxel that is not zero, and the one after the last."""
    result = np.zeros((stack.shape[0], stack.shape[1], 2), np.int32)
    for a in range(stack.shape[0]):
        for b in range(stack.shape[1]):
            low, high = 0, stack.shape[2]
            while low < high and stack[a, b, low] == 0:
                low += 1
            while high > low and stack[a, b, high - 1] == 0:
                high -= 1
            result[a, b, 0], result[a, b, 1] = low, high
    return result


@njit(cache=True, nogil=True, fastmath=True)
def _add_slices(total, stack, filled, origin, spacing, source, sheet):  # type: ignore[no-untyped-def]
    height, width = total.shape
    slices, rows, columns = stack.shape
    wide = np.zeros((rows, width), np.float32)
    begin = np.zeros(rows, np.int64)
    end = np.zeros(rows, np.int64)
    place = np.zeros(width, np.int64)
    share = np.zeros(width, np.float32)
    for a in range(slices):
        near = (origin[0] + a * spacing[0] - source[0]) / (sheet[4] - source[0])
        if near <= 0.0:
            continue
        first = (source[2] + (sheet[1] - source[2]) * near - origin[2]) / spacing[2]
        pace = sheet[3] * near / spacing[2]
        for column in range(width):
            at = first + pace * column
            place[column] = int(np.floor(at))
            share[column] = np.float32(at - np.floor(at))
        for b in range(rows):
            low, high = filled[a, b, 0], filled[a, b, 1]
            begin[b], end[b] = 0, 0
            if high > low:
                # Only columns whose two neighbours lie between low - 1 and high are touched.
                p, q = (low - 1 - first) / pace, (high - first) / pace
                left = max(int(np.ceil(min(p, q))), 0)
                right = min(int(np.floor(max(p, q))) + 1, width)
                begin[b], end[b] = left, max(right, left)
                for column in range(left, right):
                    k = place[column]
                    one = np.float32(stack[a, b, k]) if 0 <= k < columns else np.float32(0)
                    two = np.float32(stack[a, b, k + 1]) if -1 <= k < columns - 1 else np.float32(0)
                    wide[b, column] = one + share[column] * (two - one)
        low_row = (source[1] + (sheet[0] - source[1]) * near - origin[1]) / spacing[1]
        row_pace = sheet[2] * near / spacing[1]
        for row in range(height):
            at = min(max(low_row + row_pace * row, 0.0), rows - 1.0)
            b = min(int(at), max(rows - 2, 0))
            upper = np.float32(at - b)
            lower = np.float32(1) - upper
            for column in range(begin[b], end[b]):
                total[row, column] += lower * wide[b, column]
            if b + 1 < rows:
                for column in range(begin[b + 1], end[b + 1]):
                    total[row, column] += upper * wide[b + 1, column]
