"""What an annotation file holds, in one form for all formats."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from ribsight.errors import RibsightError
from ribsight.regions.region import Attribute, Box, Polygon, Region, box_polygon


class Fault(StrEnum):
    """Why an entry gave no region."""

    NOT_FINITE = "no finite number"
    SWAPPED = "corners swapped or size negative"
    NO_AREA = "no area"
    OUTSIDE = "outside the image"
    REFERENCE = "image, category or structure not understood"
    NO_REGION = "not a region"
    """A point, a line, a keypoint: nothing is wrong, but it has no area."""


class UnusableError(Exception):
    """Why one entry of a file gives no region; caught by `Collector.entry`."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault


@dataclass(frozen=True)
class Rejected:
    """An entry that gave no region: where it stands, and why."""

    where: str
    reason: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True)
class ImageLabel:
    """What a reader says of a whole image without drawing it, like a tag or a choice."""

    name: str
    reader: str = ""


@dataclass(frozen=True)
class AnnotatedImage:
    """One image that was looked at, with or without a region on it.

    Attributes:
        name: as the file gives it.
        width: stored pixels, None if the file does not say.
        height: likewise.
        readers: who looked at it, also if they drew nothing; empty if not known.
        labels: of the whole image.
        extra: further fields of the file, as JSON values.
    """

    name: str
    width: int | None = None
    height: int | None = None
    readers: tuple[str, ...] = ()
    labels: tuple[ImageLabel, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Annotations:
    """Images, what was drawn on them, and what could not be used.

    Attributes:
        source: name of the file or folder, for messages.
        images: by name; an image without a region is one on which nothing was found.
        regions: in the file's order; `radiograph` is an image's name, `finding` a category.
        categories: declared or used, in the file's order.
        rejected: entries that gave no region.
        notes: sentences about what was seen and passed over.
    """

    source: str
    images: Mapping[str, AnnotatedImage]
    regions: tuple[Region, ...]
    categories: tuple[str, ...]
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    def by_image(self) -> dict[str, list[Region]]:
        """Return the regions of every image, an empty list for those without."""
        drawn: dict[str, list[Region]] = {name: [] for name in self.images}
        for region in self.regions:
            drawn[region.radiograph].append(region)
        return drawn

    def readers(self) -> tuple[str, ...]:
        """Return everybody who looked at any image, sorted."""
        looked = {reader for image in self.images.values() for reader in image.readers}
        return tuple(sorted(looked))


class Collector:
    """Builds `Annotations` entry by entry."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.images: dict[str, AnnotatedImage] = {}
        self._regions: list[Region] = []
        self._categories: dict[str, None] = {}
        self._rejected: list[Rejected] = []
        self._notes: dict[str, int] = {}

    def category(self, name: str) -> None:
        """Declare a category."""
        self._categories.setdefault(name)

    def image(
        self,
        name: str,
        size: tuple[int, int] | None = None,
        *,
        reader: str = "",
        label: str = "",
        extra: Mapping[str, Any] | None = None,
        where: str = "",
    ) -> None:
        """Add an image, or what a further entry says of it.

        Args:
            name: of the image.
            size: width and height in stored pixels.
            reader: who looked at it.
            label: what is said of the whole image.
            extra: further fields.
            where: the entry, for messages.

        Raises:
            RibsightError: two entries give the image different sizes.
        """
        known = self.images.get(name) or AnnotatedImage(name)
        if size is not None and known.width is not None and (known.width, known.height) != size:
            raise RibsightError(
                f"{where or self.source}: the image {name} has {size[0]} x {size[1]} pixels here "
                f"but {known.width} x {known.height} before"
            )
        changes: dict[str, Any] = {}
        if size is not None:
            changes |= {"width": size[0], "height": size[1]}
        if reader and reader not in known.readers:
            changes["readers"] = (*known.readers, reader)
        if label and ImageLabel(label, reader) not in known.labels:
            changes["labels"] = (*known.labels, ImageLabel(label, reader))
        if extra:
            changes["extra"] = {**known.extra, **extra}
        self.images[name] = replace(known, **changes) if changes else known

    def box(self, image: str, category: str, box: Box, source: str, **more: Any) -> None:
        """Add a drawn box; `more` are further fields of `Region`."""
        self._add(Region(image, category, (box_polygon(*box),), is_box=True, source=source, **more))

    def outline(
        self, image: str, category: str, polygons: tuple[Polygon, ...], source: str, **more: Any
    ) -> None:
        """Add a drawn outline; `more` are further fields of `Region`."""
        self._add(Region(image, category, polygons, source=source, **more))

    def _add(self, region: Region) -> None:
        self.category(region.finding)
        if region.reader:
            self.image(region.radiograph, reader=region.reader)
        self._regions.append(region)

    def note(self, sentence: str, count: int = 1) -> None:
        """Count something passed over; the count follows `sentence`."""
        self._notes[sentence] = self._notes.get(sentence, 0) + count

    @contextmanager
    def entry(self, where: str) -> Iterator[None]:
        """List the entry as rejected if what is done inside finds it unusable."""
        try:
            yield
        except UnusableError as error:
            self._rejected.append(Rejected(where, str(error), error.fault))

    def done(self) -> Annotations:
        """Return what was collected."""
        return Annotations(
            source=self.source,
            images=self.images,
            regions=tuple(self._regions),
            categories=tuple(self._categories),
            rejected=tuple(self._rejected),
            notes=tuple(f"{sentence} ({count})" for sentence, count in self._notes.items()),
        )


def scalars(fields: Mapping[str, Any], known: frozenset[str]) -> dict[str, Attribute]:
    """Return the fields that are no part of the format and have one plain value."""
    return {
        key: value
        for key, value in fields.items()
        if key not in known and isinstance(value, str | int | float)
    }
