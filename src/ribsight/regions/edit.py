"""Renaming categories, choosing readers, sizes from the images, and bounds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ribsight.errors import RibsightError, nearest
from ribsight.regions.annotations import Annotations, Fault, ImageLabel, Rejected
from ribsight.regions.geometry import MIN_AREA, clip_polygon, signed_area
from ribsight.regions.image_sizes import KnownImages
from ribsight.regions.region import Box, Polygon, Region, box_polygon

ROUNDING = 0.01
"""Pixels; what lies outside by less is rounding of the file's numbers, and is left as it is."""


def rename(annotations: Annotations, names: Mapping[str, str]) -> Annotations:
    """Give categories other names; several may get one.

    Raises:
        RibsightError: a name the file does not have.
    """
    known = [*annotations.categories, *_label_names(annotations)]
    for name in names:
        if name not in known:
            raise RibsightError(
                f"{annotations.source} has no category '{name}'{nearest(name, known)}; it has: "
                f"{', '.join(dict.fromkeys(known)) or 'none'}"
            )
    return replace(
        annotations,
        categories=tuple(dict.fromkeys(names.get(one, one) for one in annotations.categories)),
        regions=tuple(
            replace(one, finding=names.get(one.finding, one.finding)) for one in annotations.regions
        ),
        images={
            name: replace(
                image,
                labels=tuple(
                    ImageLabel(names.get(one.name, one.name), one.reader) for one in image.labels
                ),
            )
            for name, image in annotations.images.items()
        },
    )


def _label_names(annotations: Annotations) -> list[str]:
    return list({one.name: None for i in annotations.images.values() for one in i.labels})


def choose_classes(annotations: Annotations, classes: Sequence[str]) -> Annotations:
    """Keep the regions of these categories, in this order of categories; say what is left out.

    Raises:
        RibsightError: a class given twice.
    """
    if len(set(classes)) < len(classes):
        raise RibsightError(f"--classes names a class twice: {', '.join(classes)}")
    dropped = Counter(one.finding for one in annotations.regions if one.finding not in classes)
    note = "regions left out, of categories not in --classes: " + ", ".join(
        f"{name} {count}" for name, count in sorted(dropped.items())
    )
    return replace(
        annotations,
        categories=tuple(classes),
        regions=tuple(one for one in annotations.regions if one.finding in classes),
        notes=(*annotations.notes, note) if dropped else annotations.notes,
    )


def choose_readers(annotations: Annotations, readers: Sequence[str]) -> Annotations:
    """Keep what these readers said, and the images they looked at.

    Raises:
        RibsightError: somebody who read nothing.
    """
    known = annotations.readers()
    for name in readers:
        if name not in known:
            raise RibsightError(
                f"{annotations.source} has no reader '{name}'{nearest(name, known)}; it has: "
                f"{', '.join(known) or 'none'}"
            )
    images = {
        name: replace(
            image,
            readers=tuple(one for one in image.readers if one in readers),
            labels=tuple(one for one in image.labels if one.reader in readers),
        )
        for name, image in annotations.images.items()
        if set(image.readers) & set(readers)
    }
    regions = tuple(one for one in annotations.regions if one.reader in readers)
    return replace(annotations, images=images, regions=regions)


def with_images(annotations: Annotations, known: KnownImages) -> Annotations:
    """Take names and sizes from the images; an image that is not among them keeps its own.

    Raises:
        RibsightError: a size other than the file's, or two of the file's images are one.
    """
    images = {}
    renamed = {}
    missing = 0
    for name, image in annotations.images.items():
        found = known.find(name)
        if found is None:
            missing += 1
            images[name] = image
            continue
        stored = (found.width, found.height)
        if image.width is not None and (image.width, image.height) != stored:
            raise RibsightError(
                f"{annotations.source} was drawn on {name} of {image.width} x {image.height} "
                f"pixels, but {found.name} has {found.width} x {found.height}"
            )
        if found.name in images:
            raise RibsightError(f"{annotations.source}: {name} and another image are {found.name}")
        renamed[name] = found.name
        images[found.name] = replace(image, name=found.name, width=found.width, height=found.height)
    if not renamed and images:
        raise RibsightError(
            f"{annotations.source} is about other images: none of its {len(images)}, such as "
            f"'{next(iter(images))}', is in {known.source}"
        )
    note = (f"images that are not in {known.source} ({missing})",) if missing else ()
    return replace(
        annotations,
        images=images,
        regions=tuple(
            replace(one, radiograph=renamed.get(one.radiograph, one.radiograph))
            for one in annotations.regions
        ),
        notes=(*annotations.notes, *note),
    )


def outside(annotations: Annotations) -> list[tuple[Region, str]]:
    """Return the regions that reach out of their image, and by how much."""
    found = []
    for region in annotations.regions:
        image = annotations.images[region.radiograph]
        if image.width is None or image.height is None:
            continue
        boxes = [region.box, *([region.stated_box] if region.stated_box else [])]
        if any(not _is_inside(one, image.width, image.height) for one in boxes):
            x0, y0, x1, y1 = region.box
            reason = (
                f"its box goes from x {x0:g} to {x1:g} and y {y0:g} to {y1:g}, out of the image "
                f"of {image.width} x {image.height} pixels"
            )
            found.append((region, reason))
    return found


def _is_inside(box: Box, width: int, height: int) -> bool:
    low, right, bottom = -ROUNDING, width + ROUNDING, height + ROUNDING
    return box[0] >= low and box[1] >= low and box[2] <= right and box[3] <= bottom


def refuse_outside(annotations: Annotations) -> Annotations:
    """Move the regions that reach out of their image to the rejected entries."""
    reasons = {id(region): reason for region, reason in outside(annotations)}
    rejected = [
        Rejected(one.source, reasons[id(one)], Fault.OUTSIDE)
        for one in annotations.regions
        if id(one) in reasons
    ]
    kept = tuple(one for one in annotations.regions if id(one) not in reasons)
    return replace(annotations, regions=kept, rejected=(*annotations.rejected, *rejected))


def clip(annotations: Annotations) -> Annotations:
    """Cut regions at the edges of their image and leave out those beyond; say how many."""
    reaching = {id(region) for region, _ in outside(annotations)}
    kept = []
    gone = 0
    for region in annotations.regions:
        if id(region) not in reaching:
            kept.append(region)
            continue
        image = annotations.images[region.radiograph]
        cut = _clipped(region, float(image.width or 0), float(image.height or 0))
        gone += cut is None
        kept += [cut] if cut is not None else []
    notes = list(annotations.notes)
    if reaching:
        notes.append(f"regions clipped at the edge of their image ({len(reaching) - gone})")
    if gone:
        notes.append(f"regions left out that lie outside their image ({gone})")
    return replace(annotations, regions=tuple(kept), notes=tuple(notes))


def _clipped(region: Region, width: float, height: float) -> Region | None:
    polygons: list[Polygon] = []
    for one in region.polygons:
        cut = clip_polygon(one, width, height)
        if len(cut) >= 3 and abs(signed_area(cut)) >= MIN_AREA:
            polygons.append(cut)
    if not polygons:
        return None
    stated = region.stated_box
    if stated is not None:
        x0, y0, x1, y1 = stated
        stated = (max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height))
        if stated[2] <= stated[0] or stated[3] <= stated[1]:
            stated = None
    return replace(region, polygons=tuple(polygons), stated_box=stated)


def as_boxes(annotations: Annotations) -> Annotations:
    """Return every outline as the box around it."""
    return replace(
        annotations,
        regions=tuple(
            replace(one, polygons=(box_polygon(*one.box_to_write),), is_box=True, stated_box=None)
            for one in annotations.regions
        ),
    )
