"""What both HTTP programs share: problem documents, health routes, CORS, who may listen where. No route of a job."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import random
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from claimcheck.errors import PROBLEM_TYPE, ClaimcheckError, DependencyUnavailable, Unauthenticated
from claimcheck.health import Health
from claimcheck.representation import CACHING, Answer
from claimcheck.settings import WebSettings
from claimcheck.web.openapi import PROBLEM_MEDIA_TYPE

log = logging.getLogger(__name__)

EXPOSED_HEADERS = (
    *("Location", "Operation-Location", "Retry-After", "ETag", "Link", "Content-Disposition"),
    *("Preference-Applied", "WWW-Authenticate"),
)
BUSY_RETRY_AFTER_S = 5


def response(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    """An answer as the framework sends it; `headers` come on top."""
    together = {"Cache-Control": CACHING, **answer.headers, **(headers or {})}
    if answer.status == 304:
        return Response(status_code=304, headers=together)
    return JSONResponse(answer.body, status_code=answer.status, headers=together)


def problem(status: int, slug: str, title: str, detail: str, **extra: Any) -> JSONResponse:
    """A problem document (RFC 9457). 429 and 503 say when to come back, with jitter: not everyone at once."""
    retry_after_s = BUSY_RETRY_AFTER_S + random.randint(0, BUSY_RETRY_AFTER_S)
    headers = {"Cache-Control": CACHING, **({"Retry-After": str(retry_after_s)} if status in (429, 503) else {})}
    body = {"type": PROBLEM_TYPE + slug, "title": title, "status": status, "detail": detail, **extra}
    return JSONResponse(body, status_code=status, media_type=PROBLEM_MEDIA_TYPE, headers=headers)


def add_error_handlers(app: FastAPI) -> None:
    """Turn every exception into a problem document; the one place where an error becomes HTTP."""

    @app.exception_handler(ClaimcheckError)
    async def _ours(request: Request, error: ClaimcheckError) -> Response:
        if not error.slug:  # Of the errors that never leave the services, one did.
            return await _unexpected(request, error)
        if isinstance(error, DependencyUnavailable):
            log.warning("request.unavailable", extra={"path": request.url.path, "detail": error.detail})
        answer = problem(error.status, error.slug, error.title, error.detail, **error.extra)
        if isinstance(error, Unauthenticated):
            answer.headers["WWW-Authenticate"] = challenge(error.fault)
        return answer

    @app.exception_handler(HTTPException)
    async def _frameworks(request: Request, error: HTTPException) -> Response:
        phrase = HTTPStatus(error.status_code).phrase
        answer = problem(error.status_code, phrase.lower().replace(" ", "-"), phrase, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def _parameters(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        detail = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        return problem(400, "malformed-request", "The request is malformed", detail)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> Response:
        log.error("request.failed", exc_info=error, extra={"path": request.url.path})
        return problem(500, "internal-error", "An internal error", "The error is logged; try again later.")


def challenge(fault: str) -> str:
    """What a 401 asks for (RFC 6750, 3). `fault` is its error code; without any key there is none to tell."""
    return f'Bearer realm="claimcheck", error="{fault}"' if fault else 'Bearer realm="claimcheck"'


def add_cors(app: FastAPI, settings: WebSettings) -> None:
    """Let the listed origins call, and the page that the process API serves, without credentials."""
    page = "{0.scheme}://{0.netloc}".format(urlsplit(settings.process_url))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[*settings.origins, page],
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=EXPOSED_HEADERS,
        max_age=600,
    )


def check_host(settings: WebSettings) -> None:
    """Refuse to serve strangers without keys. Raises SystemExit with what to do."""
    if settings.host == "localhost" or settings.keys or settings.allow_anonymous:
        return
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(settings.host).is_loopback:
            return
    raise SystemExit(
        f"CLAIMCHECK_WEB__HOST is {settings.host}: beyond loopback anyone could submit jobs, since there are no keys."
        " Set CLAIMCHECK_WEB__KEYS (see `claimcheck key`), or CLAIMCHECK_WEB__ALLOW_ANONYMOUS=true if that is meant."
    )


_READINESS: dict[str, Any] = {"content": {"application/json": {"schema": {"type": "object", "required": ["status"]}}}}


def health_routes(health: Health) -> APIRouter:
    """/healthz and /readyz."""
    router = APIRouter(tags=["health"])

    @router.head("/healthz", include_in_schema=False)
    @router.get("/healthz", summary="Alive; asks nobody")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.head("/readyz", include_in_schema=False)
    @router.get(
        "/readyz",
        summary="Ready, and what is degraded",
        responses={503: {"description": "A dependency has not answered yet, or the server stops.", **_READINESS}},
    )
    async def readyz() -> Response:
        return response(health.answer())

    return router
