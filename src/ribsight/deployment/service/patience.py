"""A server of pynetdicom that loses patience: with silence, with trickles, with too much.

pynetdicom waits for the rest of a PDU for ever, believes any length of one, and does a TLS
handshake before it takes the next call. Here a PDU has to come within a time and below a size, an
object too, and a handshake keeps nobody else waiting.
"""

import socket
import ssl
import time
from pathlib import Path
from socketserver import BaseServer
from typing import Any, cast

from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from ribsight.deployment.service.settings import DicomSettings

_MOST_PDU = 1 << 20
_P_DATA = 4
_SPARE_CONNECTIONS = 10


class _ImpatientError(Exception):
    """Ends an association with an A-ABORT; an OSError would end it without a word."""


class _Socket(AssociationSocket):
    """A connection with limits, set by `limited`."""

    settings: DicomSettings
    object_bytes: int
    object_started: float | None

    def recv(self, nr_bytes: int) -> bytearray:
        """Return the next bytes: six that start a PDU, or the rest of one."""
        try:
            return self._received(nr_bytes)
        except _ImpatientError as error:
            if self.assoc.is_established:
                raise
            # Before, pynetdicom would keep the connection while it waits for a request.
            self._shutdown_socket()
            raise ConnectionAbortedError(str(error)) from error

    def _received(self, nr_bytes: int) -> bytearray:
        if nr_bytes > _MOST_PDU:
            raise _ImpatientError("a PDU larger than any that was agreed on")
        connection = cast(socket.socket, self.socket)
        content = bytearray(nr_bytes)
        rest = memoryview(content)
        until = time.monotonic() + self.settings.idle_seconds
        while rest:
            left = min(until, self._object_until()) - time.monotonic()
            if left <= 0:
                raise _ImpatientError("too slow")
            connection.settimeout(left)
            try:
                got = connection.recv_into(rest)
            except TimeoutError as error:
                raise _ImpatientError("too slow") from error
            if not got:
                return content[: len(content) - len(rest)]
            rest = rest[got:]
        # What is sent must be taken, too.
        connection.settimeout(self.settings.idle_seconds)
        self._count(content)
        return content

    def _object_until(self) -> float:
        if self.object_started is None:
            return float("inf")
        return self.object_started + self.settings.object_seconds

    def _count(self, content: bytearray) -> None:
        if len(content) == 6 and content[0] == _P_DATA and self.object_started is None:
            self.object_started = time.monotonic()
        self.object_bytes += len(content)
        if self.object_bytes > self.settings.object_megabytes * 1e6:
            raise _ImpatientError("an object larger than this node takes")


def forget_message(event: Event) -> None:
    """Start to count anew: a message has come to its end."""
    connection = event.assoc.dul.socket
    if isinstance(connection, _Socket):
        connection.object_bytes, connection.object_started = 0, None


def _drop_unfinished(association: Association) -> None:
    message = association.dimse.message
    unfinished = None if message is None else message._data_set_path
    if isinstance(unfinished, Path):
        unfinished.unlink(missing_ok=True)


class _Handler(RequestHandler):
    server: "PatientServer"

    def _create_association(self) -> Association:
        association = super()._create_association()
        connection = association.dul.socket
        assert connection is not None
        # It is made within a longer function; a class of our own cannot be handed in.
        connection.__class__ = _Socket
        limited = cast(_Socket, connection)
        limited.settings = self.server.settings
        limited.object_bytes, limited.object_started = 0, None
        self.server.followed.append(association)
        return association


class PatientServer(ThreadedAssociationServer):
    """The server; `limit` comes before `serve_forever`."""

    daemon_threads = True
    block_on_close = False
    settings: DicomSettings

    def limit(self, settings: DicomSettings) -> None:
        """Set the limits."""
        self.settings = settings
        self.RequestHandlerClass = _Handler
        self.followed: list[Association] = []

    def service_actions(self) -> None:
        """Delete what was half received by associations that have ended; called often."""
        super().service_actions()
        for one in list(self.followed):
            if one.ident is not None and not one.is_alive() and not one.dul.is_alive():
                self.followed.remove(one)
                _drop_unfinished(one)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Take a connection; a handshake follows in its thread."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.settimeout(self.settings.idle_seconds)
        if self.ssl_context:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Say whether there is room for one more, if only to be told that there are too many."""
        return len(self.active_associations) < self.settings.associations + _SPARE_CONNECTIONS

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, then start an association."""
        if isinstance(request, ssl.SSLSocket):
            try:
                request.do_handshake()
            except OSError:
                self.shutdown_request(request)
                return
        super().finish_request(request, client_address)

    def shutdown(self) -> None:
        """Take no more connections; pynetdicom's own way needs another way of starting."""
        BaseServer.shutdown(self)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: what a stranger sent is no error of this service."""
