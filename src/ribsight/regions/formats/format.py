"""What a format is: how it is recognised, read and written, and what it can hold."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ribsight.regions.annotations import Annotations
from ribsight.regions.image_sizes import KnownImages
from ribsight.regions.source import Source


class Holds(StrEnum):
    """What a format has a place for."""

    CATEGORIES = "categories"
    OUTLINES = "outlines"
    NEGATIVES = "images without a region"
    READERS = "readers"
    READERS_OF_IMAGES = "who looked at an image and drew nothing"
    LABELS = "labels of whole images"
    SCORES = "scores"
    ATTRIBUTES = "attributes"
    EXTRA = "further fields of images"


@dataclass(frozen=True)
class ReadOptions:
    """What a reader may need beside the file.

    Attributes:
        known: the images.
        class_names: of numbered classes, where the file has none.
        predictions: take a detector's regions instead of the annotators'.
    """

    known: KnownImages | None = None
    class_names: tuple[str, ...] = ()
    predictions: bool = False


@dataclass(frozen=True)
class Format:
    """One annotation format.

    Attributes:
        name: as the command line has it.
        title: for people.
        recognises: whether a file or folder is of this format, by its content.
        read: raises RibsightError for what is wrong with the file as a whole.
        write: writes in one step; returns sentences about what it had to change.
        holds: what is not lost.
        attributes: those it has a place for, where it does not hold all.
    """

    name: str
    title: str
    recognises: Callable[[Source], bool]
    read: Callable[[Source, ReadOptions], Annotations]
    write: Callable[[Annotations, Path, KnownImages | None], list[str]]
    holds: frozenset[Holds]
    attributes: frozenset[str] = frozenset()


def csv_number(value: float) -> str:
    """Return the shortest text that reads back as the same number."""
    return repr(float(value))
