import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi.testclient import TestClient
from pydicom.uid import DeflatedExplicitVRLittleEndian
from sqlalchemy import func, select
from tests.archive.conftest import dicom
from tests.deployment.service.clients import closes_within, multipart
from tests.deployment.service.conftest import NewContext, quick_settings

from ribsight.deployment.service import tables
from ribsight.deployment.service.app import create_app
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.doors import Secrets
from ribsight.deployment.service.http_server import HttpServer
from ribsight.deployment.service.settings import HttpSettings, TlsSettings

LOCAL = "http://127.0.0.1:8042"
ROUTE = "/dicom-web/studies"
STORED, FAILED, REASON = "00081199", "00081198", "00081197"


def client_of(context: Context) -> TestClient:
    return TestClient(create_app(context), base_url=LOCAL)


def post(client: TestClient, *files: bytes, route: str = ROUTE, **headers: str) -> Any:
    body, kind = multipart(files)
    return client.post(route, content=body, headers={"Content-Type": kind, **headers})


def count(context: Context) -> int:
    with context.store.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.images)).scalar_one()


def test_all_parts_are_stored_and_named(new_context: NewContext) -> None:
    context = new_context()
    answer = post(client_of(context), dicom(1), dicom(2))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert len(answer.json()[STORED]["Value"]) == 2
    assert FAILED not in answer.json()
    assert count(context) == 2


def test_a_part_that_is_no_radiograph_is_named_with_its_reason(new_context: NewContext) -> None:
    context = new_context()
    other = dicom(3, syntax=DeflatedExplicitVRLittleEndian)
    answer = post(client_of(context), dicom(1), b"nonsense", other)
    assert answer.status_code == 202
    failed = answer.json()[FAILED]["Value"]
    assert [one[REASON]["Value"][0] for one in failed] == [0xC000, 0xC122]
    assert count(context) == 1


def test_nothing_stored_is_a_conflict(new_context: NewContext) -> None:
    answer = post(client_of(new_context()), b"nonsense")
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"x", "application/dicom", 415),
        (b"x", "multipart/related; type=application/json; boundary=a", 415),
        (b"x", 'multipart/related; type="application/dicom"', 400),
        (b"no boundary in here", "multipart/related; boundary=a", 400),
        (b"--a\r\n\r\nhalf", "multipart/related; boundary=a", 400),
        (b"--a--\r\n", "multipart/related; boundary=a", 400),
        (b"", "multipart/related; boundary=a", 400),
    ],
)
def test_requests_that_are_none(
    new_context: NewContext, content: bytes, kind: str, status: int
) -> None:
    context = new_context()
    answer = client_of(context).post(ROUTE, content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert list(context.folder.incoming.iterdir()) == []


def test_caps_hold_while_streaming(new_context: NewContext) -> None:
    settings = HttpSettings(port=0, object_megabytes=0.05, request_megabytes=0.2)
    context = new_context(quick_settings(http=settings))
    client = client_of(context)
    assert post(client, dicom(1, side=300)).status_code == 413
    # Without a Content-Length, only counting helps.
    body, kind = multipart([dicom(number, side=100) for number in range(12)])
    chunks = (body[at : at + 9999] for at in range(0, len(body), 9999))
    answer = client.post(ROUTE, content=chunks, headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert list(context.folder.incoming.iterdir()) == []
    assert post(client, dicom(1, side=100)).status_code == 200


def test_a_full_disk_takes_nothing_new(new_context: NewContext) -> None:
    context = new_context(quick_settings(reserve_megabytes=1e12))
    answer = post(client_of(context), dicom(1))
    assert answer.status_code == 507
    assert answer.headers["retry-after"]
    assert count(context) == 0


def test_a_token_is_asked_for(new_context: NewContext) -> None:
    context = new_context(secrets=Secrets("a-token-of-the-test"))
    client = client_of(context)
    assert post(client, dicom(1)).status_code == 401
    assert count(context) == 0
    assert post(client, dicom(1), Authorization="Bearer a-token-of-the-test").status_code == 200


def test_no_compressed_body_is_taken(new_context: NewContext) -> None:
    answer = post(client_of(new_context()), dicom(1), **{"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_an_instance_uid_is_never_a_path(new_context: NewContext, tmp_path: Path) -> None:
    context = new_context()
    content = dicom(1)
    meta = content[:400]
    at = meta.index(b"1.2.826")
    path = b"../../../../../tmp/"
    hostile = content[:at] + path + content[at + len(path) :]
    assert post(client_of(context), hostile).status_code == 409
    assert [path for path in tmp_path.rglob("*.dcm") if "data" in path.parts] == []


@pytest.fixture
def patient(new_context: NewContext) -> Iterator[HttpServer]:
    """A server that waits half a second."""
    settings = HttpSettings(port=0, idle_seconds=0.5, object_seconds=1.5, connections=4)
    context = new_context(quick_settings(http=settings))
    server = HttpServer(create_app(context), context.settings.http, 1)
    server.start()
    yield server
    server.stop()
    server.join(10)


HEAD = (
    b"POST /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    b'Content-Type: multipart/related; type="application/dicom"; boundary=a\r\n'
)


@pytest.mark.parametrize(
    "first", [b"", b"GET / HT", HEAD, HEAD + b"\r\n", HEAD + b"\r\n--a\r\n\r\nhalf"]
)
def test_half_a_request_is_not_waited_for(patient: HttpServer, first: bytes) -> None:
    with socket.create_connection(("127.0.0.1", patient.port)) as slow:
        slow.sendall(first)
        assert closes_within(slow, 10)


@pytest.mark.parametrize("start", [HEAD, HEAD + b"\r\n--a\r\n\r\n"])
def test_a_trickle_is_given_up(patient: HttpServer, start: bytes) -> None:
    with socket.create_connection(("127.0.0.1", patient.port)) as slow:
        slow.sendall(start)
        started = time.monotonic()
        try:
            while time.monotonic() - started < 10:
                slow.sendall(b"x")
                time.sleep(0.1)
            pytest.fail("a trickle was waited for")
        except OSError:
            pass


def test_many_silent_clients_leave_room_for_others(patient: HttpServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", patient.port)) for _ in range(60)]
    time.sleep(1.5)
    with socket.create_connection(("127.0.0.1", patient.port)) as other:
        other.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert other.recv(100).startswith(b"HTTP/1.1 200")
    for one in silent:
        one.close()


def test_tls(new_context: NewContext, certificates: Path) -> None:
    certificate = str(certificates / "cert.pem")
    tls = TlsSettings(certificate=certificate, key=str(certificates / "key.pem"))
    context = new_context(quick_settings(http=HttpSettings(port=0, tls=tls)))
    server = HttpServer(create_app(context), context.settings.http, 1)
    server.start()
    try:
        url = f"https://127.0.0.1:{server.port}/health"
        assert requests.get(url, verify=certificate, timeout=10).status_code == 200
        with pytest.raises(requests.RequestException):
            requests.get(url.replace("https", "http"), timeout=10)
    finally:
        server.stop()
        server.join(10)
