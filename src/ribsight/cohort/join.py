"""Which files belong together: images, rows of the table and regions, matched by file name."""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePosixPath

from ribsight.cohort.workers import map_ordered, progress_bar, worker_pool
from ribsight.errors import RibsightError
from ribsight.files import file_sha256, write_text
from ribsight.radiographs import (
    UnreadableImageError,
    View,
    image_files,
    image_id,
    pixels_sha256,
    read_radiograph,
)
from ribsight.radiographs.image_file import TRUNCATED, TRUNCATED_ALL_ROWS
from ribsight.records import DiagnosisRow, DiagnosisTable
from ribsight.regions import CocoImage, CocoRegions, Region

WARNING_SEPARATOR = "; "


class Truncated(StrEnum):
    """What to do with an image of which rows or detail are missing."""

    REFUSE = "refuse"
    """Keep it in the tables; `check_cohort` calls it an error."""
    USE = "use"
    """Use what could be decoded; `check_cohort` warns."""
    LEAVE_OUT = "leave-out"


@dataclass(frozen=True)
class LeftOut:
    """Something given that is not in the cohort: its file, row or annotation if any, and why."""

    file: str
    row: str
    reason: str


@dataclass(frozen=True)
class ReadImage:
    """One readable image: its path relative to the folder, and its columns of `RADIOGRAPHS`.

    `patient`, `study`, `view` and `spacing_mm` are what a DICOM header says, None if nothing.
    """

    file: str
    width: int
    height: int
    bits: int
    sha256: str
    pixels_sha256: str
    warnings: tuple[str, ...]
    patient: str | None = None
    study: str | None = None
    view: View | None = None
    spacing_mm: float | None = None

    @property
    def id(self) -> str:
        """The radiograph's id: the file's name without its ending."""
        return image_id(PurePosixPath(self.file))

    @property
    def is_incomplete(self) -> bool:
        """Whether rows or detail are missing, not just the end marker."""
        return any(one.startswith(TRUNCATED) and one != TRUNCATED_ALL_ROWS for one in self.warnings)


def write_left_out(left_out: Sequence[LeftOut], path: Path) -> None:
    """Write what was left out as CSV: file, row, reason."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "row", "reason"])
    writer.writerows([one.file, one.row, one.reason] for one in left_out)
    write_text(path, text.getvalue())


def unique_paths(images: Path) -> dict[str, Path]:
    """Return the images by id, sorted by id."""
    by_id: dict[str, Path] = {}
    for path in image_files(images):
        id_ = image_id(path)
        if id_ in by_id:
            raise RibsightError(
                f"two images are named '{id_}': {by_id[id_]} and {path}; "
                "rename one or give the folder of one"
            )
        by_id[id_] = path
    if not by_id:
        raise RibsightError(f"{images} holds no PNG, JPEG or TIFF image and no DICOM file")
    return dict(sorted(by_id.items()))


def find_id(name: str, paths: Mapping[str, Path]) -> str | None:
    """Return the id that a table or annotation file means by `name`, with or without ending."""
    last = PurePosixPath(name.replace("\\", "/"))
    if last.name in paths:
        return last.name
    id_ = image_id(last)
    return id_ if id_ in paths else None


def match_rows(table: DiagnosisTable, paths: Mapping[str, Path]) -> dict[str, DiagnosisRow]:
    """Return the table's row of each id.

    Raises:
        RibsightError: two rows are about one image, or no row is about any.
    """
    matched: dict[str, DiagnosisRow] = {}
    for row in table.rows:
        id_ = find_id(row.image, paths)
        if id_ is None:
            continue
        if id_ in matched:
            raise RibsightError(
                f"{table.path}: rows {matched[id_].row} and {row.row} are both about "
                f"{paths[id_]}; keep one"
            )
        matched[id_] = row
    if not matched:
        raise RibsightError(
            f"{table.path} is about other images: none of its {len(table.rows)} rows, such as "
            f"'{table.rows[0].image}', names one of the {len(paths)} images"
        )
    return matched


def check_regions_match(
    file: Path | None, drawn: CocoRegions | None, paths: Mapping[str, Path]
) -> None:
    """Hold that the region file is about these images.

    Raises:
        RibsightError: it has no usable region, or none on any of the images.
    """
    if drawn is None or any(
        image.regions and find_id(name, paths) for name, image in drawn.images.items()
    ):
        return
    names = [name for name, image in drawn.images.items() if image.regions]
    if not names:
        raise RibsightError(
            f"{file} gives no region for these findings: {_first_reason(drawn)}; "
            "build without --regions if none are drawn"
        )
    raise RibsightError(
        f"{file} is about other images: none of the {len(names)} images with a region, such as "
        f"'{names[0]}', is in the folder"
    )


def _first_reason(drawn: CocoRegions) -> str:
    return drawn.rejected[0].reason if drawn.rejected else "it holds no annotation"


def read_images(
    folder: Path,
    paths: Mapping[str, Path],
    truncated: Truncated,
    processes: int,
    *,
    keep_laterals: bool,
    progress: bool,
) -> tuple[dict[str, ReadImage], list[LeftOut]]:
    """Read every image; return the usable ones by id, and the others with their reasons.

    Raises:
        RibsightError: none can be used.
    """
    read: dict[str, ReadImage] = {}
    left_out: list[LeftOut] = []
    bar = progress_bar(len(paths), "reading", progress=progress)
    with bar, worker_pool(processes) as pool:
        for one in map_ordered(partial(_read_image, folder=folder), list(paths.values()), pool):
            bar.update()
            if isinstance(one, LeftOut):
                left_out.append(one)
            elif one.is_incomplete and truncated is Truncated.LEAVE_OUT:
                left_out.append(LeftOut(one.file, "", WARNING_SEPARATOR.join(one.warnings)))
            elif one.view is View.LATERAL and not keep_laterals:
                left_out.append(LeftOut(one.file, "", "lateral view"))
            else:
                read[one.id] = one
    if not read:
        raise RibsightError(f"none of the {len(paths)} images can be used: {left_out[0].reason}")
    return read, left_out


def _read_image(path: Path, *, folder: Path) -> ReadImage | LeftOut:
    file = path.relative_to(folder).as_posix()
    try:
        radiograph = read_radiograph(path)
    except UnreadableImageError as error:
        return LeftOut(file, "", str(error))
    height, width = radiograph.pixels.shape
    spacing = radiograph.pixel_spacing
    return ReadImage(
        file=file,
        width=width,
        height=height,
        bits=radiograph.bits,
        sha256=file_sha256(path),
        pixels_sha256=pixels_sha256(radiograph.pixels),
        warnings=radiograph.warnings,
        patient=radiograph.identifiers.patient_id,
        study=radiograph.identifiers.study_uid,
        view=radiograph.view,
        spacing_mm=sum(spacing) / 2 if spacing else None,
    )


def join_regions(
    file: Path | None,
    drawn: CocoRegions | None,
    paths: Mapping[str, Path],
    read: Mapping[str, ReadImage],
) -> tuple[dict[str, list[Region]], list[LeftOut]]:
    """Return the regions of each id, and those without a usable image."""
    joined: defaultdict[str, list[Region]] = defaultdict(list)
    if file is None or drawn is None:
        return joined, []
    left_out = [LeftOut(file.name, one.annotation, one.reason) for one in drawn.rejected]
    for name, image in drawn.images.items():
        id_ = find_id(name, paths)
        reason = _why_unusable(name, image, id_, read)
        if reason or id_ is None:
            left_out += [
                LeftOut(file.name, region.source.removeprefix(f"{file.name}, "), reason)
                for region in image.regions
            ]
        else:
            joined[id_] += [replace(region, radiograph=id_) for region in image.regions]
    return joined, left_out


def _why_unusable(
    name: str, image: CocoImage, id_: str | None, read: Mapping[str, ReadImage]
) -> str:
    if id_ is None:
        return f"no image named {name}"
    if id_ not in read:
        return f"the image {name} was left out"
    stored = read[id_]
    if (image.width, image.height) == (stored.width, stored.height):
        return ""
    swapped = (image.width, image.height) == (stored.height, stored.width)
    return (
        f"drawn on {name} of {image.width} x {image.height} pixels, but the image has "
        f"{stored.width} x {stored.height}"
        + (": width and height are swapped, so the region may lie elsewhere" if swapped else "")
    )
