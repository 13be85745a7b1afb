"""Results out: JSON of an image or a study, DICOM objects of an instance or a study."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from sqlalchemy import ColumnElement, select

from ribsight.deployment.service import tables
from ribsight.deployment.service.context import Context

_DICOM = "application/dicom"
_BLOCK = 1 << 20


def retrieval_router(context: Context) -> APIRouter:
    """Return the routes that hand out results."""
    router = APIRouter()

    @router.get("/results/{image}")
    def of_image(image: str) -> JSONResponse:
        found = _images(context, tables.images.c.id == image)
        if not found:
            raise _not_found()
        return JSONResponse(found[0])

    @router.get("/results")
    def of_study(study: str = "", instance: str = "") -> JSONResponse:
        if bool(study) == bool(instance):
            raise HTTPException(400, "give ?study=UID or ?instance=UID")
        if study:
            wanted = tables.images.c.study == context.keyed("study", study)
        else:
            wanted = tables.images.c.instance == context.keyed("instance", instance)
        return JSONResponse({"images": _images(context, wanted)})

    @router.get("/dicom-web/studies/{study}/series/{series}/instances/{instance}")
    def one_object(study: str, series: str, instance: str) -> FileResponse:
        wanted = (tables.objects.c.series_uid == series) & (
            tables.objects.c.instance_uid == instance
        )
        for path in _paths(context, study, wanted):
            return FileResponse(path, media_type=_DICOM)
        raise _not_found()

    @router.get("/dicom-web/studies/{study}")
    def all_objects(study: str) -> StreamingResponse:
        paths = list(_paths(context, study))
        if not paths:
            raise _not_found()
        boundary = secrets.token_hex(16)
        kind = f'multipart/related; type="{_DICOM}"; boundary={boundary}'
        return StreamingResponse(_multipart(paths, boundary), media_type=kind)

    return router


def _not_found() -> HTTPException:
    return HTTPException(404, "there is no such result here")


def _images(context: Context, wanted: ColumnElement[bool]) -> list[dict[str, Any]]:
    images, jobs, results = tables.images, tables.jobs, tables.results
    query = (
        select(images.c.id, images.c.received_at, jobs.c.state, results)
        .join(jobs, jobs.c.image == images.c.id)
        .outerjoin(results, (results.c.image == images.c.id) & results.c.is_current)
        .where(wanted)
        .order_by(images.c.received_at)
    )
    found = []
    with context.store.reading() as connection:
        for row in connection.execute(query).mappings().all():
            result = row[results.c.id]
            said: dict[str, Any] = {
                "image": row[images.c.id],
                "received_at": row[images.c.received_at],
                "state": row[jobs.c.state],
                "result": None,
            }
            if result is not None:
                objects = connection.execute(
                    select(tables.objects).where(tables.objects.c.result == result)
                ).mappings()
                said["result"] = {
                    "kind": row[results.c.kind],
                    "reason": row[results.c.reason],
                    "model_sha256": row[results.c.model_sha256],
                    "created_at": row[results.c.created_at],
                    "prediction": json.loads(row[results.c.document]) or None,
                    "objects": [
                        {key: one[key] for key in
                         ("sop_class", "series_uid", "instance_uid", "bytes", "sha256")}
                        for one in objects
                    ],
                }  # fmt: skip
            found.append(said)
    return found


def _paths(
    context: Context, study: str, wanted: ColumnElement[bool] | None = None
) -> Iterator[Path]:
    """Yield the files of the current objects of a study."""
    query = (
        select(tables.results.c.image, tables.objects.c.instance_uid)
        .join(tables.results, tables.objects.c.result == tables.results.c.id)
        .join(tables.images, tables.images.c.id == tables.results.c.image)
        .where(tables.results.c.is_current)
        .where(tables.images.c.study == context.keyed("study", study))
        .order_by(tables.objects.c.id)
    )
    if wanted is not None:
        query = query.where(wanted)
    with context.store.reading() as connection:
        rows = connection.execute(query).all()
    for image, instance in rows:
        path = context.folder.result(image, instance)
        if path.is_file():
            yield path


def _multipart(paths: list[Path], boundary: str) -> Iterator[bytes]:
    for path in paths:
        yield f"--{boundary}\r\nContent-Type: {_DICOM}\r\n\r\n".encode()
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
