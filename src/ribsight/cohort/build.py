"""Images + a table of diagnoses + drawn regions -> a cohort, and what could not be joined."""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePosixPath

import polars as pl

from ribsight.cohort.grouping import block_of
from ribsight.cohort.tables import DIAGNOSES, RADIOGRAPHS, REGIONS, Cohort
from ribsight.cohort.workers import map_ordered, progress_bar, worker_pool
from ribsight.errors import RibsightError
from ribsight.files import file_sha256, write_text
from ribsight.findings import Acuity, DiagnosisState, Side
from ribsight.radiographs import (
    UnreadableImageError,
    image_files,
    pixels_sha256,
    read_radiograph,
)
from ribsight.radiographs.read import ENDINGS, TRUNCATED, TRUNCATED_ALL_ROWS
from ribsight.records import ColumnMapping, DiagnosisRow, DiagnosisTable, read_diagnosis_table
from ribsight.regions import CocoImage, CocoRegions, Region, read_coco

WARNING_SEPARATOR = "; "


class Truncated(StrEnum):
    """What to do with an image of which rows or detail are missing."""

    REFUSE = "refuse"
    """Keep it in the tables; `check_cohort` calls it an error."""
    USE = "use"
    """Use what could be decoded; `check_cohort` warns."""
    LEAVE_OUT = "leave-out"


class DrawnNegative(StrEnum):
    """What to do with a region on an image whose row says negative."""

    REFUSE = "refuse"
    """Keep both in the tables; `check_cohort` calls it an error."""
    POSITIVE = "positive"
    """Believe who drew the region."""
    LEAVE_OUT = "leave-out"
    """Leave out the image with its row and regions."""


@dataclass(frozen=True)
class LeftOut:
    """Something given that is not in the cohort: its file, row or annotation if any, and why."""

    file: str
    row: str
    reason: str


@dataclass(frozen=True)
class _ReadImage:
    """One readable image: its path relative to the folder, and its columns of `RADIOGRAPHS`."""

    file: str
    width: int
    height: int
    bits: int
    sha256: str
    pixels_sha256: str
    warnings: tuple[str, ...]

    @property
    def id(self) -> str:
        return PurePosixPath(self.file).stem

    @property
    def is_incomplete(self) -> bool:
        return any(one.startswith(TRUNCATED) and one != TRUNCATED_ALL_ROWS for one in self.warnings)


def build_cohort(
    images: Path,
    diagnoses: Path,
    regions: Path | None,
    mapping: ColumnMapping,
    *,
    categories: Mapping[str, str] | None = None,
    blocks: int | None = None,
    truncated: Truncated = Truncated.REFUSE,
    drawn_negative: DrawnNegative = DrawnNegative.REFUSE,
    processes: int = 1,
    progress: bool = True,
) -> tuple[Cohort, list[LeftOut]]:
    """Join what belongs together by file name, and list what could not be joined.

    An image without a row in the table has unknown diagnoses; a region on an image whose
    diagnosis is unknown makes it positive. What a split keeps together is the patient, else the
    mapping's group column, else the block of ids, else the image itself.

    Args:
        images: folder, searched with its subfolders.
        diagnoses: CSV, see `read_diagnosis_table`.
        regions: COCO instance JSON, or None.
        mapping: the CSV's columns.
        categories: finding of each COCO category.
        blocks: size of the blocks of ids that stay together.
        truncated: what to do with images that lack rows.
        drawn_negative: what to do with regions on images whose row says negative.
        processes: workers that read images.
        progress: show a progress bar.

    Raises:
        RibsightError: no image, two images of one name, an unusable table or region file, or
            a table or region file that is about none of the images.
    """
    table = read_diagnosis_table(diagnoses, mapping)
    _check_kept_columns(mapping)
    drawn = read_coco(regions, categories=categories or {}) if regions else None
    paths = _unique_paths(images)
    rows = _match_rows(table, paths)
    _check_regions_match(regions, drawn, paths)
    read, left_out = _read_images(images, paths, truncated, processes, progress=progress)
    left_out += [
        LeftOut(table.path.name, str(row.row), f"no image named {row.image}")
        for row in table.rows
        if _find_id(row.image, paths) is None
    ]
    joined, rejected = _join_regions(regions, drawn, paths, read)
    left_out += rejected
    if drawn_negative is DrawnNegative.LEAVE_OUT:
        left_out += _drop_drawn_negatives(read, rows, joined, table)
    cohort = Cohort(
        images=images,
        findings=tuple(mapping.findings),
        radiographs=_radiographs_table(read, rows, mapping, blocks),
        diagnoses=_diagnoses_table(read, rows, table, joined, drawn_negative),
        regions=_regions_table(joined),
        provenance=_provenance(table, regions, categories, truncated, drawn_negative, left_out),
    )
    return cohort, left_out


def write_left_out(left_out: Sequence[LeftOut], path: Path) -> None:
    """Write what was left out as CSV: file, row, reason."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "row", "reason"])
    writer.writerows([one.file, one.row, one.reason] for one in left_out)
    write_text(path, text.getvalue())


def _check_kept_columns(mapping: ColumnMapping) -> None:
    for column in mapping.keep:
        if column in RADIOGRAPHS:
            raise RibsightError(
                f"the column '{column}' cannot be kept: a cohort has a column of that name; "
                "rename it in the table"
            )


def _unique_paths(images: Path) -> dict[str, Path]:
    """Return the images by id, sorted by id."""
    by_id: dict[str, Path] = {}
    for path in image_files(images):
        if path.stem in by_id:
            raise RibsightError(
                f"two images are named '{path.stem}': {by_id[path.stem]} and {path}; "
                "rename one or give the folder of one"
            )
        by_id[path.stem] = path
    if not by_id:
        raise RibsightError(f"{images} holds no PNG, JPEG or TIFF image")
    return dict(sorted(by_id.items()))


def _find_id(name: str, paths: Mapping[str, Path]) -> str | None:
    """Return the id that a table or annotation file means by `name`, with or without ending."""
    last = PurePosixPath(name.replace("\\", "/"))
    if last.name in paths:
        return last.name
    return last.stem if last.suffix.lower() in ENDINGS and last.stem in paths else None


def _match_rows(table: DiagnosisTable, paths: Mapping[str, Path]) -> dict[str, DiagnosisRow]:
    matched: dict[str, DiagnosisRow] = {}
    for row in table.rows:
        id_ = _find_id(row.image, paths)
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


def _check_regions_match(
    file: Path | None, drawn: CocoRegions | None, paths: Mapping[str, Path]
) -> None:
    if drawn is None or any(
        image.regions and _find_id(name, paths) for name, image in drawn.images.items()
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


def _read_images(
    folder: Path,
    paths: Mapping[str, Path],
    truncated: Truncated,
    processes: int,
    *,
    progress: bool,
) -> tuple[dict[str, _ReadImage], list[LeftOut]]:
    read: dict[str, _ReadImage] = {}
    left_out: list[LeftOut] = []
    bar = progress_bar(len(paths), "reading", progress=progress)
    with bar, worker_pool(processes) as pool:
        for one in map_ordered(partial(_read_image, folder=folder), list(paths.values()), pool):
            bar.update()
            if isinstance(one, LeftOut):
                left_out.append(one)
            elif one.is_incomplete and truncated is Truncated.LEAVE_OUT:
                left_out.append(LeftOut(one.file, "", WARNING_SEPARATOR.join(one.warnings)))
            else:
                read[one.id] = one
    if not read:
        raise RibsightError(f"none of the {len(paths)} images can be used: {left_out[0].reason}")
    return read, left_out


def _read_image(path: Path, *, folder: Path) -> _ReadImage | LeftOut:
    file = path.relative_to(folder).as_posix()
    try:
        radiograph = read_radiograph(path)
    except UnreadableImageError as error:
        return LeftOut(file, "", str(error))
    height, width = radiograph.pixels.shape
    return _ReadImage(
        file=file,
        width=width,
        height=height,
        bits=radiograph.bits,
        sha256=file_sha256(path),
        pixels_sha256=pixels_sha256(radiograph.pixels),
        warnings=radiograph.warnings,
    )


def _join_regions(
    file: Path | None,
    drawn: CocoRegions | None,
    paths: Mapping[str, Path],
    read: Mapping[str, _ReadImage],
) -> tuple[dict[str, list[Region]], list[LeftOut]]:
    """Return the regions of each id, and those without a usable image."""
    joined: defaultdict[str, list[Region]] = defaultdict(list)
    if file is None or drawn is None:
        return joined, []
    left_out = [LeftOut(file.name, one.annotation, one.reason) for one in drawn.rejected]
    for name, image in drawn.images.items():
        id_ = _find_id(name, paths)
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
    name: str, image: CocoImage, id_: str | None, read: Mapping[str, _ReadImage]
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


def _drop_drawn_negatives(
    read: dict[str, _ReadImage],
    rows: Mapping[str, DiagnosisRow],
    regions: dict[str, list[Region]],
    table: DiagnosisTable,
) -> list[LeftOut]:
    """Remove the images of which the table and the regions say the opposite; list them."""
    left_out = []
    for id_ in sorted(regions.keys() & rows.keys()):
        for region in regions[id_]:
            if rows[id_].states[region.finding] is DiagnosisState.NEGATIVE:
                reason = f"negative, but {region.source} draws {region.finding} on {id_}"
                left_out.append(LeftOut(table.path.name, str(rows[id_].row), reason))
                del read[id_], regions[id_]
                break
    return left_out


def _radiographs_table(
    read: Mapping[str, _ReadImage],
    rows: Mapping[str, DiagnosisRow],
    mapping: ColumnMapping,
    blocks: int | None,
) -> pl.DataFrame:
    records = []
    for id_, image in read.items():
        row = rows.get(id_)
        kept = row.kept if row else dict.fromkeys(mapping.keep)
        records.append(
            {
                "radiograph": id_,
                "file": image.file,
                "patient": row.patient if row else None,
                "group": _group(id_, row, blocks),
                "split": None,
                "width": image.width,
                "height": image.height,
                "bits": image.bits,
                "sha256": image.sha256,
                "pixels_sha256": image.pixels_sha256,
                "warnings": WARNING_SEPARATOR.join(image.warnings),
                **kept,
            }
        )
    kept_columns = dict.fromkeys(mapping.keep, pl.String)
    return pl.DataFrame(records, schema={**RADIOGRAPHS, **kept_columns})


def _group(id_: str, row: DiagnosisRow | None, blocks: int | None) -> str:
    if row and (row.patient or row.group):
        return row.patient or row.group or ""
    return f"image {id_}" if blocks is None else block_of(id_, blocks)


def _diagnoses_table(
    read: Mapping[str, _ReadImage],
    rows: Mapping[str, DiagnosisRow],
    table: DiagnosisTable,
    regions: Mapping[str, Sequence[Region]],
    drawn_negative: DrawnNegative,
) -> pl.DataFrame:
    overruled = {DiagnosisState.UNKNOWN}
    if drawn_negative is DrawnNegative.POSITIVE:
        overruled.add(DiagnosisState.NEGATIVE)
    records = []
    for id_ in read:
        row = rows.get(id_)
        for finding in table.mapping.findings:
            state = row.states[finding] if row else DiagnosisState.UNKNOWN
            evidence = table.evidence(row, finding) if row else f"not in {table.path.name}"
            drawn = [one for one in regions.get(id_, ()) if one.finding == finding]
            if drawn and state in overruled:
                evidence = f"{drawn[0].source}, where {evidence} says {state}"
                state = DiagnosisState.POSITIVE
            records.append((id_, finding, state, Acuity.UNKNOWN, Side.UNKNOWN, evidence))
    return pl.DataFrame(records, schema=DIAGNOSES, orient="row")


def _regions_table(regions: Mapping[str, Sequence[Region]]) -> pl.DataFrame:
    records = [
        (
            region.radiograph,
            region.finding,
            region.reader,
            region.is_box,
            [polygon.ravel().tolist() for polygon in region.polygons],
            True,
            region.source,
        )
        for id_ in sorted(regions)
        for region in regions[id_]
    ]
    return pl.DataFrame(records, schema=REGIONS, orient="row")


def _provenance(
    table: DiagnosisTable,
    regions: Path | None,
    categories: Mapping[str, str] | None,
    truncated: Truncated,
    drawn_negative: DrawnNegative,
    left_out: Sequence[LeftOut],
) -> dict[str, str | int | float]:
    provenance: dict[str, str | int | float] = {
        "diagnoses": table.path.name,
        "diagnoses_sha256": file_sha256(table.path),
        "columns": ", ".join(f"{name}={column}" for name, column in table.mapping.findings.items()),
        "truncated": str(truncated),
        "drawn_negative": str(drawn_negative),
        "left_out": len(left_out),
    }
    if regions is not None:
        provenance["regions"] = regions.name
        provenance["regions_sha256"] = file_sha256(regions)
        provenance["categories"] = ", ".join(f"{k}={v}" for k, v in (categories or {}).items())
    return provenance
