"""Prediction on files, with a detector that sees nothing: which images it is shown."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from ribsight.deployment.predict import predict_files
from ribsight.detector.detect import Detector
from ribsight.errors import RibsightError
from ribsight.radiographs import Preprocessing


def write_dicom(path: Path, view: str) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = uid.ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = "2.25.1"
    dataset.Rows, dataset.Columns = 40, 48
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME1"
    dataset.PixelRepresentation, dataset.BitsAllocated = 0, 8
    dataset.BitsStored, dataset.HighBit = 8, 7
    dataset.ViewPosition = view
    dataset.PixelData = np.arange(40 * 48, dtype=np.uint16).astype(np.uint8).tobytes()
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)


def blind_detector() -> Detector:
    def predict(images: Sequence[Any], stored: Sequence[Any]) -> list[dict[str, Any]]:
        return [{} for _ in images]

    return cast(
        Detector,
        SimpleNamespace(
            preprocessing=Preprocessing(32),
            predict=predict,
            findings=[],
            description=SimpleNamespace(name="blind", weights_sha256=""),
        ),
    )


def test_a_lateral_view_is_listed_and_not_scored(tmp_path: Path) -> None:
    write_dicom(tmp_path / "1.2.3", "AP")
    write_dicom(tmp_path / "1.2.4", "LL")
    predictions = predict_files(blind_detector(), [tmp_path], progress=False)
    assert [one.id for one in predictions.images] == ["1.2.3"]
    (failed,) = predictions.failed
    assert failed.file == str(tmp_path / "1.2.4")
    assert "is not scored: lateral_chest" in failed.reason
    assert failed.reason.endswith("ViewPosition says lateral)")


def test_only_lateral_views_are_an_error(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", "LATERAL")
    with pytest.raises(RibsightError, match="lateral_chest"):
        predict_files(blind_detector(), [tmp_path / "a.dcm"], progress=False)
