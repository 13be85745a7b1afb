"""Small DICOM files made on the spot, and archives made of them."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    generate_uid,
)

from ribsight.archive.index import Archive
from ribsight.archive.ingest import Ingested, Options
from ribsight.archive.ingest import ingest as run_ingest

SIDE = 40


def uid(*names: object) -> str:
    return str(generate_uid(entropy_srcs=[str(name) for name in names]))


def dicom(
    number: int, *, side: int = SIDE, syntax: UID = ExplicitVRLittleEndian, **changed: Any
) -> bytes:
    """Return a chest radiograph of noise; `changed` are attributes, None removes one."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid("image", number))
    pixels = np.random.default_rng(number).integers(0, 4096, (side, side), dtype=np.uint16)
    values: dict[str, Any] = {
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": uid("image", number),
        "StudyInstanceUID": uid("study", number // 2),
        "SeriesInstanceUID": uid("series", number),
        "PatientID": f"P{number // 2}",
        "PatientName": "Doe^Jane",
        "PatientAge": "045Y",
        "StudyDate": "20240131",
        "Modality": "CR",
        "Manufacturer": "Maker",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "Rows": side,
        "Columns": side,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelSpacing": [0.14, 0.14],
        "PixelData": pixels.tobytes(),
        **changed,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(dataset, keyword, value)
    content = io.BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()


def deflated(number: int, extra: int = 0) -> bytes:
    """Return a radiograph in the deflated transfer syntax, with `extra` zero bytes packed."""
    document = bytes(extra) if extra else None
    return dicom(number, syntax=DeflatedExplicitVRLittleEndian, EncapsulatedDocument=document)


def picture(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG")
    return content.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def reasons(archive: Archive) -> dict[str, str]:
    """Return the reason of each refused file by its name, or member's name."""
    rows = archive.quarantine.select("source", "member", "reason").rows()
    return {member or Path(source).name: reason for source, member, reason in rows}


def tables(folder: Path) -> dict[str, str]:
    """Return the hash of each file that an archive is read from."""
    names = ("index.parquet", "quarantine.parquet", "archive.json")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


Ingest = Callable[..., Ingested]


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    """Return a function that ingests sources into one archive below the test's folder."""

    def run(*sources: Path, out: str = "archive", **options: Any) -> Ingested:
        return run_ingest(sources, tmp_path / out, Options(progress=False, **options))

    return run


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """Twelve radiographs of six patients in three folders, a lateral, a text file, an export."""
    folder = tmp_path / "hospital"
    for number in range(12):
        write(folder / f"day{number % 3}" / f"IM{number:04d}", dicom(number))
    write(folder / "day1" / "lateral.dcm", dicom(100, ViewPosition="LATERAL"))
    write(folder / "README.txt", b"an export")
    write(folder / "scan.png", picture(1))
    return folder
