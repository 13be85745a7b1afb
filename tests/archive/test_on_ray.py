import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.archive.conftest import Ingest, dicom, tables, write


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_two_workers_of_ray_write_the_same_tables(
    tmp_path: Path, hospital: Path, ingest: Ingest
) -> None:
    with zipfile.ZipFile(hospital / "a.zip", "w") as container:
        for number in range(200, 210):
            container.writestr(f"{number}", dicom(number))
    write(hospital / "broken", dicom(1)[:500])
    ingest(hospital)
    command = [sys.executable, "-m", "ribsight.cli.main", "ingest", str(hospital), "--ray"]
    command += ["--processes", "2", "--out", str(tmp_path / "ray")]
    # On a busy machine Ray's own choice, 15, may leave its workers waiting for ever.
    environment = {**os.environ, "RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert tables(tmp_path / "ray") == tables(tmp_path / "archive")
