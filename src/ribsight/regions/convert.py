"""Reading any annotation format, and writing another without losing anything in silence."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ribsight.errors import RibsightError
from ribsight.regions.annotations import Annotations, Fault
from ribsight.regions.edit import choose_readers, clip, refuse_outside, rename, with_images
from ribsight.regions.formats import Format, Holds, ReadOptions, format_named, recognised
from ribsight.regions.image_sizes import KnownImages
from ribsight.regions.source import Source


def read_annotations(
    path: Path,
    format: str | None = None,  # noqa: A002
    *,
    images: KnownImages | None = None,
    class_names: Sequence[str] = (),
    categories: Mapping[str, str] | None = None,
    readers: Sequence[str] = (),
    predictions: bool = False,
    clip_outside: bool = False,
    leave_out_faults: bool = False,
) -> Annotations:
    """Read an annotation file or folder of any known format.

    Args:
        path: the file (also .gz, or .zip of one) or folder.
        format: name of the format; None to tell it by the content.
        images: names and sizes of the images, for formats that give none; see `known_images`.
        class_names: of numbered classes in order, where the file has none (YOLO).
        categories: new names by the file's names; others stay.
        readers: whose regions and images to take; all if empty.
        predictions: a detector's regions instead of the annotators' (Label Studio).
        clip_outside: cut what reaches out of its image, where the size is known.
        leave_out_faults: leave entries at fault in `rejected` rather than refuse the file.

    Raises:
        RibsightError: no such file, of no known format, or an entry at fault (no finite number,
            swapped corners, no area, outside the image), with its row or id.
    """
    annotations, _ = read_all(
        path, format, images=images, class_names=class_names, predictions=predictions
    )
    if categories:
        annotations = rename(annotations, categories)
    if readers:
        annotations = choose_readers(annotations, readers)
    annotations = clip(annotations) if clip_outside else refuse_outside(annotations)
    return _settled(annotations, leave_out_faults=leave_out_faults)


def read_all(
    path: Path,
    format: str | None = None,  # noqa: A002
    *,
    images: KnownImages | None = None,
    class_names: Sequence[str] = (),
    predictions: bool = False,
) -> tuple[Annotations, str]:
    """Read a file with its faults, as `read_annotations` does; return the format's title too."""
    source = Source(path)
    if not path.exists():
        raise RibsightError(f"there is no {path}")
    chosen = format_named(format) if format else recognised(source)
    annotations = chosen.read(source, ReadOptions(images, tuple(class_names), predictions))
    if images is not None:
        annotations = with_images(annotations, images)
    return annotations, chosen.title


def _settled(annotations: Annotations, *, leave_out_faults: bool) -> Annotations:
    """Refuse the file for its first fault, or count what was passed over."""
    faults = [one for one in annotations.rejected if one.fault is not Fault.NO_REGION]
    if faults and not leave_out_faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        can_clip = all(one.fault is Fault.OUTSIDE for one in faults)
        remedy = "--clip cuts such regions, --leave-out" if can_clip else "--leave-out"
        raise RibsightError(f"{faults[0]}{more}; correct it, or {remedy} passes over them")
    counts = Counter(one.fault for one in annotations.rejected)
    notes = [f"entries left out, {fault} ({count})" for fault, count in counts.items()]
    return replace(annotations, notes=(*annotations.notes, *notes))


def losses(annotations: Annotations, target: Format) -> tuple[list[str], list[str]]:
    """Return what the format cannot hold: what is only worth a note, and what must be accepted.

    Losing images without a region, or who of several readers drew what, changes what the file
    says; losing outlines, scores or attributes leaves it true.
    """
    held = target.holds
    regions, images = annotations.regions, annotations.images.values()
    empty = len(annotations.images) - len({one.radiograph for one in regions})
    grave = []
    if Holds.NEGATIVES not in held and empty:
        grave.append(f"images without a region ({empty})")
    several = sum(
        len({*image.readers, *(one.reader for one in drawn)}) > 1
        for image, drawn in zip(images, annotations.by_image().values(), strict=True)
    )
    if Holds.READERS not in held and several:
        grave.append(f"who drew what on images of several readers ({several}; see --consensus)")
    names = {name for one in regions for name in one.attributes} - target.attributes
    outlines = sum(not one.is_box for one in regions)
    drew = {(one.radiograph, one.reader) for one in regions}
    silent = sum((one.name, who) not in drew for one in images for who in one.readers)
    labels = sum(len(one.labels) for one in images)
    scores = sum(one.score is not None for one in regions)
    light = {
        Holds.OUTLINES: (outlines, f"outlines become the boxes around them ({outlines})"),
        Holds.LABELS: (labels, f"labels of whole images are not written ({labels})"),
        Holds.SCORES: (scores, f"scores are not written ({scores})"),
        Holds.ATTRIBUTES: (names, f"attributes not written: {', '.join(sorted(names))}"),
        Holds.EXTRA: (
            any(one.extra for one in images),
            "further fields of images are not written",
        ),
        Holds.READERS_OF_IMAGES: (
            silent if Holds.READERS in held else 0,
            f"who looked at an image and drew nothing is not written ({silent})",
        ),
        Holds.READERS: (
            bool(annotations.readers()) and not several,
            f"the names of readers are not written: {', '.join(annotations.readers())}",
        ),
    }
    notes = [said for kind, (is_there, said) in light.items() if kind not in held and is_there]
    return notes, grave


def write_annotations(
    annotations: Annotations,
    format: str,  # noqa: A002
    path: Path,
    *,
    images: KnownImages | None = None,
    lossy: bool = False,
) -> list[str]:
    """Write annotations in one step; return what was changed or could not be held.

    Args:
        annotations: to write.
        format: name of the format.
        path: file, or a new folder (YOLO, DICOM SR).
        images: for formats that need the image's own file (DICOM SR).
        lossy: write although negatives or several readers cannot be held.

    Raises:
        RibsightError: the format cannot hold it, or the file cannot be written.
    """
    target = format_named(format)
    notes, grave = losses(annotations, target)
    if grave and not lossy:
        raise RibsightError(
            f"{target.title} cannot hold {' or '.join(grave)}; --lossy writes the rest"
        )
    notes += [f"not written: {one}" for one in grave]
    return notes + target.write(annotations, path, images)
