"""Films by storescu, results in Orthanc by C-STORE and by STOW-RS, found, valid and the same."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from tests.deployment.service.clients import SC, SR
from tests.simulation.paper.conftest import make_patient

from ribsight.simulation.paper.dicom import TransferSyntax, dicom_bytes
from ribsight.simulation.paper.header import draw_header
from ribsight.simulation.truth import View

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
VIEWS = (View.PA_ERECT, View.AP_SUPINE, View.OBLIQUE_LEFT, View.LATERAL)


def write_films(folder: Path) -> None:
    """Write films of four patients as a simulated hospital's machines do, one a lateral."""
    folder.mkdir()
    random = np.random.default_rng(2)
    for number, (view, syntax) in enumerate(zip(VIEWS, TransferSyntax, strict=True)):
        truth = make_patient(views=(view,), height=200, width=160, number=number)
        pixels = random.uniform(0, 1, (200, 160)).astype(np.float32)
        content = dicom_bytes(
            pixels, draw_header(random, view), truth, truth.films[0], series_number=1,
            instance_number=1, transfer_syntax=syntax,
        )  # fmt: skip
        (folder / f"{number}-{syntax}.dcm").write_bytes(content)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> tuple[Path, Any]:
    """Return the work folder and what the driver said, or a skip."""
    missing = [one for one in ("Orthanc", "storescu", "dciodvfy") if shutil.which(one) is None]
    if missing or not PLUGIN.is_file():
        pytest.skip(f"not installed: {', '.join(missing) or 'orthanc-dicomweb'}")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    work = tmp_path_factory.mktemp("hospital")
    write_films(work / "films")
    driver = Path(__file__).parent / "with_orthanc.py"
    command = ["unshare", "-n", sys.executable, str(driver), str(work / "films"),
               str(tiny_folder), str(work)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    log = work / "service.log"
    assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")
    return work, json.loads(done.stdout)


@pytest.mark.parametrize("way", ["stored", "posted"])
def test_every_film_has_its_objects_in_the_archive(hospital: tuple[Path, Any], way: str) -> None:
    work, said = hospital
    assert said["storescu"] == [0, 0, 0, 0]
    studies = {str(dcmread(path).StudyInstanceUID) for path in (work / "films").glob("*.dcm")}
    found = said["found"][way]
    # A lateral is not scored: it has a report and a picture that say so, and nothing to lay over.
    assert Counter(one["class"] for one in found) == {SR: 4, SC: 4, GSPS: 3}
    assert {one["study"] for one in found} == studies


@pytest.mark.parametrize("way", ["stored", "posted"])
def test_what_the_archive_keeps_is_valid_and_what_was_made(
    hospital: tuple[Path, Any], way: str
) -> None:
    work, _ = hospital
    made = {path.stem: dcmread(path) for path in (work / "data" / "results").rglob("*.dcm")}
    kept = sorted((work / way).glob("*.dcm"))
    assert len(kept) == len(made) == 11
    for path in kept:
        dataset = dcmread(path)
        assert dataset == made[str(dataset.SOPInstanceUID)]
        verdict = subprocess.run(
            ["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False
        )
        errors = [line for line in verdict.stderr.splitlines() if line.startswith("Error")]
        assert errors == [], dataset.SOPClassUID.name
