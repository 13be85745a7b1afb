"""Small DICOM images, and the folder of real annotation files if it is there."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

SIZES = {"a.dcm": (64, 48), "b.dcm": (100, 33), "c.dcm": (40, 40)}
DX = "1.2.840.10008.5.1.4.1.1.1.1"

WriteDicom = Callable[[Path, int, int], Path]


def _write(path: Path, width: int, height: int) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(DX)
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID = DX
    header.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    header.StudyInstanceUID = generate_uid(entropy_srcs=[path.name, "study"])
    header.SeriesInstanceUID = generate_uid(entropy_srcs=[path.name, "series"])
    header.PatientID, header.PatientName, header.Modality = path.stem, "Doe^Jane", "DX"
    header.StudyDate, header.StudyTime, header.StudyID = "20240102", "101112", "1"
    header.Rows, header.Columns = height, width
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    header.PixelData = np.zeros((height, width), np.uint8).tobytes()
    pydicom.dcmwrite(path, header, enforce_file_format=True)
    return path


@pytest.fixture(scope="session")
def write_dicom() -> WriteDicom:
    """Write a small DX image, of a width and height, with the identifiers a report refers to."""
    return _write


@pytest.fixture(scope="session")
def dicom_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small DX images: a.dcm 64 x 48, b.dcm 100 x 33, c.dcm 40 x 40 (width x height)."""
    folder = tmp_path_factory.mktemp("dicom")
    for name, (width, height) in SIZES.items():
        _write(folder / name, width, height)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real annotation files, or a skip."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("RIBSIGHT_DATA", beside))
    if not (folder / "annotation_formats").is_dir():
        pytest.skip(f"no annotation_formats/ in {folder}; set RIBSIGHT_DATA to its folder")
    return folder
