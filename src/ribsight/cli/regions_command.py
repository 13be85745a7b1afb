"""`ribsight regions`: annotation formats shown and converted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ribsight.cli.tables import counted, print_table
from ribsight.errors import RibsightError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ribsight.regions import Annotations

_PATH = click.Path(path_type=Path)
# As in ribsight.regions.formats, which --help does not import.
FORMATS = ("coco", "yolo", "vindr", "rsna", "nih", "chestx-det", "label-studio", "cvat", "dicom-sr")
RULES = ("union", "majority", "all", "weighted")
_FIRST_FAULTS = 5
_HOW_MANY = (
    ("none", 0, 0), ("1", 1, 1), ("2", 2, 2), ("3", 3, 3), ("4 to 6", 4, 6), ("7 to 12", 7, 12),
    ("13 or more", 13, 10**9),
)  # fmt: skip


@click.group()
def regions() -> None:
    """Show annotation files, and convert them between formats."""


def _inputs(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.argument("source", metavar="IN", type=_PATH),
            click.option("--from", "source_format", type=click.Choice(FORMATS),
                         help="Format of IN. [default: told by its content]"),
            click.option("--images", type=_PATH, metavar="FOLDER|CSV",
                         help="The images, or their sizes: image, width, height."),
            click.option("--class-names", metavar="A,B,...",
                         help="Of YOLO's numbers in order, where IN has no data.yaml."),
            click.option("--predictions", is_flag=True,
                         help="Label Studio's predictions instead of its annotations."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@regions.command()
@_inputs
def show(source: Path, images: Path | None, **asked: Any) -> None:
    """Count categories, readers, images, and what is at fault."""
    from ribsight.regions.convert import read_all
    from ribsight.regions.image_sizes import known_images
    from ribsight.regions.summary import summarise

    known = known_images(images) if images else None
    read, name = read_all(source, images=known, **_reading(asked))
    found = summarise(read)
    click.echo(
        f"{source.name}: {name}, {counted(found.images, 'image')} ({found.empty} without a "
        f"region, {found.sized} of known size), {counted(len(read.regions), 'region')}"
    )
    _print_block("category", ("boxes", "outlines", "images"), found.categories)
    _print_block("reader", ("regions", "images", "nothing drawn"), found.readers)
    labels = {name: (count,) for name, count in found.labels.items()}
    _print_block("label of the image", ("images",), labels)
    on_images = {
        said: (count,)
        for said, low, high in _HOW_MANY
        if (count := sum(n for many, n in found.regions_on_images.items() if low <= many <= high))
    }
    _print_block("regions on an image", ("images",), on_images)
    if found.sized:
        click.echo(f"\nreach out of their image: {found.outside}")
    for fault, count in found.faults.items():
        click.echo(f"left out, {fault}: {count}")
    for one in read.rejected[:_FIRST_FAULTS]:
        click.echo(f"  {one}")
    for note in read.notes:
        click.echo(note)


def _print_block(title: str, columns: Sequence[str], rows: Mapping[str, tuple[int, ...]]) -> None:
    if rows:
        click.echo()
        table: list[tuple[str | int, ...]] = [(title, *columns)]
        table += [(name or "-", *counts) for name, counts in rows.items()]
        print_table(table)


@regions.command()
@_inputs
@click.option("--to", "target", type=click.Choice(FORMATS), required=True)
@click.option("--out", type=_PATH, required=True, help="File; a new folder for yolo, dicom-sr.")
@click.option(
    "--classes",
    metavar="A,B,...",
    help="Categories to write, in this order. [default: all]",
)
@click.option(
    "--category",
    "categories",
    multiple=True,
    metavar="THEIRS=OURS",
    help="Rename; several may get one name.",
)
@click.option("--readers", metavar="A,B,...", help="Take only what these readers said.")
@click.option("--consensus", type=click.Choice(RULES), help="Make several readers one.")
@click.option(
    "--weight", "weights", multiple=True, metavar="READER=NUMBER", help="For weighted. [default: 1]"
)
@click.option(
    "--iou",
    type=click.FloatRange(0, 1),
    default=0.55,
    show_default=True,
    help="For weighted: above it, boxes are fused.",
)
@click.option(
    "--minimum-score",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="For weighted: fused boxes below are left out.",
)
@click.option("--boxes", is_flag=True, help="Write outlines as the boxes around them.")
@click.option("--clip", is_flag=True, help="Cut what reaches out of its image.")
@click.option("--leave-out", is_flag=True, help="Pass over entries at fault, and count them.")
@click.option("--lossy", is_flag=True, help="Write although negatives or readers are lost.")
def convert(source: Path, images: Path | None, target: str, out: Path, **asked: Any) -> None:
    """Write the annotations of IN in another format.

    What the other format cannot hold is said; losing images without a region, or who of several
    readers drew what, needs --lossy. docs/regions.md says what each format holds.
    """
    from ribsight.regions import known_images, read_annotations, write_annotations
    from ribsight.regions.edit import as_boxes, choose_classes

    known = known_images(images) if images else None
    classes = _listed(asked["classes"], "--classes")
    read = read_annotations(
        source,
        images=known,
        **_reading(asked),
        categories=dict(_pairs(asked["categories"], "--category")),
        readers=_listed(asked["readers"], "--readers"),
        clip_outside=asked["clip"],
        leave_out_faults=asked["leave_out"],
    )
    if asked["consensus"]:
        read = _agreed(read, asked)
    elif asked["weights"]:
        raise click.UsageError("--weight is for --consensus weighted")
    if classes:
        read = choose_classes(read, classes)
    if asked["boxes"]:
        read = as_boxes(read)
    notes = write_annotations(read, target, out, images=known, lossy=asked["lossy"])
    for note in (*read.notes, *notes):
        click.echo(note)
    empty = sum(not own for own in read.by_image().values())
    click.echo(
        f"{counted(len(read.images), 'image')} ({empty} without a region), "
        f"{counted(len(read.regions), 'region')} -> {out}"
    )


def _reading(asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": asked["source_format"],
        "class_names": _listed(asked["class_names"], "--class-names"),
        "predictions": asked["predictions"],
    }


def _agreed(read: Annotations, asked: dict[str, Any]) -> Annotations:
    from ribsight.regions import Fusion, Rule, agree

    weights = {}
    for name, text in _pairs(asked["weights"], "--weight"):
        try:
            weights[name] = float(text)
            if not 0 <= weights[name] < float("inf"):
                raise ValueError
        except ValueError:
            raise RibsightError(f"--weight {name}={text}: not a number from 0 on") from None
    fusion = Fusion(asked["iou"], weights, asked["minimum_score"])
    return agree(read, Rule(asked["consensus"]), fusion)


def _pairs(texts: Sequence[str], option: str) -> list[tuple[str, str]]:
    pairs = [one.partition("=") for one in texts]
    for text, (name, _, other) in zip(texts, pairs, strict=True):
        if not name or not other:
            raise RibsightError(f"{option} {text}: not two names with = between them")
    return [(name, other) for name, _, other in pairs]


def _listed(text: str | None, option: str) -> tuple[str, ...]:
    names = tuple(one.strip() for one in text.split(",")) if text else ()
    if not all(names):
        raise RibsightError(f"{option} {text}: a name is empty")
    return names
