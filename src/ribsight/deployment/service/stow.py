"""STOW-RS: DICOM files in a multipart request, each accepted as it ends (PS3.18, 10.5)."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from sqlalchemy.exc import SQLAlchemyError

from ribsight.deployment.service.access import TooLargeError
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.file_meta import FileMeta
from ribsight.deployment.service.folder import new_incoming
from ribsight.deployment.service.intake import Accepted, Failure, RefusedError, accept
from ribsight.deployment.service.logs import told

_LOG = logging.getLogger(__name__)
_MOST_PARTS = 2000
_CLASS, _INSTANCE, _REASON = "00081150", "00081155", "00081197"
_STORED, _FAILED = "00081199", "00081198"
_RETRY = {"Retry-After": "60"}


def stow_router(context: Context) -> APIRouter:
    """Return the routes that take DICOM files."""
    router = APIRouter(prefix="/dicom-web")

    @router.post("/studies")
    @router.post("/studies/{study}")
    async def store(request: Request) -> JSONResponse:
        boundary = _boundary(request.headers.get("content-type", ""))
        if await run_in_threadpool(context.room.is_full):
            raise _full()
        stored: list[Accepted] = []
        failed: list[RefusedError] = []
        async for path in _files(context, boundary, request):
            result = await run_in_threadpool(_accept, context, path)
            if isinstance(result, Accepted):
                stored.append(result)
            else:
                failed.append(result)
        if not stored and not failed:
            raise HTTPException(400, "the request holds no part")
        return _answer(stored, failed)

    return router


def _full() -> HTTPException:
    return HTTPException(507, "the disk is nearly full: nothing new is accepted", _RETRY)


def _boundary(content_type: str) -> bytes:
    """Return the boundary of a multipart/related request of DICOM files."""
    header = Message()
    header["content-type"] = content_type
    kind = str(header.get_param("type", "application/dicom")).lower()
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/related" or kind != "application/dicom":
        raise HTTPException(415, 'send multipart/related; type="application/dicom"')
    if not isinstance(boundary, str) or not boundary.isascii():
        raise HTTPException(400, "the request names no boundary")
    return boundary.encode()


@dataclass
class _Parts:
    """Parts of a request on their way to files."""

    context: Context
    limit: int
    open: tuple[IO[bytes], Path] | None = None
    written: int = 0
    count: int = 0
    is_ended: bool = False
    whole: list[Path] = field(default_factory=list)

    def begin(self) -> None:
        self.count += 1
        if self.count > _MOST_PARTS:
            raise TooLargeError
        self.open = new_incoming(self.context.folder)
        self.written = 0

    def data(self, content: bytes, start: int, end: int) -> None:
        assert self.open is not None
        self.written += end - start
        if self.written > self.limit:
            raise TooLargeError
        self.open[0].write(memoryview(content)[start:end])

    def end(self) -> None:
        assert self.open is not None
        stream, path = self.open
        stream.close()
        self.open = None
        self.whole.append(path)

    def finish(self) -> None:
        self.is_ended = True

    def taken(self) -> Iterator[Path]:
        """Yield what came to its end, each once; its file is gone afterwards."""
        while self.whole:
            path = self.whole.pop(0)
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Drop what did not come to its end."""
        if self.open is not None:
            self.open[0].close()
            self.whole.append(self.open[1])
        for path in self.whole:
            path.unlink(missing_ok=True)


async def _files(context: Context, boundary: bytes, request: Request) -> AsyncIterator[Path]:
    parts = _Parts(context, int(context.settings.http.object_megabytes * 1e6))
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": parts.begin,
            "on_part_data": parts.data,
            "on_part_end": parts.end,
            "on_end": parts.finish,
        },
    )
    try:
        async for block in request.stream():
            parser.write(block)
            for path in parts.taken():
                yield path
    except FormParserError as error:
        raise HTTPException(400, "the request is no multipart message") from error
    except OSError as error:
        _LOG.error("cannot take an upload: %s", told(error))
        raise _full() from error
    finally:
        with suppress(OSError):
            parts.close()
    if not parts.is_ended:
        raise HTTPException(400, "the request ends within a part")


def _accept(context: Context, path: Path) -> Accepted | RefusedError:
    try:
        return accept(context, path, "stow", "http")
    except RefusedError as refusal:
        _LOG.warning("refused an object: %s", refusal)
        return refusal
    except (OSError, SQLAlchemyError) as error:
        _LOG.error("cannot take an object: %s", told(error))
        return RefusedError(Failure.OUT_OF_RESOURCES, "it could not be kept")


def _answer(stored: list[Accepted], failed: list[RefusedError]) -> JSONResponse:
    document: dict[str, Any] = {}
    if stored:
        document[_STORED] = {"vr": "SQ", "Value": [_named(one.meta) for one in stored]}
    if failed:
        document[_FAILED] = {
            "vr": "SQ",
            "Value": [
                {**_named(one.meta), _REASON: {"vr": "US", "Value": [int(one.failure)]}}
                for one in failed
            ],
        }
    full = bool(failed) and all(one.failure is Failure.OUT_OF_RESOURCES for one in failed)
    status = 200 if not failed else 202 if stored else 507 if full else 409
    headers = _RETRY if status == 507 else None
    return JSONResponse(document, status, headers, media_type="application/dicom+json")


def _named(meta: FileMeta | None) -> dict[str, Any]:
    named: dict[str, Any] = {}
    if meta is not None and meta.sop_class:
        named[_CLASS] = {"vr": "UI", "Value": [meta.sop_class]}
    if meta is not None and meta.instance_uid:
        named[_INSTANCE] = {"vr": "UI", "Value": [meta.instance_uid]}
    return named
