"""Hit rules: which marks fit which regions, and how well."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ribsight.errors import RibsightError
from ribsight.evaluation.protocol import Protocol
from ribsight.evaluation.truth import Truth
from ribsight.regions import Polygon

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Marks:
    """M marks: their image, (M, 2) location, (M,) score, and (M, 4) box, NaN if there is none."""

    image: Ints
    xy: Floats
    score: Floats
    box: Floats


@dataclass(frozen=True, eq=False)
class Pairs:
    """P pairs of a mark and a region that it fits.

    Attributes:
        mark: (P,) index of the mark.
        region: (P,) index of the region.
        rank: (P,) lower for a better fit: the distance in pixels from the mark's location to the
            centre of the region's box, or under the rule `iou` minus the IoU.
        iou: (P,) intersection over union of the boxes, NaN for a mark without box.
    """

    mark: Ints
    region: Ints
    rank: Floats
    iou: Floats


def fitting_pairs(truth: Truth, marks: Marks, protocol: Protocol) -> Pairs:
    """Return every pair of a mark and a region of its image that the hit rule accepts.

    Pairs of a mark come in an order of its regions that depends on their boxes alone.

    Raises:
        RibsightError: the rule needs what is not known: boxes of the marks, the size of an image
            or its mm per pixel.
    """
    _require(truth, marks, protocol)
    mark, region = _pairs_of_image(truth.region_image, truth.region_boxes, marks.image)
    box, at = truth.region_boxes[region], marks.xy[mark]
    distance = np.linalg.norm(at - (box[:, :2] + box[:, 2:]) / 2, axis=1)
    iou = box_iou(marks.box[mark], box)
    match protocol.hit_rule:
        case "iou":
            fits, rank = _reaches(iou, protocol.minimum_iou, protocol), -iou
        case "distance":
            limit = _limit(truth, region, protocol)
            fits, rank = _within(distance, limit, protocol), distance
        case "region":
            margin = protocol.dilation * _longer_side(truth, marks.image[mark], protocol)
            fits, rank = _in_outlines(truth, region, at, margin, protocol), distance
        case "dilated_box":
            margin = protocol.dilation * _longer_side(truth, marks.image[mark], protocol)
            fits, rank = _in_box(at, box, margin, protocol), distance
        case "centre_in_box":
            own = (marks.box[mark, :2] + marks.box[mark, 2:]) / 2
            fits, rank = _in_box(own, box, np.zeros(len(box)), protocol), distance
    return Pairs(mark[fits], region[fits], rank[fits], iou[fits])


def fits_ignored(truth: Truth, marks: Marks, protocol: Protocol) -> NDArray[np.bool_]:
    """Return (M,) whether a mark fits an ignore region of its image.

    By the hit rule, except that under `iou` the share of the mark's own area inside counts: an
    ignore region may be far larger than any mark.
    """
    mark, region = _pairs_of_image(truth.ignored_image, truth.ignored_boxes, marks.image)
    box, at = truth.ignored_boxes[region], marks.xy[mark]
    match protocol.hit_rule:
        case "iou":
            own = _areas(marks.box[mark])
            inside = _intersection(marks.box[mark], box)
            share = np.divide(inside, own, out=np.zeros(len(own)), where=own > 0)
            fits = _reaches(share, protocol.minimum_iou, protocol)
        case "centre_in_box":
            own = (marks.box[mark, :2] + marks.box[mark, 2:]) / 2
            fits = _in_box(own, box, np.zeros(len(box)), protocol)
        case "distance":
            # An ignore region is an area: its edge is its limit, whatever the distance.
            fits = _in_box(at, box, np.zeros(len(box)), protocol)
        case _:
            margin = protocol.dilation * _longer_side(truth, marks.image[mark], protocol)
            fits = _in_box(at, box, margin, protocol)
    fitting = np.zeros(len(marks.score), dtype=np.bool_)
    fitting[mark[fits]] = True
    return fitting


def box_iou(a: Floats, b: Floats) -> Floats:
    """Return (P,) intersection over union of (P, 4) boxes pair by pair; NaN stays NaN.

    >>> box_iou(np.array([[0, 0, 2, 2.0]]), np.array([[1, 0, 3, 2.0]]))
    array([0.33333333])
    """
    both = _intersection(a, b)
    union = _areas(a) + _areas(b) - both
    iou: Floats = np.where(np.isnan(union), np.nan, 0.0)
    np.divide(both, union, out=iou, where=union > 0)
    return iou


def _intersection(a: Floats, b: Floats) -> Floats:
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    return np.asarray(np.prod(np.maximum(sides, 0), axis=1))


def _areas(boxes: Floats) -> Floats:
    return np.asarray(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1))


def _pairs_of_image(owner: Ints, boxes: Floats, image: Ints) -> tuple[Ints, Ints]:
    """Return (mark, region) of every region on each mark's image."""
    by_image = np.lexsort((*boxes.T[::-1], owner))
    sorted_owner = owner[by_image]
    first = np.searchsorted(sorted_owner, image)
    regions_on = np.searchsorted(sorted_owner, image, side="right") - first
    mark = np.repeat(np.arange(len(image)), regions_on)
    within = np.arange(len(mark)) - np.repeat(np.cumsum(regions_on) - regions_on, regions_on)
    return mark, by_image[np.repeat(first, regions_on) + within]


def _require(truth: Truth, marks: Marks, protocol: Protocol) -> None:
    if protocol.hit_rule in {"iou", "centre_in_box"} and np.isnan(marks.box).any():
        mark = int(np.flatnonzero(np.isnan(marks.box).any(axis=1))[0])
        raise RibsightError(
            f"the hit rule '{protocol.hit_rule}' needs boxes, and a mark of '{truth.finding}' on "
            f"image {truth.images[marks.image[mark]]} has none: choose a protocol that uses "
            "locations"
        )


def _longer_side(truth: Truth, image: Ints, protocol: Protocol) -> Floats:
    if protocol.dilation == 0:
        return np.zeros(len(image))
    longer: Floats = truth.sizes[image].max(axis=1, initial=0)
    for one in np.flatnonzero(np.isnan(longer)):
        raise RibsightError(
            f"the size of image {truth.images[image[one]]} is not known, and the protocol dilates "
            "by a share of it: give image sizes, or set dilation = 0"
        )
    return longer


def _limit(truth: Truth, region: Ints, protocol: Protocol) -> Floats:
    """Return (P,) the distance in pixels that a mark may lie from each region's centre."""
    if protocol.distance_unit == "px":
        return np.full(len(region), protocol.distance)
    if protocol.distance_unit == "radius":
        sides = truth.region_boxes[region, 2:] - truth.region_boxes[region, :2]
        return np.asarray(protocol.distance * sides.max(axis=1, initial=0) / 2)
    image = truth.region_image[region]
    spacing = truth.spacing[image] if len(truth.spacing) else np.full(len(region), np.nan)
    for one in np.flatnonzero(~(spacing > 0)):
        raise RibsightError(
            f"the mm per pixel of image {truth.images[image[one]]} is not known, and the protocol "
            "takes a distance in mm: give the spacing, or a distance in px"
        )
    return np.asarray(protocol.distance / spacing)


def _reaches(value: Floats, limit: float, protocol: Protocol) -> NDArray[np.bool_]:
    return value >= limit if protocol.boundary == "inclusive" else value > limit


def _within(value: Floats, limit: Floats, protocol: Protocol) -> NDArray[np.bool_]:
    return value <= limit if protocol.boundary == "inclusive" else value < limit


def _in_box(at: Floats, box: Floats, margin: Floats, protocol: Protocol) -> NDArray[np.bool_]:
    low, high = box[:, :2] - margin[:, None], box[:, 2:] + margin[:, None]
    inside = (at >= low) & (at <= high)
    if protocol.boundary == "exclusive":
        inside = (at > low) & (at < high)
    return np.asarray(inside.all(axis=1))


def _in_outlines(
    truth: Truth, region: Ints, at: Floats, margin: Floats, protocol: Protocol
) -> NDArray[np.bool_]:
    """Return (P,) whether a location lies in a region's outline or within `margin` of it."""
    if not truth.outlines:
        return _in_box(at, truth.region_boxes[region], margin, protocol)
    # Most pairs are far apart; the box rules them out before the outline is walked around.
    near = _in_box(at, truth.region_boxes[region], margin, protocol)
    fits = np.zeros(len(region), dtype=np.bool_)
    for pair in np.flatnonzero(near):
        outside = min(_outside(at[pair], polygon) for polygon in truth.outlines[region[pair]])
        limit = margin[pair]
        fits[pair] = outside <= limit if protocol.boundary == "inclusive" else outside < limit
        if outside < 0:
            fits[pair] = True
    return fits


def _outside(at: Floats, polygon: Polygon) -> float:
    """Return how far a point lies from a polygon in pixels, negative inside (even-odd rule)."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    edge = end - start
    length = np.maximum((edge**2).sum(axis=1), 1e-300)
    along = np.clip(((at - start) * edge).sum(axis=1) / length, 0, 1)
    distance = float(np.linalg.norm(start + along[:, None] * edge - at, axis=1).min())
    crosses = (start[:, 1] > at[1]) != (end[:, 1] > at[1])
    rise = np.where(edge[:, 1] == 0, 1.0, edge[:, 1])
    right = start[:, 0] + (at[1] - start[:, 1]) * edge[:, 0] / rise > at[0]
    inside = bool((crosses & right).sum() % 2)
    return -distance if inside else distance
