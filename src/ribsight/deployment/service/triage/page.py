"""The page's own files, as they lie in `static/`; they hold nothing of a patient."""

from importlib import resources

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import RedirectResponse

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    # A page of yesterday with the service of today would be two halves.
    "Cache-Control": "no-cache",
}
PREFIX = "/triage/"


def page_router() -> APIRouter:
    """Return the routes of the page: `/triage/` and its files."""
    folder = resources.files("ribsight.deployment.service.triage") / "static"
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    @router.get(PREFIX.rstrip("/"))
    def start() -> Response:
        return RedirectResponse("triage/", 307)

    @router.get(PREFIX + "{name:path}")
    def file(name: str) -> Response:
        name = name or "index.html"
        ending = name[name.rfind(".") :]
        if name not in files or ending not in _TYPES:
            raise HTTPException(404, "no such file")
        return Response(files[name], media_type=_TYPES[ending], headers=HEADERS)

    return router
