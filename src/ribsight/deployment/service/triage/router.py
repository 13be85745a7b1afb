"""The routes of triage: the page, and what it asks."""

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Query, Response
from fastapi.responses import JSONResponse

from ribsight import __version__
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.triage.desk import Desk
from ribsight.deployment.service.triage.gather import gather
from ribsight.deployment.service.triage.listed import ImageState, Order
from ribsight.deployment.service.triage.listed import Query as WorklistQuery
from ribsight.deployment.service.triage.messages import Reader, SentReview, page_message
from ribsight.deployment.service.triage.page import page_router
from ribsight.deployment.service.triage.worklist import worklist
from ribsight.regions.formats.coco import coco_document

ImageId = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
AskedReader = Annotated[Reader, Query()]
_YES_NO = {"": None, "yes": True, "no": False}


def triage_router(context: Context) -> APIRouter:
    """Return the routes; whoever includes them has authenticated the request."""
    desk = Desk(context)
    router = APIRouter()
    router.include_router(page_router())
    router.include_router(_lists(context))
    router.include_router(_images(desk))
    router.add_event_handler("shutdown", desk.close)
    return router


def own_page(
    x_ribsight: Annotated[str | None, Header()] = None,
    sec_fetch_site: Annotated[str, Header()] = "same-origin",
) -> None:
    """Let nobody but the page change anything: no form and no other site can send this header.

    Raises:
        HTTPException: 403.
    """
    if not x_ribsight or sec_fetch_site not in ("same-origin", "none"):
        raise HTTPException(403, "reviews are saved by the page of this service only")


def _lists(context: Context) -> APIRouter:
    router = APIRouter(prefix="/api")

    @router.get("/about")
    def about() -> dict[str, Any]:
        identity = context.detector.identity
        return {
            "version": __version__,
            "findings": context.detector.findings,
            "model": {"name": identity.name, "sha256": identity.sha256},
        }

    @router.get("/worklist")
    def get_worklist(
        reader: AskedReader,
        finding: Annotated[str, Query(max_length=64)] = "",
        certainty: Annotated[str, Query(pattern="^(confident|doubtful|none)?$")] = "",
        state: ImageState | None = None,
        read: Annotated[str, Query(pattern="^(yes|no)?$")] = "",
        since: date | None = None,
        until: date | None = None,
        order: Order = Order.SCORE,
        offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        query = WorklistQuery(
            reader=reader,
            finding=finding,
            certainty=certainty,
            state=state,
            read=_YES_NO[read],
            since=_midnight(since),
            until=_midnight(until and until + timedelta(days=1)),
            order=order,
            offset=offset,
            limit=limit,
        )
        with context.store.reading() as connection:
            page = worklist(connection, query, context.detector.levels)
        return page_message(page, offset)

    @router.get("/regions.coco.json")
    def regions(reader: Annotated[list[Reader] | None, Query()] = None) -> Response:
        readers: Sequence[str] = reader or ()
        with context.store.reading() as connection:
            feedback = gather(connection, context.detector.findings, readers)
        name = f"regions-{time.strftime('%Y-%m-%d')}.coco.json"
        return JSONResponse(
            coco_document(feedback.annotations()),
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return router


def _images(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/api/images/{image}")

    @router.get("")
    def get_image(image: ImageId, reader: AskedReader) -> dict[str, Any]:
        return desk.image(image, reader)

    @router.get("/pixels")
    def get_pixels(image: ImageId) -> Response:
        film = desk.film(image)
        low, high = film.window
        headers = {
            "X-Width": str(film.width),
            "X-Height": str(film.height),
            "X-Scale": f"{film.scale:.6g}",
            "X-Window": f"{low},{high}",
        }
        return Response(film.samples, media_type="application/octet-stream", headers=headers)

    @router.get("/heat/{finding}")
    def get_heat(image: ImageId, finding: Annotated[str, Path(max_length=64)]) -> Response:
        return Response(desk.heat(image, finding), media_type="image/png")

    @router.post("/reviews", dependencies=[Depends(own_page)])
    def post_review(image: ImageId, sent: SentReview) -> Response:
        review, is_new = desk.review(image, sent)
        return JSONResponse(review, 201 if is_new else 200)

    return router


def _midnight(day: date | None) -> float | None:
    """Return when a day begins where the service is, seconds since 1970."""
    return datetime(day.year, day.month, day.day).timestamp() if day else None
