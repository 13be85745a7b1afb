"""The HTTP server's application."""

from dataclasses import asdict

from fastapi import APIRouter, FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy.exc import SQLAlchemyError

from ribsight import __version__
from ribsight.deployment.service.access import AccessControl
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.health import health
from ribsight.deployment.service.metrics import metrics
from ribsight.deployment.service.retrieval import retrieval_router
from ribsight.deployment.service.stow import stow_router
from ribsight.deployment.service.triage.router import triage_router

UPLOADS = ("/dicom-web/studies",)
_METRICS = "text/plain; version=0.0.4; charset=utf-8"


def create_app(context: Context) -> FastAPI:
    """Return the application of a service: health, metrics, and what its routers add."""
    # The documentation pages of FastAPI load from the internet.
    app = FastAPI(title="ribsight", version=__version__, docs_url=None, redoc_url=None)
    app.include_router(_watching(context))
    app.include_router(stow_router(context))
    app.include_router(retrieval_router(context))
    app.include_router(triage_router(context))
    app.add_exception_handler(SQLAlchemyError, _no_database)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_middleware(
        AccessControl,
        settings=context.settings.http,
        secrets=context.secrets,
        uploads=UPLOADS,
    )
    return app


def _watching(context: Context) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    def get_health() -> JSONResponse:
        now = health(context)
        return JSONResponse(asdict(now), 200 if now.ok else 503)

    @router.get("/metrics")
    def get_metrics() -> Response:
        return Response(metrics(context), media_type=_METRICS)

    return router


def _not_understood(_request: object, error: Exception) -> Response:
    # FastAPI's own answer repeats what was sent, which may be no JSON, like NaN.
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    places = (".".join(map(str, one["loc"])) for one in faults)
    said = "; ".join(f"{where}: {one['msg']}" for where, one in zip(places, faults, strict=True))
    return JSONResponse({"detail": said}, 422)


def _no_database(_request: object, _error: Exception) -> Response:
    return PlainTextResponse("the database does not answer\n", 503, {"Retry-After": "10"})
