"""What talks to a service in tests: real associations, real requests, raw sockets."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import requests
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pynetdicom import AE, evt
from pynetdicom.association import Association

CR = "1.2.840.10008.5.1.4.1.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
SR, SC = "1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.7"
CALLED = "RIBSIGHT"


@contextlib.contextmanager
def association(
    port: int, *, called: str = CALLED, calling: str = "TESTSCU", **options: Any
) -> Iterator[Association]:
    """Yield an association that may be rejected."""
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    entity.add_requested_context(CR, EXPLICIT)
    entity.add_requested_context("1.2.840.10008.1.1")
    opened = entity.associate("127.0.0.1", port, ae_title=called, **options)
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()


def store(port: int, files: Sequence[bytes], **options: Any) -> list[int | None]:
    """Send files by C-STORE; return a status each, None where no answer came."""
    statuses: list[int | None] = []
    with association(port, **options) as opened:
        for content in files:
            if not opened.is_established:
                statuses.append(None)
                continue
            answer = opened.send_c_store(dcmread(DicomBytesIO(content)))
            statuses.append(int(answer.Status) if "Status" in answer else None)
    return statuses


def multipart(files: Sequence[bytes], boundary: str = "of-the-test") -> tuple[bytes, str]:
    """Return the body and the content type of a STOW-RS request."""
    parts = (
        f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + one + b"\r\n"
        for one in files
    )
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, f'multipart/related; type="application/dicom"; boundary={boundary}'


def stow(port: int, files: Sequence[bytes], **headers: str) -> requests.Response:
    """Send files by STOW-RS."""
    body, kind = multipart(files)
    return requests.post(
        f"http://127.0.0.1:{port}/dicom-web/studies",
        data=body,
        headers={"Content-Type": kind, **headers},
        timeout=30,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition; fail if it does not come true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


class Archive:
    """A destination: a Storage SCP that keeps the order in which objects came."""

    def __init__(self, port: int = 0) -> None:
        self.received: list[str] = []
        self.classes: list[str] = []
        self.status = 0x0000
        self.port = port
        self._server: Any = None

    def start(self, tls: ssl.SSLContext | None = None) -> None:
        entity = AE(ae_title="ARCHIVE")
        for kind in (SR, SC):
            entity.add_supported_context(kind)
        self._server = entity.start_server(
            ("127.0.0.1", self.port),
            block=False,
            ssl_context=tls,
            evt_handlers=[(evt.EVT_C_STORE, self._store)],
        )
        self.port = self._server.server_address[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            for one in self._server.active_associations:
                one.abort()
            self._server = None

    def _store(self, event: evt.Event) -> int:
        if self.status == 0:
            request: Any = event.request
            self.received.append(str(request.AffectedSOPInstanceUID))
            self.classes.append(str(request.AffectedSOPClassUID))
        return self.status


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def associate_request(calling: str = "TESTSCU", called: str = CALLED) -> bytes:
    """Return an A-ASSOCIATE-RQ PDU for C-STORE of computed radiographs."""

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(content)) + content

    context = b"\x01\0\0\0" + item(0x30, CR.encode()) + item(0x40, EXPLICIT.encode())
    user = item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4")
    body = (
        struct.pack(">HH16s16s32x", 1, 0, called.ljust(16).encode(), calling.ljust(16).encode())
        + item(0x10, b"1.2.840.10008.3.1.1.1")
        + item(0x20, context)
        + item(0x50, user)
    )
    return struct.pack(">BxI", 1, len(body)) + body


def closes_within(connection: socket.socket, seconds: float) -> bool:
    """Say whether the other side hangs up in time."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def in_thread(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread
