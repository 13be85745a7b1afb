"""What an annotation file holds, counted."""

from collections import Counter
from dataclasses import dataclass

from ribsight.regions.annotations import Annotations
from ribsight.regions.edit import outside


@dataclass(frozen=True)
class Summary:
    """Counts of one annotation file.

    Attributes:
        images: that were looked at.
        empty: of these, without a region.
        sized: of these, whose size is known.
        categories: boxes, outlines and images with any of them, by category.
        readers: regions, images looked at and images without a region of theirs, by reader.
        regions_on_images: how many images have so many regions.
        labels: images by label of the whole image.
        outside: regions that reach out of their image, where the size is known.
        faults: entries that gave no region, by why.
    """

    images: int
    empty: int
    sized: int
    categories: dict[str, tuple[int, int, int]]
    readers: dict[str, tuple[int, int, int]]
    regions_on_images: dict[int, int]
    labels: dict[str, int]
    outside: int
    faults: dict[str, int]


def summarise(annotations: Annotations) -> Summary:
    """Count what the annotations hold."""
    drawn = annotations.by_image()
    boxes = Counter(one.finding for one in annotations.regions if one.is_box)
    outlines = Counter(one.finding for one in annotations.regions if not one.is_box)
    on_images = Counter(finding for own in drawn.values() for finding in {o.finding for o in own})
    regions_of = Counter(one.reader for one in annotations.regions)
    drew = {(one.radiograph, one.reader) for one in annotations.regions}
    images_of: Counter[str] = Counter()
    silent_of: Counter[str] = Counter()
    for image in annotations.images.values():
        images_of.update(image.readers)
        silent_of.update(who for who in image.readers if (image.name, who) not in drew)
    return Summary(
        images=len(drawn),
        empty=sum(not own for own in drawn.values()),
        sized=sum(one.width is not None for one in annotations.images.values()),
        categories={
            name: (boxes[name], outlines[name], on_images[name]) for name in annotations.categories
        },
        readers={
            name: (regions_of[name], images_of[name], silent_of[name])
            for name in annotations.readers()
        },
        regions_on_images=dict(sorted(Counter(len(own) for own in drawn.values()).items())),
        labels=dict(
            Counter(
                name for i in annotations.images.values() for name in {o.name for o in i.labels}
            )
        ),
        outside=len(outside(annotations)),
        faults=dict(Counter(str(one.fault) for one in annotations.rejected)),
    )
