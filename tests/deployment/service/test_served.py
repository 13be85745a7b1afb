"""One process, started as a user does it, and no patient in anything it writes but DICOM."""

import json
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.archive.conftest import dicom
from tests.deployment.service.clients import Archive, associate_request, free_port, store, stow
from tests.deployment.service.served import Served

# Letters and digits that no hash or path holds by chance.
PLANTED = {
    "PatientName": "Zyxwvut^Qwerasdf",
    "PatientID": "PLANTEDID77",
    "PatientBirthDate": "19230405",
    "AccessionNumber": "PLANTEDACC1",
    "StudyID": "PLANTEDSTUD",
    "StudyDescription": "PLANTED CHEST Qwerasdf",
    "SeriesDescription": "PLANTED PA Qwerasdf",
    "InstitutionName": "PLANTED Hospital",
    "ReferringPhysicianName": "PLANTED^Doctor",
    "PatientComments": "PLANTED comment about Zyxwvut",
    "ImageComments": "PLANTED image comment",
    "StudyInstanceUID": "1.2.826.0.1.777777.1",
    "SeriesInstanceUID": "1.2.826.0.1.777777.2",
    "StudyDate": "19870605",
}
WORDS = ("zyxwvut", "qwerasdf", "planted", "19230405", "777777", "19870605")


def planted(number: int, **changed: Any) -> bytes:
    values: dict[str, Any] = {
        **PLANTED,
        "SOPInstanceUID": f"1.2.826.0.1.777777.9.{number}",
        **changed,
    }
    with warnings.catch_warnings(action="ignore"):
        return dicom(number, side=100, **values)


def damaged() -> Iterator[bytes]:
    whole = planted(50)
    yield whole[:-9000]
    yield whole[:700]
    # Values where numbers are expected, in attributes that decoders complain about.
    yield planted(51, WindowCenter="7654321", WindowWidth="100").replace(b"7654321", b"PLANTED")
    yield planted(52, ViewPosition="PLANTED Zyxwvut")
    yield planted(53, PhotometricInterpretation="PLANTED")
    yield planted(54, StudyInstanceUID="PLANTED Zyxwvut")
    yield b"PLANTED" * 100


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Iterator[Served]:
    archive = Archive(free_port())
    archive.start()
    destinations = (
        f'[[destinations]]\nname = "pacs"\nkind = "dicom"\nhost = "127.0.0.1"\n'
        f'port = {archive.port}\nae_title = "ARCHIVE"\nretry_seconds = 0.1\nattempts = 1\n'
    )
    service = Served(tmp_path_factory.mktemp("served"), tiny_folder, destinations)
    yield service
    service.stop()
    archive.stop()


def test_no_patient_is_in_anything_but_stored_dicom(served: Served) -> None:
    assert store(served.dicom, [planted(1), planted(2, ViewPosition="LATERAL")]) == [0, 0]
    assert stow(served.http, [planted(3), *damaged()]).status_code == 202
    with socket.create_connection(("127.0.0.1", served.dicom)) as stranger:
        stranger.sendall(associate_request(calling="ZYXWVUT", called="PLANTED"))
        assert stranger.recv(100)[:1] == b"\x03"
    study, instance = PLANTED["StudyInstanceUID"], "1.2.826.0.1.777777.9.1"
    for path in (f"/results?study={study}", f"/results?instance={instance}", "/planted/zyxwvut",
                 f"/dicom-web/studies/{study}", "/results/planted", "/api/worklist?order=planted",
                 f"/dicom-web/studies/{study}/series/1.2/instances/{instance}"):  # fmt: skip
        requests.get(served.url + path, timeout=30)
    requests.post(f"{served.url}/dicom-web/studies", data=b"PLANTED", timeout=30)
    served.wait_until_done()
    shown = [requests.get(served.url + one, timeout=30).text for one in ("/health", "/metrics")]
    assert served.stop() == 0
    written = {
        str(path): path.read_bytes()
        for path in served.data.rglob("*")
        if path.is_file() and path.suffix != ".dcm"
    }
    assert any(name.endswith("service.db") for name in written)
    written |= {"log": served.log.encode(), "shown": "".join(shown).encode()}
    for name, content in written.items():
        found = [word for word in WORDS if word.encode() in content.lower()]
        assert found == [], name
    assert not any(word in str(path).lower() for path in served.data.rglob("*") for word in WORDS)
    # The names really were in what came in.
    stored = b"".join(path.read_bytes() for path in served.data.rglob("*.dcm"))
    assert b"Zyxwvut" in stored


def test_the_log_is_json_lines_and_the_audit_log_is_whole(served: Served) -> None:
    served.stop()
    lines = [json.loads(line) for line in served.log.splitlines()]
    assert lines[0]["says"].startswith("ready: dicom on ")
    assert lines[-1]["says"] == "stopped"
    events = [one["event"] for one in served.events()]
    assert events[0] == "service started"
    assert events[-1] == "service stopped"
    assert {"accepted", "result", "quarantined", "delivered"} <= set(events)


def test_a_mistake_ends_with_one_sentence_and_status_2(tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "service.toml").write_text('http.host = "0.0.0.0"\n')
    done = subprocess.run(
        [sys.executable, "-m", "ribsight.cli.main", "serve", "--model", str(tiny_folder),
         "--data", str(tmp_path / "data"), "--config", str(tmp_path / "service.toml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("ribsight: http.host is 0.0.0.0, which others reach: set RIBSI")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()
