"""Images + a table of diagnoses + drawn regions -> a cohort, and what could not be joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ribsight.cohort.build_tables import (
    DrawnNegative,
    Material,
    diagnoses_table,
    radiographs_table,
    regions_table,
)
from ribsight.cohort.combining import Said
from ribsight.cohort.drawn import check_about_these, join_regions, read_regions
from ribsight.cohort.images import (
    ORIGINS,
    GivenImages,
    ReadImage,
    Truncated,
    given_images,
    read_images,
)
from ribsight.cohort.join_rule import JoinBy, JoinRule
from ribsight.cohort.left_out import LeftOut
from ribsight.cohort.linking import join_records, joined_by_image, match_rows, read_records
from ribsight.cohort.longitudinal import LONGITUDINAL, Studies, choose_studies
from ribsight.cohort.tables import HEADER_COLUMNS, RADIOGRAPHS, Cohort
from ribsight.errors import RibsightError
from ribsight.files import file_sha256
from ribsight.findings import DiagnosisState
from ribsight.radiographs.eligibility import Policy
from ribsight.records import ColumnMapping, DiagnosisTable
from ribsight.regions import Region

__all__ = ["Built", "DrawnNegative", "build_cohort", "join_cohort"]

_BY_IMAGE = JoinRule()


@dataclass(frozen=True, eq=False)
class Built:
    """A cohort, what was given and is not in it, and its radiographs without a record.

    `without_record` is empty when rows are joined by image.
    """

    cohort: Cohort
    left_out: list[LeftOut]
    without_record: list[LeftOut]


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
    views: Policy | None = None,
    keep_laterals: bool = False,
    processes: int = 1,
    progress: bool = True,
) -> tuple[Cohort, list[LeftOut]]:
    """Join by image as `join_cohort` does; return the cohort and what was left out."""
    built = join_cohort(
        images,
        diagnoses,
        regions,
        mapping,
        categories=categories,
        blocks=blocks,
        truncated=truncated,
        drawn_negative=drawn_negative,
        views=views,
        keep_laterals=keep_laterals,
        processes=processes,
        progress=progress,
    )
    return built.cohort, built.left_out


def join_cohort(
    images: Path,
    diagnoses: Path,
    regions: Path | None,
    mapping: ColumnMapping,
    *,
    join: JoinRule = _BY_IMAGE,
    studies: Studies = Studies.ALL,
    categories: Mapping[str, str] | None = None,
    blocks: int | None = None,
    truncated: Truncated = Truncated.REFUSE,
    drawn_negative: DrawnNegative = DrawnNegative.REFUSE,
    views: Policy | None = None,
    keep_laterals: bool = False,
    processes: int = 1,
    progress: bool = True,
) -> Built:
    """Join what belongs together, and list what could not be joined.

    An image without a record has unknown diagnoses; a region on an image whose diagnosis is
    unknown makes it positive. What a split keeps together is the table's patient, else the
    mapping's group column, else the block of ids, else the header's patient, else its study, else
    the image itself. The header's patient is taken where no column holds the patient.

    Args:
        images: folder, searched with its subfolders; or an archive, of which eligible images are
            taken.
        diagnoses: CSV, see `read_diagnosis_table`.
        regions: annotation file, or None.
        mapping: the CSV's columns; `image` is not used unless rows are joined by image.
        join: by what rows belong to images.
        studies: which of each patient's to keep.
        categories: finding of each category of the annotation file.
        blocks: size of the blocks of ids that stay together.
        truncated: what to do with images that lack rows.
        drawn_negative: what to do with regions on images whose row says negative.
        views: kinds of image that DICOM headers of a folder may say; None for the usual ones.
        keep_laterals: keep the images that are known to be lateral views.
        processes: workers that read images.
        progress: show a progress bar.

    Raises:
        RibsightError: no image, two images of one name, an unusable table, archive or region file,
            or a table or region file that is about none of the images.
    """
    table = read_records(diagnoses, mapping, join)
    given = given_images(images)
    with_origins = bool(given.headers) or join != _BY_IMAGE or studies is not Studies.ALL
    _check_kept_columns(mapping, with_origins=with_origins)
    # Whatever is wrong with tables shows before the long reading of images.
    rows = match_rows(table, given.names, given.places) if join.by is JoinBy.IMAGE else None
    drawn = read_regions(regions, categories or {}, given) if regions else None
    check_about_these(drawn, given.names)
    read, left_out = read_images(
        given,
        truncated,
        processes,
        views=views or Policy(),
        keep_laterals=keep_laterals,
        progress=progress,
    )
    read, other_studies = choose_studies(read, studies)
    left_out += other_studies
    if rows is not None:
        joined = joined_by_image(table, rows, given.names)
    else:
        joined = join_records(table, read, join)
    left_out += joined.unused_rows
    joined_regions, rejected = join_regions(drawn, given.names, read)
    left_out += rejected
    if drawn_negative is DrawnNegative.LEAVE_OUT:
        left_out += _drop_drawn_negatives(read, joined.said, joined_regions, table)
    material = Material(read, joined.said, joined_regions)
    cohort = Cohort(
        images=images,
        findings=tuple(mapping.findings),
        radiographs=radiographs_table(material, mapping, blocks, with_origins=with_origins),
        diagnoses=diagnoses_table(material, table, drawn_negative),
        regions=regions_table(joined_regions),
        provenance={
            **_provenance(table, regions, categories, truncated, drawn_negative, left_out),
            **_further_provenance(given, join, studies),
        },
    )
    return Built(cohort, left_out, list(joined.without_record))


def _check_kept_columns(mapping: ColumnMapping, *, with_origins: bool) -> None:
    known = {**HEADER_COLUMNS, **({**ORIGINS, **LONGITUDINAL} if with_origins else {})}
    for column in mapping.keep:
        if column in RADIOGRAPHS or known.get(column, pl.String) != pl.String:
            raise RibsightError(
                f"the column '{column}' cannot be kept: a cohort has a column of that name; "
                "rename it in the table"
            )


def _drop_drawn_negatives(
    read: dict[str, ReadImage],
    said: Mapping[str, Said],
    regions: dict[str, list[Region]],
    table: DiagnosisTable,
) -> list[LeftOut]:
    """Remove the images of which the table and the regions say the opposite; list them."""
    left_out = []
    for id_ in sorted(regions.keys() & said.keys()):
        for region in regions[id_]:
            if said[id_].states[region.finding] is DiagnosisState.NEGATIVE:
                reason = f"negative, but {region.source} draws {region.finding} on {id_}"
                left_out.append(LeftOut(table.path.name, str(said[id_].row), reason))
                del read[id_], regions[id_]
                break
    return left_out


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
        provenance["regions_sha256"] = file_sha256(regions) if regions.is_file() else "folder"
        provenance["categories"] = ", ".join(f"{k}={v}" for k, v in (categories or {}).items())
    return provenance


def _further_provenance(
    given: GivenImages, join: JoinRule, studies: Studies
) -> dict[str, str | int | float]:
    """Return what is worth a line because it is not as it always was."""
    provenance: dict[str, str | int | float] = {}
    if given.fingerprint:
        provenance["archive_fingerprint"] = given.fingerprint
    if join != _BY_IMAGE:
        provenance["join"] = join.describe()
    if studies is not Studies.ALL:
        provenance["studies"] = str(studies)
    return provenance
