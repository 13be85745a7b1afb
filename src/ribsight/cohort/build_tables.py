"""What was read and joined -> the three tables of a cohort."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from ribsight.cohort.combining import Said
from ribsight.cohort.grouping import block_of
from ribsight.cohort.images import ORIGINS, WARNING_SEPARATOR, ReadImage
from ribsight.cohort.longitudinal import LONGITUDINAL, longitudinal_columns
from ribsight.cohort.tables import DIAGNOSES, HEADER_COLUMNS, PLACES, RADIOGRAPHS, REGIONS
from ribsight.findings import Acuity, DiagnosisState, Side, ribs_text
from ribsight.records import ColumnMapping, DiagnosisTable
from ribsight.regions import Region


class DrawnNegative(StrEnum):
    """What to do with a region on an image whose row says negative."""

    REFUSE = "refuse"
    """Keep both in the tables; `check_cohort` calls it an error."""
    POSITIVE = "positive"
    """Believe who drew the region."""
    LEAVE_OUT = "leave-out"
    """Leave out the image with its row and regions."""


@dataclass(frozen=True)
class Material:
    """What the tables are made of.

    Attributes:
        read: the images by id, in the order of the tables.
        said: what the records say of them.
        regions: what is drawn on them.
    """

    read: Mapping[str, ReadImage]
    said: Mapping[str, Said]
    regions: Mapping[str, Sequence[Region]]


def radiographs_table(
    material: Material, mapping: ColumnMapping, blocks: int | None, *, with_origins: bool
) -> pl.DataFrame:
    """Return schema `RADIOGRAPHS`, headers' columns, origins if wanted, and kept columns."""
    order = longitudinal_columns(material.read) if with_origins else {}
    records = []
    for id_, image in material.read.items():
        said = material.said.get(id_)
        kept = {name: said.kept[name] if said else None for name in mapping.keep}
        patient = said.patient if said else None
        if mapping.patient is None:
            patient = image.patient
        origins = {name: image.origin.get(name) for name in ORIGINS}
        records.append(
            {
                "radiograph": id_,
                "file": image.file,
                "patient": patient,
                "group": _group(image, said, blocks, patient),
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
                **({**origins, **order[id_]} if with_origins else {}),
                **kept,
            }
        )
    origin_columns = {**ORIGINS, **LONGITUDINAL} if with_origins else {}
    schema = {**RADIOGRAPHS, **HEADER_COLUMNS, **origin_columns}
    return pl.DataFrame(records, schema={**schema, **dict.fromkeys(mapping.keep, pl.String)})


def _group(image: ReadImage, said: Said | None, blocks: int | None, patient: str | None) -> str:
    if said and (said.patient or said.group):
        return said.patient or said.group or ""
    if blocks is not None:
        return block_of(image.id, blocks)
    return patient or (f"study {image.study}" if image.study else f"image {image.id}")


def diagnoses_table(
    material: Material, table: DiagnosisTable, drawn_negative: DrawnNegative
) -> pl.DataFrame:
    """Return schemas `DIAGNOSES` and `PLACES`.

    A region on an image of unknown diagnosis makes it positive.
    """
    overruled = {DiagnosisState.UNKNOWN}
    if drawn_negative is DrawnNegative.POSITIVE:
        overruled.add(DiagnosisState.NEGATIVE)
    records = []
    for id_ in material.read:
        said = material.said.get(id_)
        for finding in table.mapping.findings:
            state = said.states[finding] if said else DiagnosisState.UNKNOWN
            evidence = said.evidence[finding] if said else f"not in {table.path.name}"
            drawn = [one for one in material.regions.get(id_, ()) if one.finding == finding]
            if drawn and state in overruled:
                evidence = f"{drawn[0].source}, where {evidence} says {state}"
                state = DiagnosisState.POSITIVE
            acuity = said.acuities.get(finding) if said else None
            side = said.sides.get(finding) if said else None
            ribs = ribs_text(said.ribs.get(finding, ())) if said else ""
            records.append(
                (
                    id_,
                    finding,
                    state,
                    acuity or Acuity.UNKNOWN,
                    side or Side.UNKNOWN,
                    evidence,
                    ribs,
                )
            )
    return pl.DataFrame(records, schema={**DIAGNOSES, **PLACES}, orient="row")


def regions_table(regions: Mapping[str, Sequence[Region]]) -> pl.DataFrame:
    """Return schema `REGIONS`, sorted by radiograph."""
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
