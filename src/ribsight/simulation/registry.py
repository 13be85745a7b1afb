"""A whole registry on disk: films as DICOM, records, the expert's drawings, and the truth apart.

Every patient is simulated alone and leaves one part file when done, so an interrupted simulation
goes on where it stopped, and any number of processes writes the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ribsight.cohort.workers import map_ordered, progress_bar, worker_pool
from ribsight.errors import RibsightError
from ribsight.files import file_sha256, write_bytes, write_text
from ribsight.simulation.paper.code_tables import CodingSystem
from ribsight.simulation.paper.codes import write_codes
from ribsight.simulation.paper.dicom import TransferSyntax, dicom_bytes
from ribsight.simulation.paper.header import draw_header, draw_machine
from ribsight.simulation.paper.reports import write_report
from ribsight.simulation.paper.tables import (
    code_row,
    image_row,
    report_row,
)
from ribsight.simulation.patient import SimulatedPatient, records_stream, simulate_patient
from ribsight.simulation.registry_tables import Row, Summary, write_tables
from ribsight.simulation.settings import CtSettings, RegistrySettings
from ribsight.simulation.truth import Fracture

if TYPE_CHECKING:
    from ribsight.simulation.ct.patient import Scan

SETTINGS = "registry.json"
IMAGES = "images"
PARTS = "parts"

_REPORT, _CODES, _HEADERS = range(3)
_SYSTEMS = {"icd-10-cm": CodingSystem.ICD_10_CM, "icd-9-cm": CodingSystem.ICD_9_CM}


@dataclass(frozen=True)
class CtFiles:
    """A CT on disk.

    Attributes:
        volume: NIfTI, Hounsfield units.
        labels: NIfTI label map of the same grid.
        names: CSV of the labels' names; TotalSegmentator's numbers if None.

    """

    volume: Path
    labels: Path
    names: Path | None = None

    def sha256(self) -> str:
        """Return one hash of all files.

        Raises:
            RibsightError: one cannot be read.

        """
        files = [self.volume, self.labels, *([self.names] if self.names else [])]
        try:
            hashes = [file_sha256(one) for one in files]
        except OSError as error:
            raise RibsightError(f"cannot read {error.filename}: {error.strerror}") from error
        return hashlib.sha256("".join(hashes).encode()).hexdigest()


@cache
def _scan(files: CtFiles) -> Scan:
    """Read a CT once per process."""
    from ribsight.simulation.ct.patient import load_scan

    return load_scan(files.volume, files.labels, files.names)


def simulate_registry(
    out: Path,
    patients: int,
    settings: RegistrySettings,
    *,
    ct: CtFiles | None = None,
    processes: int = 1,
    progress: bool = True,
) -> Summary:
    """Write a registry of patients 0 to `patients` - 1, going on where an earlier call stopped.

    Args:
        out: folder; made if missing.
        patients: how many.
        settings: everything else.
        ct: make every patient from this CT.
        processes: workers.
        progress: show a progress bar.

    Raises:
        RibsightError: an unusable CT, or a folder that holds a registry of other settings, one
            of more patients, or something else.

    """
    if ct is not None:
        settings = settings.model_copy(update={"ct": CtSettings(sha256=ct.sha256())})
        _scan(ct)  # what is wrong with it is said before anything is written
    _claim(out, settings)
    if _part(out, patients).exists():
        raise RibsightError(
            f"{out} holds more than {patients} patients: ask for at least as many, or choose "
            "another folder"
        )
    wanted = [number for number in range(patients) if not _part(out, number).exists()]
    work = partial(_write_patient, out, settings, ct)
    with (
        worker_pool(processes) as pool,
        progress_bar(patients, "simulating", progress=progress) as bar,
    ):
        bar.update(patients - len(wanted))
        for _ in map_ordered(work, wanted, pool):
            bar.update()
    parts = [json.loads(_part(out, number).read_text("utf-8")) for number in range(patients)]
    return write_tables(out, parts, settings.drawn)


def _claim(out: Path, settings: RegistrySettings) -> None:
    """Make the folder this registry's, or see that it is."""
    out.mkdir(parents=True, exist_ok=True)
    mine = json.dumps(settings.model_dump(), indent=1, sort_keys=True) + "\n"
    path = out / SETTINGS
    if path.exists():
        if path.read_text("utf-8") != mine:
            raise RibsightError(
                f"{path} says that {out} holds a registry of other settings: "
                "choose another folder, or give the same settings to go on with it"
            )
        return
    if any(out.iterdir()):
        raise RibsightError(f"{out} is not empty and holds no registry: choose another folder")
    write_text(path, mine)


def _part(out: Path, number: int) -> Path:
    return out / PARTS / f"{number // 1000:03d}" / f"{number:06d}.json"


def _write_patient(out: Path, settings: RegistrySettings, ct: CtFiles | None, number: int) -> None:
    """Simulate one patient; the part file is written last and says that all of it is there."""
    patient = simulate_patient(settings, number, None if ct is None else _scan(ct))
    part = _records_of(patient, settings)
    machine = draw_machine(records_stream(settings, number, _HEADERS))
    headers = records_stream(settings, number, _HEADERS + 1)
    for place, (film, shown) in enumerate(zip(patient.truth.films, patient.films, strict=True), 1):
        header = draw_header(headers, film.view, machine)
        part["images"].append(image_row(patient.truth, film, header))
        content = dicom_bytes(
            shown, header, patient.truth, film, series_number=place, instance_number=1,
            transfer_syntax=TransferSyntax(settings.transfer_syntax),
        )  # fmt: skip
        path = out / IMAGES / f"{film.radiograph_id}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    path = _part(out, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(part, separators=(",", ":")) + "\n")


def _records_of(patient: SimulatedPatient, settings: RegistrySettings) -> dict[str, Any]:
    truth = patient.truth
    report = write_report(
        truth, records_stream(settings, patient.number, _REPORT), settings.records
    )
    codes = write_codes(
        truth,
        records_stream(settings, patient.number, _CODES),
        settings.records,
        _SYSTEMS[settings.coding_system],
    )
    person = truth.person
    return {
        "patient": {
            "patient_id": person.patient_id,
            "split": patient.split.value,
            "sex": person.sex,
            "age": person.age,
            "height_mm": round(person.height, 1),
            "weight_kg": round(person.weight, 1),
            "study_date": truth.study_date.isoformat(),
            "confounders": " ".join(one.value for one in truth.confounders),
        },
        "images": [],
        "report": report_row(truth, report),
        "codes": [code_row(one) for one in codes],
        "films": [_film_rows(patient, k) for k in range(len(truth.films))],
    }


def _film_rows(patient: SimulatedPatient, place: int) -> dict[str, Any]:
    """Return the truth of one film: the film itself, and its fractures with their outlines."""
    film = patient.truth.films[place]
    by_name = {one.name: one for one in patient.truth.fractures}
    drawn = dict(patient.drawings[place])
    return {
        "radiograph": film.radiograph_id,
        "view": film.view.value,
        "height": film.height,
        "width": film.width,
        "pixel_spacing": round(film.pixel_spacing, 5),
        "fractures": [
            {
                **_fracture_row(by_name[one.fracture]),
                "contrast_to_noise": round(one.contrast_to_noise, 3),
                "visible": one.visible,
                "outline": [[round(x, 2), round(y, 2)] for x, y in one.outline],
                "drawing": [list(point) for point in drawn[one.fracture]],
            }
            for one in film.fractures
        ],
    }


def _fracture_row(fracture: Fracture) -> Row:
    return {
        "fracture": fracture.name,
        "finding": fracture.finding,
        "side": fracture.side.value,
        "rib": fracture.rib,
        "place": fracture.place,
        "position": round(fracture.position, 4),
        "displacement": fracture.displacement.value,
        "acuity": fracture.acuity.value,
        "fixed": fracture.fixed,
    }
