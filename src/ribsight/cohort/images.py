"""The images of a cohort to be: from a folder or from an archive, and what reading them gives."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from ribsight.archive import StoredImage, read_archive
from ribsight.archive.stored import materialise_stored
from ribsight.cohort.left_out import LeftOut
from ribsight.cohort.workers import map_ordered, progress_bar, worker_pool
from ribsight.errors import RibsightError
from ribsight.files import file_sha256
from ribsight.radiographs import (
    Radiograph,
    UnreadableImageError,
    View,
    image_files,
    image_id,
    pixels_sha256,
)
from ribsight.radiographs.eligibility import Eligibility, Policy
from ribsight.radiographs.guarded import read_guarded
from ribsight.radiographs.image_file import TRUNCATED, TRUNCATED_ALL_ROWS

WARNING_SEPARATOR = "; "
_ARCHIVE_FILE = "archive.json"
ORIGINS = pl.Schema(
    {
        "name": pl.String,  # of the file it came from, which other tables may use
        "accession": pl.String,
        "study_date": pl.String,  # YYYYMMDD
        "study_time": pl.String,  # HHMMSS, as written
        "sex": pl.String,  # M, F, O
        "age": pl.Float64,  # years
        "kind": pl.String,  # frontal_chest, rib_series, ...
        "modality": pl.String,
        "manufacturer": pl.String,
        "model": pl.String,
        "station": pl.String,
        "institution": pl.String,
    }
)
"""What an archive knows of where and of whom a radiograph was made."""


class Truncated(StrEnum):
    """What to do with an image of which rows or detail are missing."""

    REFUSE = "refuse"
    """Keep it in the tables; `check_cohort` calls it an error."""
    USE = "use"
    """Use what could be decoded; `check_cohort` warns."""
    LEAVE_OUT = "leave-out"


@dataclass(frozen=True)
class ReadImage:
    """One readable image: its id, its path relative to the folder, and columns of `RADIOGRAPHS`.

    `patient`, `study`, `view` and `spacing_mm` are what a DICOM header says, None if nothing;
    `origin` has what is known of `ORIGINS`.
    """

    id: str
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
    origin: Mapping[str, Any] = field(default_factory=dict)
    eligibility: Eligibility | None = None

    @property
    def is_incomplete(self) -> bool:
        """Whether rows or detail are missing, not just the end marker."""
        return any(one.startswith(TRUNCATED) and one != TRUNCATED_ALL_ROWS for one in self.warnings)


@dataclass(frozen=True)
class GivenImages:
    """Images before they are read.

    Attributes:
        folder: what `radiographs.file` is relative to.
        places: a file, or where in the archive the bytes are, by id; sorted by id.
        names: id of every name that a table or an annotation file may use.
        headers: row of the archive's table by id; empty for a folder.
        left_out: images that were never to be read.
        fingerprint: of the archive; empty for a folder.
    """

    folder: Path
    places: Mapping[str, Path | StoredImage]
    names: Mapping[str, str]
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    fingerprint: str = ""


def is_archive(folder: Path) -> bool:
    """Return whether `ribsight ingest` wrote this folder."""
    return (folder / _ARCHIVE_FILE).is_file()


def given_images(folder: Path) -> GivenImages:
    """Return the images of a folder or of an archive, sorted by id.

    Raises:
        RibsightError: no image, two of one name, or a damaged archive.
    """
    return _archive_images(folder) if is_archive(folder) else _folder_images(folder)


def find_id(name: str, names: Mapping[str, str]) -> str | None:
    """Return the id that a table or annotation file means by `name`, with or without ending."""
    last = PurePosixPath(name.replace("\\", "/"))
    return names.get(last.name) or names.get(image_id(last))


def read_images(
    given: GivenImages,
    truncated: Truncated,
    processes: int,
    *,
    views: Policy,
    keep_laterals: bool,
    progress: bool,
) -> tuple[dict[str, ReadImage], list[LeftOut]]:
    """Read every image; return the usable ones by id, and the others with their reasons.

    Files are decoded in child processes of limited memory and time.

    Raises:
        RibsightError: none can be used.
    """
    read: dict[str, ReadImage] = {}
    left_out = list(given.left_out)
    work = partial(_read_image, folder=given.folder)
    bar = progress_bar(len(given.places), "reading", progress=progress)
    with bar, worker_pool(processes) as pool:
        for one in map_ordered(work, list(given.places.items()), pool):
            bar.update()
            if isinstance(one, LeftOut):
                left_out.append(one)
                continue
            known = _with_header(one, given.headers.get(one.id))
            if known.is_incomplete and truncated is Truncated.LEAVE_OUT:
                left_out.append(LeftOut(known.file, "", WARNING_SEPARATOR.join(known.warnings)))
            elif known.view is View.LATERAL and not keep_laterals:
                left_out.append(LeftOut(known.file, "", "lateral view"))
            elif refusal := _refusal(known, views):
                left_out.append(LeftOut(known.file, "", refusal))
            else:
                read[known.id] = known
    if not read:
        reason = left_out[0].reason
        raise RibsightError(f"none of the {len(given.places)} images can be used: {reason}")
    return read, left_out


def _refusal(image: ReadImage, views: Policy) -> str:
    """Return why the header of a DICOM file of a folder rules it out; an archive has decided."""
    if image.eligibility is None or image.view is View.LATERAL:
        return ""
    said = image.eligibility.under(views)
    return "" if said.eligible else f"{said.kind}: {said.reason}"


def _folder_images(folder: Path) -> GivenImages:
    by_id: dict[str, Path] = {}
    for path in image_files(folder):
        id_ = image_id(path)
        if id_ in by_id:
            raise RibsightError(
                f"two images are named '{id_}': {by_id[id_]} and {path}; "
                "rename one or give the folder of one"
            )
        by_id[id_] = path
    if not by_id:
        raise RibsightError(f"{folder} holds no PNG, JPEG or TIFF image and no DICOM file")
    return GivenImages(folder, dict(sorted(by_id.items())), {id_: id_ for id_ in by_id})


def _archive_images(folder: Path) -> GivenImages:
    archive = read_archive(folder)
    left_out = [
        LeftOut(_place(row), "", f"not eligible: {row['ineligible_reason']}")
        for row in archive.rows()
        if not row["eligible"]
    ]
    headers = {row["image"]: row for row in archive.eligible().iter_rows(named=True)}
    if not headers:
        why = left_out[0].reason if left_out else "it is empty"
        raise RibsightError(f"the archive {folder} holds no eligible image: {why}")
    return GivenImages(
        folder=folder,
        places={id_: archive.stored(row) for id_, row in sorted(headers.items())},
        # A row about an image that is not eligible is about no unknown image.
        names=_archive_names({row["image"]: row for row in archive.rows()}),
        headers=headers,
        left_out=tuple(left_out),
        fingerprint=archive.fingerprint,
    )


def _archive_names(headers: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Name images by instance UID, and by their file where no other file has that name."""
    return names_of({id_: _file_of(row).name for id_, row in headers.items()})


def names_of(files: Mapping[str, str]) -> dict[str, str]:
    """Return the id of each id, and of each file's name that no other file has."""
    count = Counter(image_id(PurePosixPath(file)) for file in files.values())
    stems = {id_: image_id(PurePosixPath(file)) for id_, file in files.items()}
    names = {stem: id_ for id_, stem in stems.items() if count[stem] == 1}
    return {**names, **{id_: id_ for id_ in files}}


def _file_of(row: Mapping[str, Any]) -> PurePosixPath:
    return PurePosixPath(row["member"] or row["source"])


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['source']}!{row['member']}" if row["member"] else str(row["source"])


def _read_image(item: tuple[str, Path | StoredImage], *, folder: Path) -> ReadImage | LeftOut:
    id_, place = item
    try:
        path = place if isinstance(place, Path) else materialise_stored(place)
        radiograph = read_guarded(path)
        sha256 = file_sha256(path)
    except UnreadableImageError as error:
        named = place if isinstance(place, Path) else Path(place.name)
        return LeftOut(_below(named, folder), "", str(error))
    return _read_as(id_, _below(path, folder), sha256, radiograph)


def _below(path: Path, folder: Path) -> str:
    """Return `path` relative to `folder` if it lies in it, else absolute."""
    if path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return path.absolute().as_posix()


def _read_as(id_: str, file: str, sha256: str, radiograph: Radiograph) -> ReadImage:
    height, width = radiograph.pixels.shape
    spacing = radiograph.pixel_spacing
    about = radiograph.identifiers
    return ReadImage(
        id=id_,
        file=file,
        width=width,
        height=height,
        bits=radiograph.bits,
        sha256=sha256,
        pixels_sha256=pixels_sha256(radiograph.pixels),
        warnings=radiograph.warnings,
        patient=about.patient_id,
        study=about.study_uid,
        view=radiograph.view,
        spacing_mm=sum(spacing) / 2 if spacing else None,
        origin={
            "name": PurePosixPath(file).name,
            "accession": about.accession_number,
            "study_date": about.study_date,
        },
        eligibility=radiograph.eligibility,
    )


def _with_header(image: ReadImage, header: Mapping[str, Any] | None) -> ReadImage:
    """Add what the archive's table says; it may know a view or patient that pixels do not."""
    if header is None:
        return image
    view = image.view or (View(header["view"]) if header["view"] else None)
    return replace(
        image,
        patient=header["patient"] or image.patient,
        study=header["study"] or image.study,
        view=view,
        eligibility=None,
        origin={**{name: header.get(name) for name in ORIGINS}, "name": _file_of(header).name},
    )
