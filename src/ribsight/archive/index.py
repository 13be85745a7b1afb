"""An archive on disk: the table of its images, that of what was refused, and `archive.json`."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ribsight import __version__
from ribsight.archive.stored import StoredImage, materialise_stored, read_stored
from ribsight.errors import RibsightError
from ribsight.files import atomic_path

HEADER = pl.Schema(
    {
        "patient": pl.String(),  # PatientID; null, here and below, where the header does not say
        "study": pl.String(),  # StudyInstanceUID
        "series": pl.String(),
        "accession": pl.String(),
        "study_date": pl.String(),  # YYYYMMDD
        "study_time": pl.String(),  # HHMMSS, as written
        "sex": pl.String(),  # M, F, O
        "age": pl.Float64(),  # years, from PatientAge, else from the birth date
        "view": pl.String(),  # pa, ap, frontal, oblique, lateral
        "view_source": pl.String(),  # the attribute that says it
        "modality": pl.String(),
        "sop_class": pl.String(),  # UID
        "body_part": pl.String(),
        "study_description": pl.String(),
        "series_description": pl.String(),
        "protocol": pl.String(),
        "manufacturer": pl.String(),
        "model": pl.String(),
        "station": pl.String(),
        "institution": pl.String(),
        "rows": pl.Int64(),  # stored pixels
        "columns": pl.Int64(),
        "bits_stored": pl.Int64(),
        "photometric": pl.String(),  # of PNG, JPEG and TIFF: Pillow's mode
        "transfer_syntax": pl.String(),  # UID
        "spacing_mm": pl.Float64(),  # between the centres of neighbouring stored pixels
        "spacing_source": pl.String(),
        "presentation_intent": pl.String(),  # FOR PRESENTATION, FOR PROCESSING
        "burned_in": pl.String(),  # YES or NO: what the header claims
        "kind": pl.String(),  # of `radiographs.eligibility`: frontal_chest, lateral_chest, ...
        "eligible": pl.Boolean(),  # whether it may be scored: see `radiographs.eligibility`
        "ineligible_reason": pl.String(),  # empty if eligible
    }
)
"""What is known of an image from its header alone."""
IMAGES = pl.Schema(
    {
        "image": pl.String(),  # SOP Instance UID; of PNG, JPEG, TIFF the file's stem, made unique
        "source": pl.String(),  # path of a file or of what contains it, or a DICOMweb address
        "member": pl.String(),  # name within a zip or tar file, else empty; never used as a path
        "offset": pl.Int64(),  # where the member starts in its container; 0 without one
        "format": pl.String(),  # dicom, png, jpeg, tiff
        "bytes": pl.Int64(),  # of the file or member; null of a DICOMweb image not fetched
        "sha256": pl.String(),  # of those bytes; empty if only the header was hashed
        "head_sha256": pl.String(),  # of the first 64 KiB
        **HEADER,
    }
)
QUARANTINE = pl.Schema(
    {
        "source": pl.String(),
        "member": pl.String(),
        "sha256": pl.String(),  # empty if it was not read to its end
        "reason": pl.String(),  # of `reasons.Reason`
        "sentence": pl.String(),  # goes on where the file's name ends; names no patient
    }
)
DESCRIPTION = "archive.json"
_TABLES = {"images": "index.parquet", "quarantine": "quarantine.parquet"}


@dataclass(frozen=True, eq=False)
class Archive:
    """What `ribsight ingest` found.

    Attributes:
        folder: where it lies.
        images: schema `IMAGES`, one row an image, sorted by `image`.
        quarantine: schema `QUARANTINE`, one row a refused file or member, sorted by place.
        sources: the folders, files and addresses it was made of, as given.
        fingerprint: SHA-256 over both tables' files: two archives with the same are the same.
    """

    folder: Path
    images: pl.DataFrame
    quarantine: pl.DataFrame
    sources: tuple[str, ...] = ()
    fingerprint: str = field(default="")

    def eligible(self) -> pl.DataFrame:
        """Return the images that may be scored and trained on, as far as headers say."""
        return self.images.filter("eligible")

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the images as mappings, for `open` and `materialise`."""
        return self.images.iter_rows(named=True)

    def open(self, row: Mapping[str, Any]) -> bytes:
        """Return the bytes of the image in a row of `images`, as they were when it was read.

        Where many processes read, send them `stored(row)` instead: it is small and holds no table.

        Raises:
            UnreadableImageError: the file has gone or changed since, or was never fetched.
        """
        return read_stored(self.stored(row))

    def materialise(self, row: Mapping[str, Any]) -> Path:
        """Return a file with those bytes: the image's own, or a copy below `objects/`.

        Raises:
            UnreadableImageError: the file has gone or changed since, or was never fetched.
            RibsightError: the copy cannot be written.
        """
        return materialise_stored(self.stored(row))

    def stored(self, row: Mapping[str, Any]) -> StoredImage:
        """Return where the bytes of a row of `images` are."""
        return StoredImage(
            folder=self.folder,
            source=row["source"],
            member=row["member"],
            offset=row["offset"],
            size=row["bytes"],
            sha256=row["sha256"],
            head_sha256=row["head_sha256"],
        )


def read_archive(folder: Path) -> Archive:
    """Read an archive that `ribsight ingest` wrote.

    Raises:
        RibsightError: the folder is no archive, one whose writing was interrupted, or damaged.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_bytes())
        contents = [(folder / name).read_bytes() for name in _TABLES.values()]
        sources, fingerprint = tuple(description["sources"]), description["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RibsightError(
            f"{folder} is not a whole archive: run `ribsight ingest` (again) to make it one"
        ) from error
    if fingerprint != _fingerprint(contents):
        raise RibsightError(
            f"the tables of {folder} are not those that {DESCRIPTION} describes: "
            "run `ribsight ingest` again"
        )
    images, quarantine = (pl.read_parquet(io.BytesIO(content)) for content in contents)
    if images.schema != IMAGES or quarantine.schema != QUARANTINE:
        raise RibsightError(
            f"{folder} was written by ribsight {description.get('version')}, whose tables have "
            "other columns: run `ribsight ingest` again"
        )
    return Archive(folder, images, quarantine, sources, fingerprint)


def write_archive(
    folder: Path, images: pl.DataFrame, quarantine: pl.DataFrame, sources: list[str]
) -> Archive:
    """Write both tables and what describes them, so that no reader meets old beside new.

    Nothing that is written depends on when, where or in how many steps it was found.

    Raises:
        RibsightError: the folder cannot be written to, or the disk is full.
    """
    contents = [_parquet(images), _parquet(quarantine)]
    fingerprint = _fingerprint(contents)
    reasons = quarantine.group_by("reason").len().sort("reason")
    description = {
        "version": __version__,
        "sources": sources,
        "images": len(images),
        "eligible": int(images["eligible"].sum()),
        "quarantined": dict(reasons.rows()),
        "fingerprint": fingerprint,
    }
    with ExitStack() as stack:
        last = stack.enter_context(atomic_path(folder / DESCRIPTION))
        last.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
        for name, content in zip(_TABLES.values(), contents, strict=True):
            stack.enter_context(atomic_path(folder / name)).write_bytes(content)
        # The new tables must never be described by the old file.
        (folder / DESCRIPTION).unlink(missing_ok=True)
    return Archive(folder, images, quarantine, tuple(sources), fingerprint)


def _parquet(table: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    table.rechunk().write_parquet(content)
    return content.getvalue()


def _fingerprint(contents: list[bytes]) -> str:
    digests = "".join(hashlib.sha256(content).hexdigest() for content in contents)
    return hashlib.sha256(digests.encode()).hexdigest()
