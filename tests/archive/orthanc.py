"""Run in a network namespace of its own: Orthanc, filled, and `ribsight ingest` against it.

    unshare -n python orthanc.py FOLDER_OF_FILES WORK_FOLDER

Debian's Orthanc listens on every address, so it is started where there is only the loopback.
Prints one JSON line for each ingest: status, output, and the folder of the archive.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

PORT = 18042
URL = f"http://127.0.0.1:{PORT}"
USER, PASSWORD = "reader", "secret-of-the-test"
PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


@contextlib.contextmanager
def running(work: Path, **settings: object) -> Iterator[requests.Session]:
    """Run Orthanc with its data in a folder; yield a session that may talk to it."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    everything = {
        "HttpPort": PORT,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "StorageDirectory": str(work / "db"),
        "IndexDirectory": str(work / "db"),
        "Plugins": [PLUGIN],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        **settings,
    }
    (work / "orthanc.json").write_text(json.dumps(everything))
    with (work / "orthanc.log").open("w") as log:
        server = subprocess.Popen(["Orthanc", str(work / "orthanc.json")], stdout=log, stderr=log)
    try:
        session = requests.Session()
        session.trust_env = False
        session.auth = (USER, PASSWORD)
        _wait(session)
        yield session
    finally:
        server.terminate()
        server.wait(timeout=30)


def main(files: Path, work: Path) -> None:
    with running(work) as session:
        uploaded = sorted(files.rglob("*.dcm"))
        for path in uploaded[:-1]:
            session.post(f"{URL}/instances", data=path.read_bytes()).raise_for_status()
        _ingest("refused", work / "archive", {"RIBSIGHT_DICOMWEB_PASSWORD": "wrong"})
        _ingest("first", work / "archive", {})
        _ingest("again", work / "archive", {})
        session.post(f"{URL}/instances", data=uploaded[-1].read_bytes()).raise_for_status()
        _ingest("grown", work / "archive", {})
        _ingest("fresh", work / "fresh", {})
        _ingest("token", work / "token", {"RIBSIGHT_DICOMWEB_TOKEN": "unknown-token"})
        _ingest("none", work / "none", {}, "--to", "19000101")


def _wait(session: requests.Session) -> None:
    for _ in range(300):
        with contextlib.suppress(requests.ConnectionError):
            session.get(f"{URL}/system", timeout=5).raise_for_status()
            return
        time.sleep(0.2)
    raise SystemExit("Orthanc does not answer")


def _ingest(name: str, archive: Path, variables: dict[str, str], *options: str) -> None:
    environment = {
        **os.environ,
        "NO_PROXY": "*",
        "RIBSIGHT_DICOMWEB_USER": USER,
        "RIBSIGHT_DICOMWEB_PASSWORD": PASSWORD,
        **variables,
    }
    command = [sys.executable, "-m", "ribsight.cli.main", "ingest", f"dicomweb:{URL}/dicom-web",
               "--out", str(archive), "--processes", "2", *options]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    said = {"name": name, "status": done.returncode, "out": done.stdout, "err": done.stderr}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
