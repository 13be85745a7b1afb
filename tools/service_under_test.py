"""A service that can be started and killed quickly, and what talks to it; for `break_service.py`.

    python tools/service_under_test.py MODEL_FOLDER

For each line of standard input, `DATA CONFIG`, forks a service; prints its process id, and its exit
status when it has ended. Forked, a service is up in a fraction of the time that imports take.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
from films import content, dicom_dataset, film
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

CLASSES = {"1.2.840.10008.5.1.4.1.1.1": "CR", "1.2.840.10008.5.1.4.1.1.7": "SC"}
CR = "1.2.840.10008.5.1.4.1.1.1"
_SYNTAXES = [
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.5",
]  # fmt: skip
_RESULTS = ("1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.7")
_PATIENCE = 120.0


def radiograph(number: int, side: int = 72) -> tuple[str, bytes]:
    """Return the SOP Instance UID of a small radiograph, and its file."""
    name = f"2.25.{10_000_000 + number}"
    attributes = {
        "SOPInstanceUID": name,
        "StudyInstanceUID": f"2.25.{20_000_000 + number // 2}",
        "BodyPartExamined": "CHEST",
        "InstanceNumber": number,
        "BitsStored": 12,
    }
    return name, content(dicom_dataset(film(side, side, seed=number), attributes))


def write_model(folder: Path) -> None:
    """Write a model of random weights that is as small as they come."""
    import torch

    from ribsight import __version__
    from ribsight.detector.model_file import SCHEMA, ModelDescription, save_model
    from ribsight.detector.network import DetectorNetwork
    from ribsight.detector.settings import ImageSettings, MarkSettings, NetworkSettings
    from ribsight.radiographs.preprocess import Preprocessing

    settings = NetworkSettings(backbone="test_efficientnet", weights="none", pyramid_channels=8)
    torch.manual_seed(0)
    described = {
        "schema": SCHEMA, "name": "tiny", "findings": ["rib_fracture"], "recipe": {},
        "images": ImageSettings(size=64), "preprocessing": Preprocessing(64).key,
        "intensity_mean": 0.5, "intensity_std": 0.5, "network": settings, "marks": MarkSettings(),
        "training": {"method": "supervised"}, "cohort_sha256": "", "ribsight": __version__,
    }  # fmt: skip
    network = DetectorNetwork(settings, 1).eval()
    save_model(network, ModelDescription.model_validate(described), folder)


def fork_services(model: Path) -> None:
    """Be the parent of services, as this file's head says."""
    import pynetdicom
    import uvicorn  # noqa: F401

    from ribsight.deployment.at_work import DetectorAtWork
    from ribsight.deployment.results import dicom_results  # noqa: F401
    from ribsight.deployment.service.run import run

    assert pynetdicom
    write_model(model)
    for line in sys.stdin:
        data, config = map(Path, line.split())
        child = os.fork()
        if child == 0:
            os._exit(run(lambda: DetectorAtWork.load(model), data, config))
        _say(str(child))
        _, status = os.waitpid(child, 0)
        _say(str(os.waitstatus_to_exitcode(status)))


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class Parent:
    """The process that forks services, which all write their logs to one file."""

    def __init__(self, folder: Path):
        """Start it; a model is made in `folder`."""
        self.log = folder / "service.log"
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(folder / "model")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log.open("w"), text=True,
        )  # fmt: skip

    def fork(self, data: Path, config: Path) -> "Life":
        """Start a service."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{data} {config}\n")
        self._process.stdin.flush()
        return Life(int(self.line()), self)

    def line(self) -> str:
        """Return what it prints next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("services cannot be forked")
        return line

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@dataclass
class Life:
    """One life of a service.

    Attributes:
        pid: of its process.
        parent: what forked it.
    """

    pid: int
    parent: Parent

    def end(self, signal: int) -> int:
        """Send a signal, and return the exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal)
        return int(self.parent.line())


class Bench:
    """A folder with a service's data, its configuration, and the process that forks it."""

    def __init__(
        self, parent: "Parent", folder: Path, *, destination: int = 0, data: Path | None = None
    ):
        """Prepare in an empty folder; `destination` is the port of an archive."""
        self._parent = parent
        self.folder = folder
        self.data = data or folder / "data"
        self.dicom, self.http = _free_ports(2)
        config = (
            f"[dicom]\nport = {self.dicom}\n[http]\nport = {self.http}\n"
            "[results]\nleast_score = 1.0\n"
            "[store]\nreserve_megabytes = 2.0\nresult_megabytes = 0.5\n"
        )
        if destination:
            config += (
                '[[destinations]]\nname = "archive"\nkind = "dicom"\nhost = "127.0.0.1"\n'
                f'port = {destination}\nae_title = "ARCHIVE"\nretry_seconds = 0.2\n'
                "retry_most_seconds = 2.0\nseconds = 5.0\n"
            )
        self.config = folder / "service.toml"
        self.config.write_text(config)

    def start(self) -> Life:
        """Start a service, and return at once."""
        return self._parent.fork(self.data, self.config)

    def wait_until_up(self) -> None:
        """Wait until the service answers."""
        until = time.monotonic() + _PATIENCE
        while self.health() is None:
            if time.monotonic() > until:
                raise SystemExit("the service does not answer")
            time.sleep(0.05)

    def health(self) -> dict[str, Any] | None:
        """Return what the service says of itself; None if it does not answer."""
        try:
            return dict(requests.get(f"{self.url}/health", timeout=10).json())
        except (requests.RequestException, ValueError):
            return None

    def results(self) -> int:
        """Return how many current results there are; 0 if the service does not answer."""
        try:
            said = requests.get(f"{self.url}/metrics", timeout=10).text
        except requests.RequestException:
            return 0
        counts = [line for line in said.splitlines() if line.startswith("ribsight_results_total")]
        return sum(int(float(line.split()[-1])) for line in counts)

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self.http}"

    def wait_until_done(self, seconds: float = _PATIENCE, *, delivered: bool = True) -> None:
        """Wait until no image and no object waits."""
        until = time.monotonic() + seconds
        while True:
            said = self.health() or {}
            waiting = said.get("waiting", 1) + delivered * sum(said.get("undelivered", {}).values())
            if not waiting:
                return
            if time.monotonic() > until:
                raise SystemExit(f"not done in {seconds:.0f} s: {said}")
            time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextlib.contextmanager
def calling(port: int) -> Iterator[Association]:
    """Yield an association for radiographs in any encoding, which may not be established."""
    entity = AE(ae_title="SENDER")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
    entity.connection_timeout = 5
    for sop_class in CLASSES:
        for syntax in _SYNTAXES:
            entity.add_requested_context(sop_class, syntax)
    association = entity.associate("127.0.0.1", port, ae_title="RIBSIGHT")
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def send_raw(association: Association, name: str, syntax: str, dataset: bytes) -> int | None:
    """Send bytes as a data set, whatever they are; return the status, None for no answer."""
    context = next(
        (one for one in association.accepted_contexts
         if one.abstract_syntax == CR and one.transfer_syntax[0] == syntax), None,
    )  # fmt: skip
    if context is None or not association.is_established:
        return None
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = UID(CR)
    request.AffectedSOPInstanceUID = UID(name)
    request.Priority = 2
    request.DataSet = BytesIO(dataset)
    association._reactor_checkpoint.clear()
    try:
        association.dimse.send_msg(request, context.context_id or 0)
        _, answer = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    status = getattr(answer, "Status", None)
    return None if status is None else int(status)


def send_stow(url: str, file: bytes) -> tuple[int, dict[str, Any]]:
    """Send a file by STOW-RS; return status and answer. Raises RequestException."""
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    answer = requests.post(
        f"{url}/dicom-web/studies", data=body, headers={"Content-Type": kind}, timeout=60
    )
    try:
        return answer.status_code, dict(answer.json())
    except json.JSONDecodeError:
        return answer.status_code, {}


class Archive:
    """A destination that notes what comes in which order; it can hang up and listen again."""

    def __init__(self) -> None:
        (self.port,) = _free_ports(1)
        self.received: list[str] = []
        self._server: Any = None

    def listen(self) -> None:
        """Take objects."""
        _config.LOG_HANDLER_LEVEL = "none"
        entity = AE(ae_title="ARCHIVE")
        for sop_class in _RESULTS:
            entity.add_supported_context(sop_class)
        handlers: list[Any] = [(evt.EVT_C_STORE, self._store)]
        self._server = entity.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=handlers
        )

    def hang_up(self) -> None:
        """Take nothing, and answer nobody."""
        if self._server is not None:
            self._server.shutdown()
            for one in self._server.active_associations:
                one.abort()
            self._server = None

    def _store(self, event: evt.Event) -> int:
        request: Any = event.request
        self.received.append(str(request.AffectedSOPInstanceUID))
        return 0


if __name__ == "__main__":
    fork_services(Path(sys.argv[1]))
