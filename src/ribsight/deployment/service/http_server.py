"""uvicorn in a thread, with patience for so many connections and so much silence."""

import asyncio
import socket
import threading
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from ribsight.deployment.service.settings import HttpSettings
from ribsight.deployment.service.tls import server_context
from ribsight.errors import RibsightError

_START_SECONDS = 30.0
_SPARE_CONNECTIONS = 32
_BACKLOG = 256


class HttpServer:
    """The HTTP server, which listens as soon as it is made."""

    def __init__(self, app: FastAPI, settings: HttpSettings, stop_seconds: float):
        """Bind the port, and answer with `app` once `start` is called.

        Raises:
            RibsightError: the port is taken, or a certificate cannot be used.
        """
        self._socket = _bound(settings)
        config = uvicorn.Config(
            app,
            http=_protocol(settings),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=settings.connections,
            timeout_graceful_shutdown=max(int(stop_seconds), 1),
        )
        config.load()
        if settings.tls:
            config.ssl = server_context(settings.tls)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="ribsight-http", daemon=True
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    @property
    def is_alive(self) -> bool:
        """Whether it answers."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Answer."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests; those there are may end."""
        self._server.should_exit = True

    def join(self, seconds: float) -> None:
        """Wait until all requests have ended."""
        self._thread.join(seconds)


def _bound(settings: HttpSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise RibsightError(
            f"cannot listen for HTTP on {settings.host}:{settings.port}: {error.strerror}"
        ) from error
    return bound


def _protocol(settings: HttpSettings) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with a time in which the head of a request has to be there.

    What follows the head is `access.py`'s to wait for.
    """

    class Patient(H11Protocol):
        _until_head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > settings.connections + _SPARE_CONNECTIONS:
                transport.abort()
                return
            self._wait_for_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._wait_for_head()

        def _wait_for_head(self) -> None:
            self._stop_waiting()
            self._until_head = self.loop.call_later(settings.idle_seconds, self._hang_up)

        def _stop_waiting(self) -> None:
            if self._until_head is not None:
                self._until_head.cancel()
                self._until_head = None

        def _hang_up(self) -> None:
            if self.cycle is None or self.cycle.response_complete:
                self.transport.abort()

    return Patient
