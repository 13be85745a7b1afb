"""Regions of any annotation format, matched to the images that were read."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ribsight.cohort.images import GivenImages, ReadImage, find_id
from ribsight.cohort.left_out import LeftOut
from ribsight.errors import RibsightError, nearest
from ribsight.regions import (
    Annotations,
    KnownImages,
    Region,
    coco_categories,
    known_images,
    read_annotations,
    read_coco,
)
from ribsight.regions.image_sizes import KnownImage


@dataclass(frozen=True, eq=False)
class DrawnImage:
    """One image of an annotation file: the size it states, None if it does not, and its regions."""

    width: int | None
    height: int | None
    regions: tuple[Region, ...]


@dataclass(frozen=True, eq=False)
class Drawn:
    """What an annotation file holds.

    Attributes:
        file: for messages.
        images: by name as the file gives it.
        rejected: annotations that gave no region.
    """

    file: Path
    images: Mapping[str, DrawnImage]
    rejected: tuple[LeftOut, ...]


def region_categories(path: Path) -> tuple[str, ...]:
    """Return the names of the categories of an annotation file.

    Raises:
        RibsightError: no such file, or of no known format.
    """
    other = _other_format(path, None)
    return coco_categories(path) if other is None else other.categories


def read_regions(path: Path, categories: Mapping[str, str], given: GivenImages) -> Drawn:
    """Read the regions of the categories that stand for a finding.

    Args:
        path: COCO instance JSON, or any format that `read_annotations` tells by its content.
        categories: finding of each category.
        given: the images, whose sizes some formats need.

    Raises:
        RibsightError: no such file, of no known format, or a category that it does not have.
    """
    other = _other_format(path, given)
    if other is not None:
        return _from_annotations(path, other, categories)
    coco = read_coco(path, categories=categories)
    return Drawn(
        file=path,
        images={
            name: DrawnImage(one.width, one.height, one.regions)
            for name, one in coco.images.items()
        },
        rejected=tuple(LeftOut(path.name, one.annotation, one.reason) for one in coco.rejected),
    )


def join_regions(
    drawn: Drawn | None, names: Mapping[str, str], read: Mapping[str, ReadImage]
) -> tuple[dict[str, list[Region]], list[LeftOut]]:
    """Return the regions of each id; and those without a usable image, or drawn twice alike."""
    joined: defaultdict[str, list[Region]] = defaultdict(list)
    if drawn is None:
        return joined, []
    left_out = list(drawn.rejected)
    for name, image in drawn.images.items():
        id_ = find_id(name, names)
        reason = _why_unusable(name, image, id_, read)
        if reason or id_ is None:
            left_out += [
                LeftOut(
                    drawn.file.name,
                    region.source.removeprefix(f"{drawn.file.name}, "),
                    reason,
                )
                for region in image.regions
            ]
        else:
            joined[id_] += [replace(region, radiograph=id_) for region in image.regions]
    for id_ in joined:
        joined[id_], doubled = _once(joined[id_], drawn.file)
        left_out += doubled
    return joined, left_out


def _once(regions: list[Region], file: Path) -> tuple[list[Region], list[LeftOut]]:
    """Part the regions of an image from copies of them, which a detector would have to find too."""
    first: dict[object, Region] = {}
    copies = []
    for one in regions:
        outline = tuple(polygon.tobytes() for polygon in one.polygons)
        known = first.setdefault((one.finding, one.reader, outline), one)
        if known is not one:
            where, other = (by.source.removeprefix(f"{file.name}, ") for by in (one, known))
            copies.append(LeftOut(file.name, where, f"the same region as {other}"))
    return list(first.values()), copies


def _other_format(path: Path, given: GivenImages | None) -> Annotations | None:
    """Read a file that is no COCO; None of one that is, or is meant to be."""
    if path.suffix.lower() != ".json":
        return read_annotations(path, images=_sizes(given), leave_out_faults=True)
    try:
        coco_categories(path)
    except RibsightError:
        try:
            return read_annotations(path, images=_sizes(given), leave_out_faults=True)
        except RibsightError:  # what is wrong with it as COCO is the better sentence
            return None
    return None


def _sizes(given: GivenImages | None) -> KnownImages | None:
    if given is None:
        return None
    if not given.headers:
        return known_images(given.folder)
    return KnownImages(
        str(given.folder),
        [
            KnownImage(
                PurePosixPath(row["member"] or row["source"]).name,
                row["columns"],
                row["rows"],
                uid=id_,
            )
            for id_, row in given.headers.items()
        ],
    )


def _from_annotations(path: Path, given: Annotations, categories: Mapping[str, str]) -> Drawn:
    for name in categories:
        if name not in given.categories:
            raise RibsightError(
                f"{path} has no category '{name}'{nearest(name, given.categories)}; "
                f"it has: {', '.join(given.categories) or 'none'}"
            )
    images = {}
    rejected = [LeftOut(path.name, one.where, one.reason) for one in given.rejected]
    for name, regions in given.by_image().items():
        known = given.images[name]
        chosen = [
            replace(one, finding=categories[one.finding])
            for one in regions
            if one.finding in categories
        ]
        rejected += [
            LeftOut(
                path.name,
                one.source.removeprefix(f"{path.name}, "),
                f"{one.source}: its category '{one.finding}' stands for no finding",
            )
            for one in regions
            if one.finding not in categories
        ]
        images[name] = DrawnImage(known.width, known.height, tuple(chosen))
    return Drawn(path, images, tuple(rejected))


def check_about_these(drawn: Drawn | None, names: Mapping[str, str]) -> None:
    """Hold that an annotation file is about these images.

    Raises:
        RibsightError: it has no usable region, or none on any of the images.
    """
    if drawn is None:
        return
    with_regions = [name for name, image in drawn.images.items() if image.regions]
    if any(find_id(name, names) for name in with_regions):
        return
    if not with_regions:
        first = drawn.rejected[0].reason if drawn.rejected else "it holds no annotation"
        raise RibsightError(
            f"{drawn.file} gives no region for these findings: {first}; "
            "build without --regions if none are drawn"
        )
    raise RibsightError(
        f"{drawn.file} is about other images: none of the {len(with_regions)} images with a "
        f"region, such as '{with_regions[0]}', is in the folder"
    )


def _why_unusable(
    name: str, image: DrawnImage, id_: str | None, read: Mapping[str, ReadImage]
) -> str:
    if id_ is None:
        return f"no image named {name}"
    if id_ not in read:
        return f"the image {name} was left out"
    stored = read[id_]
    if image.width is None or (image.width, image.height) == (stored.width, stored.height):
        return ""
    swapped = (image.width, image.height) == (stored.height, stored.width)
    return (
        f"drawn on {name} of {image.width} x {image.height} pixels, but the image has "
        f"{stored.width} x {stored.height}"
        + (": width and height are swapped, so the region may lie elsewhere" if swapped else "")
    )
