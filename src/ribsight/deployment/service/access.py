"""Who may ask the HTTP server for what, before any route sees a request."""

import asyncio
import base64
import binascii
import hmac
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from ribsight.deployment.service.doors import Secrets, is_loopback
from ribsight.deployment.service.settings import HttpSettings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/", "/health", "/triage"})
OPEN_FOLDER = "/triage/"
"""Answered without authentication: they tell of the service, not of images. In the folder are the
files of the page for triage, which asks for a token itself."""

SMALL_BODY = 1 << 20
"""Bytes of a request that is no upload of DICOM."""

_TOO_LARGE = "the request is larger than this service takes"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'self'; img-src 'self' blob: data:; "
     b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)  # fmt: skip


class TooSlowError(HTTPException):
    """A client that takes its time."""

    def __init__(self) -> None:
        super().__init__(408, "the request took too long")


class TooLargeError(HTTPException):
    """A body of more bytes than are taken."""

    def __init__(self) -> None:
        super().__init__(413, _TOO_LARGE)


class AccessControl:
    """ASGI middleware: host names, authentication, origins, encodings, sizes and patience."""

    def __init__(
        self, app: App, settings: HttpSettings, secrets: Secrets, uploads: Iterable[str] = ()
    ):
        """Guard `app`; paths below one of `uploads` may take `request_megabytes`."""
        self._app = app
        self._settings = settings
        self._secrets = secrets
        self._uploads = tuple(uploads)
        names = [*_LOOPBACK_NAMES, *settings.names]
        names += [] if is_loopback(settings.host) else [settings.host]
        self._names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the app answer."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal:
            await _answer(send, *refusal)
            return
        await self._app(scope, self._bounded(scope, receive), _with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[Any, ...] | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        # A page elsewhere may point its own name at this machine (DNS rebinding).
        if name not in self._names:
            return 421, "this host name is not known here (http.names)"
        is_open = scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_FOLDER)
        if not is_open and not self._knows(headers.get(b"authorization", b"")):
            challenge = b'Basic realm="ribsight", charset="UTF-8"'
            scheme = challenge if self._secrets.login else b"Bearer"
            return 401, "a token or a password is needed", [(b"www-authenticate", scheme)]
        if scope["method"] not in _SAFE and not _is_same_origin(headers, host):
            return 403, "pages of other servers may not change anything here"
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            return 415, "a compressed request is not taken"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return 400, "Content-Length is no number"
        if int(length) > self._most(scope["path"]):
            return 413, _TOO_LARGE
        return None

    def _knows(self, authorization: bytes) -> bool:
        if not self._secrets.are_set:
            return True
        scheme, _, said = authorization.partition(b" ")
        if scheme.lower() == b"bearer" and self._secrets.token is not None:
            return hmac.compare_digest(said.strip(), self._secrets.token.encode())
        if scheme.lower() == b"basic" and self._secrets.login is not None:
            try:
                login = base64.b64decode(said.strip(), validate=True)
            except binascii.Error:
                return False
            return hmac.compare_digest(login, ":".join(self._secrets.login).encode())
        return False

    def _most(self, path: str) -> int:
        is_upload = path.startswith(self._uploads)
        return int(self._settings.request_megabytes * 1e6) if is_upload else SMALL_BODY

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        most, taken = self._most(scope["path"]), 0
        until = time.monotonic() + self._settings.object_seconds
        is_whole = False

        async def bounded() -> Message:
            nonlocal taken, is_whole
            if is_whole:  # what is waited for now is the client's leaving
                return await receive()
            left = min(self._settings.idle_seconds, until - time.monotonic())
            try:
                message = await asyncio.wait_for(receive(), max(left, 0))
            except TimeoutError as error:
                raise TooSlowError from error
            taken += len(message.get("body", b""))
            if taken > most:
                raise TooLargeError
            is_whole = message["type"] != "http.request" or not message.get("more_body", False)
            return message

        return bounded


def _is_same_origin(headers: dict[bytes, bytes], host: str) -> bool:
    origin = headers.get(b"origin")
    return origin is None or origin.decode("latin-1").lower().partition("://")[2] == host


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message.get("headers", ())}
            extra = [one for one in _HEADERS if one[0] not in given]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await send(message)

    return sending


async def _answer(
    send: Send, status: int, sentence: str, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    body = (sentence + "\n").encode()
    # What is left of a refused request is not read, so the connection cannot go on.
    start = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close"),
             (b"content-length", str(len(body)).encode()), *headers]  # fmt: skip
    send = _with_headers(send)
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
