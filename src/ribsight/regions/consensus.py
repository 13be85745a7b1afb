"""Several readers' regions -> one set, and who agreed.

`union`, `majority` and `all` first find lesions: boxes of one category, of different readers, with
IoU >= 0.2 or the centre of one in the other, and whatever those overlap; this is also how
`ribsight score --readers` joins readers. A lesion counts if one, more than half, or all of those
who looked at the image drew it, and its box is the median of the readers' boxes.

`weighted` is weighted boxes fusion: Solovyev, Wang, Gabruseva, Weighted boxes fusion: Ensembling
boxes from different object detection models, Image and Vision Computing 107 (2021) 104117.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ribsight.errors import RibsightError, nearest
from ribsight.regions.annotations import AnnotatedImage, Annotations, ImageLabel
from ribsight.regions.lesions import (
    Rule,
    box_iou,
    median_box,
    readers_needed,
    same_lesions,
)
from ribsight.regions.region import Attribute, Box, Region, box_polygon

READER = "consensus"
"""Who is named as the reader of what several readers agreed on."""


@dataclass(frozen=True)
class Fusion:
    """Settings of weighted boxes fusion.

    Attributes:
        iou: above this, a box joins a fused box.
        weights: of readers; 1 for those not named.
        minimum_score: fused boxes below this are left out.
    """

    iou: float = 0.55
    weights: Mapping[str, float] = field(default_factory=dict)
    minimum_score: float = 0.0


def agree(annotations: Annotations, rule: Rule, fusion: Fusion | None = None) -> Annotations:
    """Return the annotations as one reader's, called `READER`.

    A region then has `score`, the share of those who looked at its image that agreed (by weight
    for `weighted`), and the attributes `readers` (their names), `agreed` and `read_by` (counts).
    Where nobody is named, as in a file of one reader, everything stays as it is.

    Raises:
        RibsightError: a weight of somebody who read nothing.
    """
    fusion = fusion or Fusion()
    readers = annotations.readers()
    for name in fusion.weights:
        if name not in readers:
            raise RibsightError(
                f"no reader is called '{name}'{nearest(name, readers)}; there are: "
                f"{', '.join(readers) or 'none'}"
            )
    regions: list[Region] = []
    images = {}
    for name, drawn in annotations.by_image().items():
        image = annotations.images[name]
        if not image.readers:
            images[name] = image
            regions += drawn
            continue
        images[name] = replace(image, readers=(READER,), labels=_labels(image, rule))
        for category in dict.fromkeys(one.finding for one in drawn):
            own = [one for one in drawn if one.finding == category]
            if rule is Rule.WEIGHTED:
                regions += fuse(own, image.readers, fusion)
            else:
                regions += _lesions_that_count(own, image.readers, rule)
    return replace(annotations, images=images, regions=tuple(regions))


def _labels(image: AnnotatedImage, rule: Rule) -> tuple[ImageLabel, ...]:
    said: dict[str, set[str]] = {}
    for label in image.labels:
        said.setdefault(label.name, set()).add(label.reader)
    needed = readers_needed(rule, len(image.readers))
    return tuple(ImageLabel(name, READER) for name, who in said.items() if len(who) >= needed)


def _lesions_that_count(
    regions: Sequence[Region], readers: Sequence[str], rule: Rule
) -> list[Region]:
    agreed = []
    boxes = [one.box_to_write for one in regions]
    for members in same_lesions(boxes, [one.reader for one in regions]):
        lesion = [regions[index] for index in members]
        who = sorted({one.reader for one in lesion})
        if len(who) >= readers_needed(rule, len(readers)):
            score = len(who) / len(readers)
            if len(lesion) == 1:
                agreed.append(_tell(lesion[0], lesion, who, readers, score))
            else:
                corners = median_box([boxes[index] for index in members])
                agreed.append(_boxed(corners, lesion, who, readers, score))
    return agreed


def fuse(regions: Sequence[Region], readers: Sequence[str], fusion: Fusion) -> list[Region]:
    """Fuse the boxes of one category on one image (Solovyev et al. 2021, section 3).

    In the order of confidence c (a region's score, 1 if a person drew it, times the reader's
    weight), a box joins the fused box it overlaps most, if their IoU is above `fusion.iou`, else
    begins a new one. A fused box is the mean of its boxes weighted by c; its score is the mean of
    their c times min(T, N) / W, of T boxes, N readers of the image and W the sum of their weights.
    With all weights 1 this is the paper's C * min(T, N) / N.
    """
    weights = {name: fusion.weights.get(name, 1.0) for name in readers}
    total = sum(weights.values())
    confidence = [
        (1.0 if one.score is None else one.score) * weights.get(one.reader, 1.0) for one in regions
    ]
    clusters: list[list[int]] = []
    fused: list[Box] = []
    order = sorted(range(len(regions)), key=lambda index: -confidence[index])
    for index in order:
        if confidence[index] <= 0:
            continue
        overlaps = [box_iou(regions[index].box_to_write, box) for box in fused]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best < 0 or overlaps[best] <= fusion.iou:
            clusters.append([index])
            fused.append(regions[index].box_to_write)
        else:
            clusters[best].append(index)
            fused[best] = _mean_box(regions, confidence, clusters[best])
    result = []
    for cluster, box in zip(clusters, fused, strict=True):
        mean = sum(confidence[index] for index in cluster) / len(cluster)
        score = min(1.0, mean * min(len(cluster), len(readers)) / total)
        if score >= fusion.minimum_score:
            own = [regions[index] for index in cluster]
            who = sorted({one.reader for one in own})
            result.append(_boxed(box, own, who, readers, score))
    return sorted(result, key=lambda one: -(one.score or 0))


def _mean_box(regions: Sequence[Region], confidence: Sequence[float], cluster: list[int]) -> Box:
    boxes = np.array([regions[index].box_to_write for index in cluster])
    x0, y0, x1, y1 = np.average(boxes, axis=0, weights=[confidence[index] for index in cluster])
    return float(x0), float(y0), float(x1), float(y1)


def _boxed(
    corners: Box,
    lesion: Sequence[Region],
    who: Sequence[str],
    readers: Sequence[str],
    score: float,
) -> Region:
    x0, y0, x1, y1 = corners
    if len(lesion) == 1:
        return _tell(lesion[0], lesion, who, readers, score)
    first = replace(
        lesion[0], polygons=(box_polygon(x0, y0, x1, y1),), is_box=True, stated_box=None
    )
    return _tell(first, lesion, who, readers, score)


def _tell(
    region: Region,
    lesion: Sequence[Region],
    who: Sequence[str],
    readers: Sequence[str],
    score: float,
) -> Region:
    """Say who agreed; of other attributes, keep those all say alike."""
    alike = {
        name: value
        for name, value in lesion[0].attributes.items()
        if all(one.attributes.get(name) == value for one in lesion)
    }
    said: dict[str, Attribute] = {
        "readers": "; ".join(who),
        "agreed": len(who),
        "read_by": len(readers),
    }
    return replace(
        region,
        reader=READER,
        score=score,
        attributes={**alike, **said},
        source="; ".join(one.source for one in lesion),
    )
