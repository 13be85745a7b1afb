"""A tiny model, and services made of it."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.tiny_model import write_tiny_model

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.results import ResultOptions
from ribsight.deployment.service.context import Context, open_context
from ribsight.deployment.service.doors import Secrets
from ribsight.deployment.service.node import Node
from ribsight.deployment.service.serve import Service
from ribsight.deployment.service.settings import (
    DestinationSettings,
    DicomSettings,
    HttpSettings,
    ServiceSettings,
    StoreSettings,
    WorkSettings,
)

NewContext = Callable[..., Context]
NewNode = Callable[..., Node]
NewService = Callable[..., Service]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of `tiny_detector`."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_detector(tiny_folder: Path) -> DetectorAtWork:
    """A detector of random weights."""
    return DetectorAtWork.load(tiny_folder)


def quick_settings(
    *destinations: DestinationSettings,
    dicom: DicomSettings | None = None,
    http: HttpSettings | None = None,
    reserve_megabytes: float = 1.0,
    work: WorkSettings | None = None,
) -> ServiceSettings:
    """Return settings with free ports that need little space."""
    return ServiceSettings(
        dicom=dicom or DicomSettings(port=0),
        http=http or HttpSettings(port=0),
        store=StoreSettings(reserve_megabytes=reserve_megabytes, result_megabytes=0.5),
        work=work or WorkSettings(stop_seconds=20),
        destinations=destinations,
    )


@pytest.fixture
def new_context(tmp_path: Path, tiny_detector: DetectorAtWork) -> Iterator[NewContext]:
    """Return a function that opens a context on the test's data folder, closed with the test."""
    opened: list[Context] = []

    def open_one(
        settings: ServiceSettings | None = None,
        secrets: Secrets | None = None,
        detector: DetectorAtWork | None = None,
    ) -> Context:
        context = open_context(
            settings or quick_settings(),
            secrets or Secrets(),
            detector or tiny_detector,
            tmp_path / "data",
        )
        opened.append(context)
        return context

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def new_node() -> Iterator[NewNode]:
    """Return a function that lets a context's node listen, stopped with the test."""
    started: list[Node] = []

    def start(context: Context) -> Node:
        node = Node(context)
        node.start()
        started.append(node)
        return node

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def new_service() -> Iterator[NewService]:
    """Return a function that starts all of a service, stopped with the test."""
    started: list[tuple[Context, Service]] = []

    def start(context: Context, options: ResultOptions | None = None) -> Service:
        service = Service(context, options or ResultOptions(least_score=0.98))
        service.start()
        started.append((context, service))
        return service

    yield start
    for context, service in started:
        if not context.stopping.is_set():
            service.stop()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate and key of 127.0.0.1, which is its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
               "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
               "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl to make a certificate")
    return folder
