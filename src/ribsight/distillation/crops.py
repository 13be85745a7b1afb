"""Crops: a square of a network image at full size, wherever it teaches most.

A fracture is a few pixels of a whole radiograph. A crop costs its own area only: rotation, scale,
flip, shift and cut are one warp, and its maps are drawn for the crop alone. Every number is a
function of (seed, stage, step, place in the batch).

A record-positive without a region says that a lesion is somewhere on the image, not that it is in
a crop. So the teacher looks at the whole image first, its target is made there (AALS needs the
maximum over the image), and the crop is placed by that look and cut out of that target.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ribsight.detector.maps import NetworkImage, to_unit_interval
from ribsight.detector.marks import find_peaks
from ribsight.detector.settings import STRIDE, MarkSettings
from ribsight.distillation.augment import (
    Matrix,
    centred_on,
    draw_geometry,
    perturb,
    warp,
    warp_points,
)
from ribsight.distillation.layout import NO_LAYOUT, Layout
from ribsight.distillation.recipe import AugmentationSettings, CropSettings
from ribsight.distillation.training_data import TrainingData
from ribsight.regions import Polygon, coverage

Points = NDArray[np.float64]
"""(P, 2) x, y in network pixels."""

_GEOMETRY, _STUDENT, _LOOK, _POINT = range(4)
_LEAST_PEAK = 0.5
_STILL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
_INSET = 0.25


@dataclass(frozen=True, eq=False)
class Crop:
    """What the student sees of one radiograph, c x c network pixels.

    Attributes:
        image: (c, c) intensities in [0, 1].
        drawn: (K, c/4, c/4) area coverage of the drawn regions.
        possible: (K, c/4, c/4) share of each cell in which the record allows a lesion.
        matrix: from network pixels to pixels of the crop.

    """

    image: NDArray[np.float32]
    drawn: NDArray[np.float32]
    possible: NDArray[np.float32]
    matrix: Matrix


class CropMaker:
    """Makes the crops of one stage."""

    def __init__(
        self,
        data: TrainingData,
        crops: CropSettings,
        augmentation: AugmentationSettings,
        *,
        seed: int,
        stage: int,
        layout: Layout = NO_LAYOUT,
    ):
        """Gather where regions lie, as shares of the radiograph's own width and height."""
        self._data, self._crops, self._augmentation = data, crops, augmentation
        self._layout = layout
        self._key = (seed, stage)
        middles = [
            (_bounds(polygons).mean(axis=0) - corner) / (opposite - corner)
            for (corner, opposite), regions in zip(data.content, data.regions, strict=True)
            for _, polygons in regions
        ]
        self._region_places = np.array(middles, dtype=np.float64).reshape(-1, 2)

    def crop(self, row: int, step: int, place: int, peaks: Points | None = None) -> Crop:
        """Make the crop of a radiograph.

        Args:
            row: of the radiograph.
            step: of the stage.
            place: in the step's batch.
            peaks: where the teacher suspects a lesion, for radiographs without a region.

        """
        key = [*self._key, step, place]
        point = self._point(row, peaks, np.random.default_rng([*key, _POINT]))
        return self._crop_at(row, point, key)

    def look(self, row: int, step: int) -> NDArray[np.float32]:
        """Return the whole image (S, S) as the teacher sees it: other intensities, not moved."""
        return perturb(
            to_unit_interval(self._data.cache.pixels(row)),
            self._augmentation,
            np.random.default_rng([*self._key, step, row, _LOOK]),
            self._augmentation.teacher_strength,
        )

    def possible(self, row: int) -> NDArray[np.float32]:
        """Return the share (K, S/4, S/4) of each cell of the whole image that may hold a lesion."""
        size = self._data.cache.pixels(row).shape[0]
        return possible_maps(self._data, row, _STILL, size, self._layout)

    def named(self, row: int) -> list[tuple[int, NDArray[np.float32]]]:
        """Return the named places of the whole image, see `named_maps`."""
        size = self._data.cache.pixels(row).shape[0]
        return named_maps(self._data, row, _STILL, size, self._layout)

    def _crop_at(self, row: int, point: NDArray[np.float64], key: list[int]) -> Crop:
        size, settings = self._crops.size, self._augmentation
        moved = draw_geometry(settings, size, np.random.default_rng([*key, _GEOMETRY]))
        matrix = centred_on(point, moved, size)
        pixels = warp(self._data.cache.pixels(row), matrix, size)
        findings = self._data.supervision.shape[1]
        return Crop(
            image=perturb(
                to_unit_interval(pixels), settings, np.random.default_rng([*key, _STUDENT])
            ),
            drawn=draw_maps(self._data.regions[row], matrix, findings, size),
            possible=possible_maps(self._data, row, matrix, size, self._layout),
            matrix=matrix,
        )

    def _point(
        self, row: int, peaks: Points | None, random: np.random.Generator
    ) -> NDArray[np.float64]:
        """Choose the network point in the middle of a crop."""
        settings, regions = self._crops, self._data.regions[row]
        chance, which = random.random(2)
        within, jitter = random.random(2), settings.jitter * (2 * random.random(2) - 1)
        corner, opposite = self._data.content[row]
        if chance < settings.around and regions:
            first, last = _bounds(regions[int(which * len(regions))][1])
            return first + within * (last - first) + jitter * settings.size  # type: ignore[no-any-return]
        if chance < settings.around and peaks is not None and len(peaks):
            return peaks[int(which * len(peaks))] + jitter * settings.size  # type: ignore[no-any-return]
        if random.random() < settings.matched and len(self._region_places):
            other = self._region_places[int(which * len(self._region_places))]
            return corner + other * (opposite - corner) + jitter * settings.size  # type: ignore[no-any-return]
        # A crop may reach past the border by a quarter of its side, so that borders are seen too.
        inset = np.minimum(_INSET * settings.size, (opposite - corner) / 2)
        shares = np.stack([within, random.random(2)])
        points = corner + inset + shares * (opposite - corner - 2 * inset)
        pixels = self._data.cache.pixels(row)
        return points[np.argmax([_contrast(pixels, one, settings.size) for one in points])]  # type: ignore[no-any-return]


def draw_maps(
    regions: Sequence[tuple[int, tuple[Polygon, ...]]], matrix: Matrix, findings: int, size: int
) -> NDArray[np.float32]:
    """Return the coverage maps (K, size/4, size/4) of regions in a view of an image.

    Args:
        regions: (finding's column, polygons in network pixels).
        matrix: from network pixels to those of the view.
        findings: K.
        size: side of the view in pixels.

    """
    drawn = np.zeros((findings, size // STRIDE, size // STRIDE), dtype=np.float32)
    for finding, polygons in regions:
        moved = [warp_points(polygon, matrix) / STRIDE for polygon in polygons]
        np.maximum(drawn[finding], coverage(moved, *drawn.shape[1:]), out=drawn[finding])
    return drawn


def possible_maps(
    data: TrainingData, row: int, matrix: Matrix, size: int, layout: Layout
) -> NDArray[np.float32]:
    """Return the share of each cell of a view in which the record allows a lesion.

    Args:
        data: of the training split.
        row: of the radiograph.
        matrix: from network pixels to those of the view.
        size: side of the view in pixels.
        layout: where the places lie that records name.

    Returns:
        (K, size/4, size/4), all 1 where nothing is known.

    """
    findings = data.supervision.shape[1]
    possible = np.ones((findings, size // STRIDE, size // STRIDE), dtype=np.float32)
    for finding in range(findings):
        half = data.possible(row, finding, layout)
        if half is not None:
            moved = warp_points(half, matrix) / STRIDE
            possible[finding] = coverage([moved], *possible.shape[1:])
    return possible


def named_maps(
    data: TrainingData, row: int, matrix: Matrix, size: int, layout: Layout
) -> list[tuple[int, NDArray[np.float32]]]:
    """Return the places that the record names in a view: finding's column, share of each cell.

    Args:
        data: of the training split.
        row: of the radiograph.
        matrix: from network pixels to those of the view.
        size: side of the view in pixels.
        layout: where the places lie that records name.

    """
    cells = size // STRIDE
    return [
        (finding, coverage([warp_points(place, matrix) / STRIDE], cells, cells))
        for finding, place in data.named(row, layout)
    ]


def suspected(probability: NDArray[np.float32], settings: MarkSettings) -> Points:
    """Return where a map suspects a lesion: its peaks at least half as high as the highest.

    Args:
        probability: (h, w) at stride 4.
        settings: how peaks are told apart.

    Returns:
        (P, 2) network pixels in reading order; none where all lies below the minimum score.

    """
    peaks = find_peaks(probability, settings)
    high = peaks.scores >= _LEAST_PEAK * peaks.scores.max(initial=0.0)
    cells = np.column_stack([peaks.columns, peaks.rows])[high]
    # In reading order: nearly equal peaks must not change places by rounding.
    points: Points = STRIDE * (cells[np.lexsort((cells[:, 0], cells[:, 1]))] + 0.5)
    return points


def cut_maps(maps: Tensor, matrices: NDArray[np.float64], size: int) -> Tensor:
    """Cut crops out of the maps of whole images: bilinear, zero outside.

    Args:
        maps: (P, K, h, w) at stride 4.
        matrices: (P, 2, 3) from network pixels to pixels of each crop.
        size: side of the crops in pixels.

    Returns:
        (P, K, size/4, size/4).

    """
    height, width = maps.shape[-2:]
    extent = np.array([width, height]) * STRIDE
    back = np.linalg.inv(matrices[:, :, :2])
    # grid_sample counts from -1 to 1 across the outer borders of the pixels.
    linear = back * size / extent[:, None]
    middle = np.einsum("pij,pj->pi", back, size / 2 - matrices[:, :, 2]) * 2 / extent - 1
    theta = np.concatenate([linear, middle[:, :, None]], axis=2)
    cells = size // STRIDE
    grid = affine_grid(
        torch.from_numpy(theta).to(maps.device, maps.dtype),
        [len(maps), maps.shape[1], cells, cells],
        align_corners=False,
    )
    return grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _contrast(image: NetworkImage, point: NDArray[np.float64], size: int) -> float:
    """Return the standard deviation of every eighth pixel in the square around a point."""
    x, y = (point - size / 2).astype(int).clip(0).tolist()
    return float(image[y : y + size : 8, x : x + size : 8].std())


def _bounds(polygons: Sequence[Polygon]) -> NDArray[np.float64]:
    """Return (2, 2): the least and the largest x, y of some polygons."""
    points = np.concatenate(polygons)
    return np.stack([points.min(axis=0), points.max(axis=0)])
