from pathlib import Path

import pytest

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.service.run import run
from ribsight.errors import RibsightError


def test_a_model_of_which_nothing_would_be_reported_is_refused(
    tiny_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "service.toml").write_text("dicom.port = 0\nhttp.port = 0\n")
    with pytest.raises(RibsightError, match="no thresholds for rib_fracture, clavicle_fracture"):
        run(lambda: DetectorAtWork.load(tiny_folder), tmp_path / "data", tmp_path / "service.toml")
    assert not (tmp_path / "data").exists()


def test_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RibsightError, match="neither a model folder nor a finished run"):
        run(lambda: DetectorAtWork.load(tmp_path / "none"), tmp_path / "data", None)
