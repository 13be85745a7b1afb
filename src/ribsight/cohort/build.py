"""Images + a table of diagnoses + drawn regions -> a cohort, and what could not be joined."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import polars as pl

from ribsight.cohort.grouping import block_of
from ribsight.cohort.join import (
    WARNING_SEPARATOR,
    LeftOut,
    ReadImage,
    Truncated,
    check_regions_match,
    find_id,
    join_regions,
    match_rows,
    read_images,
    unique_paths,
)
from ribsight.cohort.tables import DIAGNOSES, HEADER_COLUMNS, RADIOGRAPHS, REGIONS, Cohort
from ribsight.errors import RibsightError
from ribsight.files import file_sha256
from ribsight.findings import Acuity, DiagnosisState, Side
from ribsight.records import ColumnMapping, DiagnosisRow, DiagnosisTable, read_diagnosis_table
from ribsight.regions import Region, read_coco


class DrawnNegative(StrEnum):
    """What to do with a region on an image whose row says negative."""

    REFUSE = "refuse"
    """Keep both in the tables; `check_cohort` calls it an error."""
    POSITIVE = "positive"
    """Believe who drew the region."""
    LEAVE_OUT = "leave-out"
    """Leave out the image with its row and regions."""


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
    keep_laterals: bool = False,
    processes: int = 1,
    progress: bool = True,
) -> tuple[Cohort, list[LeftOut]]:
    """Join what belongs together by file name, and list what could not be joined.

    An image without a row in the table has unknown diagnoses; a region on an image whose
    diagnosis is unknown makes it positive. What a split keeps together is the table's patient, else
    the mapping's group column, else the block of ids, else the DICOM header's patient, else its
    study, else the image itself. The header's patient is taken where no column holds the patient.

    Args:
        images: folder, searched with its subfolders.
        diagnoses: CSV, see `read_diagnosis_table`.
        regions: COCO instance JSON, or None.
        mapping: the CSV's columns.
        categories: finding of each COCO category.
        blocks: size of the blocks of ids that stay together.
        truncated: what to do with images that lack rows.
        drawn_negative: what to do with regions on images whose row says negative.
        keep_laterals: keep the images that are known to be lateral views.
        processes: workers that read images.
        progress: show a progress bar.

    Raises:
        RibsightError: no image, two images of one name, an unusable table or region file, or
            a table or region file that is about none of the images.
    """
    table = read_diagnosis_table(diagnoses, mapping)
    _check_kept_columns(mapping)
    drawn = read_coco(regions, categories=categories or {}) if regions else None
    paths = unique_paths(images)
    rows = match_rows(table, paths)
    check_regions_match(regions, drawn, paths)
    read, left_out = read_images(
        images, paths, truncated, processes, keep_laterals=keep_laterals, progress=progress
    )
    left_out += [
        LeftOut(table.path.name, str(row.row), f"no image named {row.image}")
        for row in table.rows
        if find_id(row.image, paths) is None
    ]
    joined, rejected = join_regions(regions, drawn, paths, read)
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


def _check_kept_columns(mapping: ColumnMapping) -> None:
    for column in mapping.keep:
        if column in RADIOGRAPHS or HEADER_COLUMNS.get(column, pl.String) != pl.String:
            raise RibsightError(
                f"the column '{column}' cannot be kept: a cohort has a column of that name; "
                "rename it in the table"
            )


def _drop_drawn_negatives(
    read: dict[str, ReadImage],
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
    read: Mapping[str, ReadImage],
    rows: Mapping[str, DiagnosisRow],
    mapping: ColumnMapping,
    blocks: int | None,
) -> pl.DataFrame:
    records = []
    for id_, image in read.items():
        row = rows.get(id_)
        kept = row.kept if row else dict.fromkeys(mapping.keep)
        patient = row.patient if row else None
        if mapping.patient is None:
            patient = image.patient
        records.append(
            {
                "radiograph": id_,
                "file": image.file,
                "patient": patient,
                "group": _group(image, row, blocks, patient),
                "split": None,
                "width": image.width,
                "height": image.height,
                "bits": image.bits,
                "sha256": image.sha256,
                "pixels_sha256": image.pixels_sha256,
                "warnings": WARNING_SEPARATOR.join(image.warnings),
                "study": image.study,
                "view": image.view,
                "spacing_mm": image.spacing_mm,
                **kept,
            }
        )
    kept_columns = dict.fromkeys(mapping.keep, pl.String)
    return pl.DataFrame(records, schema={**RADIOGRAPHS, **HEADER_COLUMNS, **kept_columns})


def _group(
    image: ReadImage, row: DiagnosisRow | None, blocks: int | None, patient: str | None
) -> str:
    if row and (row.patient or row.group):
        return row.patient or row.group or ""
    if blocks is not None:
        return block_of(image.id, blocks)
    return patient or (f"study {image.study}" if image.study else f"image {image.id}")


def _diagnoses_table(
    read: Mapping[str, ReadImage],
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
            acuity = row.acuities.get(finding) if row else None
            side = row.sides.get(finding) if row else None
            records.append(
                (id_, finding, state, acuity or Acuity.UNKNOWN, side or Side.UNKNOWN, evidence)
            )
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
