"""YOLO labels: one text file an image, one line a region, in shares of the image's size.

`class cx cy w h` is a box, `class cx cy w h score` a detector's box, `class x y x y x y ...` a
polygon (a score after it makes the count even). An empty file is an image without a region, and so
is a picture without a file. Names of classes stand in `data.yaml`, `classes.txt` or `obj.names`.
Source: https://docs.ultralytics.com/datasets/detect/.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ribsight.errors import RibsightError
from ribsight.files import atomic_folder
from ribsight.regions.annotations import Annotations, Collector, Fault, UnusableError
from ribsight.regions.formats.format import Format, Holds, ReadOptions, csv_number
from ribsight.regions.geometry import as_axis_box, checked_polygon, joined, number, sized_box
from ribsight.regions.image_sizes import (
    PICTURE_SUFFIXES,
    TABLE_NAME,
    KnownImage,
    KnownImages,
    known_images,
    last_part,
    stem,
    write_table,
)
from ribsight.regions.region import Box, Polygon, Region
from ribsight.regions.source import Source

_NAME_FILES = ("classes.txt", "obj.names")
_NO_LABELS = frozenset({"classes.txt", "images.txt", "train.txt", "val.txt", "test.txt"})


def recognises(source: Source) -> bool:
    """Whether it is a data.yaml, or a folder with one, with names of classes or with labels."""
    if not source.is_folder:
        return source.path.suffix.lower() in (".yaml", ".yml")
    folder = source.path
    known = ("data.yaml", "labels", *_NAME_FILES)
    return any((folder / one).exists() for one in known) or any(
        _is_label_file(one) for one in folder.glob("*.txt")
    )


def read(source: Source, options: ReadOptions) -> Annotations:
    """Read a folder of label files, or that of a data.yaml.

    Raises:
        RibsightError: no label file, a class without a name, or an image of unknown size.
    """
    folder = source.path if source.is_folder else source.path.parent
    names = _class_names(source, folder, options)
    files = _label_files(folder)
    known = options.known or _own_images(folder)
    collector = Collector(source.name)
    for name in names.values():
        collector.category(name)
    if not files and not known:
        raise RibsightError(f"{folder} holds no YOLO label file (.txt)")
    for file in files:
        image = known.find(file.stem) if known else None
        if image is None:
            raise RibsightError(
                f"{file}: the size of its image is not known, and YOLO's numbers are shares of "
                "it; give --images, the folder of the images or a CSV with image, width, height"
            )
        collector.image(image.name, (image.width, image.height), where=str(file))
        _read_lines(collector, file, file.relative_to(folder).as_posix(), image, names)
    for image in known.images if known and not options.known else ():
        collector.image(image.name, (image.width, image.height))
    return collector.done()


def _read_lines(
    collector: Collector, file: Path, called: str, image: KnownImage, names: Mapping[int, str]
) -> None:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RibsightError(f"cannot read {file}: {error}") from error
    for place, line in enumerate(lines, 1):
        where = f"{called}, line {place}"
        parts = line.split()
        if not parts:
            continue
        with collector.entry(where):
            category = _class_name(parts[0], names, where)
            values = [number(one, f"number {n}") for n, one in enumerate(parts[1:], 1)]
            more: dict[str, Any] = {}
            if len(values) > 4 and len(values) % 2:
                more["score"] = values.pop()
            if len(values) == 4:
                box = _box(values, image)
                collector.box(image.name, category, box, where, **more)
                continue
            if len(values) < 6:
                raise UnusableError(
                    Fault.REFERENCE, f"{len(parts)} numbers: neither a box nor a polygon"
                )
            polygon = checked_polygon(values) * (image.width, image.height)
            if (upright := as_axis_box(polygon)) is not None:
                collector.box(image.name, category, upright, where, **more)
            else:
                collector.outline(image.name, category, (polygon,), where, **more)


def _box(values: list[float], image: KnownImage) -> Box:
    cx, cy, w, h = values
    size = (w * image.width, h * image.height)
    x, y = cx * image.width - size[0] / 2, cy * image.height - size[1] / 2
    return sized_box(x, y, *size)


def _class_name(text: str, names: Mapping[int, str], where: str) -> str:
    try:
        value = float(text)
        index = int(value)
        if index != value:
            raise ValueError
    except (ValueError, OverflowError):
        raise UnusableError(Fault.REFERENCE, f"its class is {text!r}, not a number") from None
    if index not in names:
        raise RibsightError(
            f"{where}: class {index} has no name among the {len(names)} of the data set"
        )
    return names[index]


def _class_names(source: Source, folder: Path, options: ReadOptions) -> dict[int, str]:
    data = source.path if not source.is_folder else folder / "data.yaml"
    if data.is_file():
        return _yaml_names(data)
    for one in _NAME_FILES:
        for place in (folder / one, folder.parent / one):
            if place.is_file():
                lines = Source(place).text.splitlines()
                return dict(enumerate(line.strip() for line in lines if line.strip()))
    if options.class_names:
        return dict(enumerate(options.class_names))
    raise RibsightError(
        f"{folder} has no data.yaml and no classes.txt: give the names of the classes in order "
        "with --class-names"
    )


def _yaml_names(path: Path) -> dict[int, str]:
    try:
        document = yaml.safe_load(Source(path).text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RibsightError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise RibsightError(f"{path} has no list of class names under 'names'")
    try:
        return {int(index): str(name) for index, name in names.items()}
    except (TypeError, ValueError) as error:
        raise RibsightError(f"{path}: a class number under 'names' is no number") from error


def _is_label_file(path: Path) -> bool:
    return path.name not in _NO_LABELS and not path.name.lower().startswith("readme")


def _label_files(folder: Path) -> list[Path]:
    start = folder / "labels" if (folder / "labels").is_dir() else folder
    found = [one for one in sorted(start.rglob("*.txt")) if _is_label_file(one)]
    seen: dict[str, Path] = {}
    for one in found:
        if one.stem in seen:
            raise RibsightError(f"{seen[one.stem]} and {one} are about one image: give one folder")
        seen[one.stem] = one
    return found


def _own_images(folder: Path) -> KnownImages | None:
    if (folder / TABLE_NAME).is_file():
        return known_images(folder / TABLE_NAME)
    for place in (folder / "images", folder):
        if place.is_dir() and any(
            one.suffix.lower() in PICTURE_SUFFIXES for one in place.rglob("*")
        ):
            return known_images(place)
    return None


def write(annotations: Annotations, path: Path, known: KnownImages | None) -> list[str]:  # noqa: ARG001
    """Write labels/, data.yaml, images.txt and images.csv (the sizes).

    An image of whose regions one has an outline gets outlines only: readers of the format take
    all lines of a file as polygons then.

    Raises:
        RibsightError: an image of unknown size, or two whose label files had one name.
    """
    sizes = []
    stems: dict[str, str] = {}
    for name, one in annotations.images.items():
        if one.width is None or one.height is None:
            raise RibsightError(
                f"the size of {name} is not known, and YOLO's numbers are shares of it; give "
                "--images, the folder of the images or a CSV with image, width, height"
            )
        if stem(name) in stems:
            raise RibsightError(f"{name} and {stems[stem(name)]} would be one YOLO label file")
        stems[stem(name)] = name
        sizes.append(KnownImage(last_part(name), one.width, one.height))
    index = {name: number for number, name in enumerate(annotations.categories)}
    with atomic_folder(path) as folder:
        (folder / "labels").mkdir()
        for size, regions in zip(sizes, annotations.by_image().values(), strict=True):
            as_outlines = any(not one.is_box for one in regions)
            lines = [_line(one, index[one.finding], size, as_outlines) for one in regions]
            file = folder / "labels" / f"{stem(size.name)}.txt"
            file.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
        data = {"path": ".", "train": "images.txt", "val": "images.txt",
                "names": {number: name for name, number in index.items()}}  # fmt: skip
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
        (folder / "data.yaml").write_text(text, encoding="utf-8")
        listed = "".join(f"./images/{one.name}\n" for one in sizes)
        (folder / "images.txt").write_text(listed, encoding="utf-8")
        write_table(sizes, folder / TABLE_NAME)
    return []


def _line(region: Region, index: int, size: KnownImage, as_outlines: bool) -> str:
    values: list[float]
    if as_outlines:
        outline: Polygon = joined(region.polygons) / (size.width, size.height)
        values = outline.ravel().tolist()
    else:
        x0, y0, x1, y1 = region.box_to_write
        values = [
            (x0 + x1) / 2 / size.width,
            (y0 + y1) / 2 / size.height,
            (x1 - x0) / size.width,
            (y1 - y0) / size.height,
        ]
    if region.score is not None:
        values.append(region.score)
    return " ".join([str(index), *map(csv_number, values)])


YOLO = Format(
    name="yolo",
    title="YOLO text files",
    recognises=recognises,
    read=read,
    write=write,
    holds=frozenset({Holds.CATEGORIES, Holds.OUTLINES, Holds.NEGATIVES, Holds.SCORES}),
)
