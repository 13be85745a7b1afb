"""Run in a network namespace of its own: films -> storescu -> ribsight serve -> two Orthancs.

    unshare -n python with_orthanc.py FOLDER_OF_FILMS MODEL WORK_FOLDER

One Orthanc gets objects by C-STORE, the other by STOW-RS with a password. Debian's Orthanc listens
on every address, so it is started where there is only the loopback. Leaves what each keeps in
WORK_FOLDER/stored and WORK_FOLDER/posted, and prints one JSON object.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
USER, PASSWORD = "reader", "secret-of-the-test"
NODES = {"stored": (18042, 14242), "posted": (18043, 14243)}
DICOM, HTTP = 11112, 8042
_PROPOSALS = {"jpeg-ls": ["-xt"], "jpeg-2000": ["-xv"], "rle": ["-xr"]}


def main(films: Path, model: Path, work: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    session = requests.Session()
    session.trust_env = False
    session.auth = (USER, PASSWORD)
    with contextlib.ExitStack() as stack:
        for name in NODES:
            stack.enter_context(_orthanc(name, work))
        stack.enter_context(_service(model, work))
        for http, _ in NODES.values():
            _wait(lambda http=http: session.get(f"http://127.0.0.1:{http}/system", timeout=5).ok)
        _wait(lambda: requests.get(f"http://127.0.0.1:{HTTP}/health", timeout=5).ok)
        sent = [_send(path) for path in sorted(films.glob("*.dcm"))]
        _wait(_is_done)
        found = {name: _kept(session, name, work / name) for name in NODES}
    said = {"storescu": sent, "found": found}
    sys.stdout.write(json.dumps(said) + "\n")


@contextlib.contextmanager
def _orthanc(name: str, work: Path) -> Iterator[None]:
    http, dicom = NODES[name]
    folder = work / f"orthanc-{name}"
    folder.mkdir()
    settings = {
        "HttpPort": http, "DicomPort": dicom, "DicomAet": "ARCHIVE", "DicomCheckCalledAet": True,
        "RemoteAccessAllowed": False, "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD}, "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"), "Plugins": [PLUGIN],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(settings))
    command = ["Orthanc", str(folder / "orthanc.json")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def _service(model: Path, work: Path) -> Iterator[None]:
    config = work / "service.toml"
    config.write_text(
        f"dicom.port = {DICOM}\nhttp.port = {HTTP}\nresults.least_score = 0.98\n"
        'results.objects = ["sr", "sc", "gsps"]\nstore.reserve_megabytes = 1.0\n'
        '[[destinations]]\nname = "store"\nkind = "dicom"\nhost = "127.0.0.1"\n'
        f'port = {NODES["stored"][1]}\nae_title = "ARCHIVE"\nretry_seconds = 0.2\n'
        '[[destinations]]\nname = "post"\nkind = "dicomweb"\nretry_seconds = 0.2\n'
        f'url = "http://127.0.0.1:{NODES["posted"][0]}/dicom-web"\n'
    )
    variables = {
        "RIBSIGHT_DESTINATION_POST_USER": USER,
        "RIBSIGHT_DESTINATION_POST_PASSWORD": PASSWORD,
    }
    command = [sys.executable, "-m", "ribsight.cli.main", "serve", "--model", str(model),
               "--data", str(work / "data"), "--config", str(config)]  # fmt: skip
    with (work / "service.log").open("w") as log:
        process = subprocess.Popen(command, stderr=log, env={**os.environ, **variables})
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _send(path: Path) -> int:
    """Send a film named `NUMBER-SYNTAX.dcm`; dcmtk proposes a compression only if told to."""
    proposed = _PROPOSALS.get(path.stem.partition("-")[2], [])
    command = ["storescu", *proposed, "-aec", "RIBSIGHT", "127.0.0.1", str(DICOM), str(path)]
    return subprocess.run(command, check=False).returncode


def _is_done() -> bool:
    said = requests.get(f"http://127.0.0.1:{HTTP}/health", timeout=5).json()
    return not said["waiting"] and not any(said["undelivered"].values())


def _kept(session: requests.Session, name: str, folder: Path) -> list[dict[str, Any]]:
    """Return what QIDO-RS finds, and write the file of each instance."""
    folder.mkdir()
    url = f"http://127.0.0.1:{NODES[name][0]}"
    found = session.get(
        f"{url}/dicom-web/instances", headers={"Accept": "application/dicom+json"}, timeout=30
    )
    found.raise_for_status()
    for one in session.get(f"{url}/instances", timeout=30).json():
        file = session.get(f"{url}/instances/{one}/file", timeout=30)
        file.raise_for_status()
        (folder / f"{one}.dcm").write_bytes(file.content)
    return [
        {"study": one["0020000D"]["Value"][0], "class": one["00080016"]["Value"][0],
         "instance": one["00080018"]["Value"][0]}
        for one in found.json()
    ]  # fmt: skip


def _wait(condition: Any) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        with contextlib.suppress(requests.RequestException):
            if condition():
                return
        time.sleep(0.2)
    raise SystemExit("waited in vain")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
