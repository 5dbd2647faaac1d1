"""Serve the web page: static files without a build step, and what they must know of this installation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

from claimcheck.languages import WHISPER_LANGUAGES
from claimcheck.offering import offered
from claimcheck.settings import Settings
from claimcheck.tasks import Task, catalogue

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
FOLDER = Path(__file__).resolve().parents[2] / "web"


def add_page(app: FastAPI, settings: Settings) -> None:
    """The page at `/`, and its configuration at `/page.json`."""
    web = settings.web

    @app.get("/page.json", include_in_schema=False)
    async def configuration() -> dict[str, object]:
        return {
            "status_url": web.status_url,
            "max_upload_bytes": web.max_upload_bytes,
            "needs_key": bool(web.keys),
            "languages": sorted(WHISPER_LANGUAGES),
            "tasks": shown_tasks(catalogue(), settings),
        }

    app.mount("/", _Page(policy(web.status_url), tuple(app.routes)), name="page")


def shown_tasks(tasks: Mapping[str, Task], settings: Settings) -> list[dict[str, object]]:
    """What the page is told of each task. `lacks_model`: it needs one, and this API knows none that could do it."""
    offer = offered(tasks.values(), settings.speech, settings.language)
    demonstrations = {model.id for model in offer.data if model.demonstration}
    limits = _limits(settings)
    return [
        {
            "name": task.name,
            "inputs": task.inputs,
            "media_types": task.media_types,
            "max_bytes": min(settings.web.max_upload_bytes, limits.get(task.name, settings.web.max_upload_bytes)),
            "models": [{"name": name, "demonstration": name in demonstrations} for name in task.models or ()],
            "lacks_model": bool(tasks[task.name].needs) and not task.models,
        }
        for task in offer.tasks
    ]


def _limits(settings: Settings) -> Mapping[str, int]:
    """What a task's worker takes of a file, in bytes, where that is less than an upload may have."""
    return {
        "complete": settings.language.max_prompt_bytes,
        "describe": settings.documents.max_image_bytes,
        "summarize": settings.documents.max_document_bytes,
    }


def policy(status_url: str) -> str:
    """No script or style but ours; calls to the two APIs alone; pictures and sound are ours or the visitor's own."""
    status = "{0.scheme}://{0.netloc}".format(urlsplit(status_url))  # A path would have to match as a whole.
    return (
        f"default-src 'self'; connect-src 'self' {status}; img-src 'self' blob:; media-src blob:; object-src 'none';"
        " form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )


def _allowed(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """The methods that the routes take at this address, if it is one of theirs and only its method is not."""
    if not any(route.matches(scope)[0] is Match.PARTIAL for route in routes):
        return []
    return [m for m in _METHODS if any(r.matches({**scope, "method": m})[0] is Match.FULL for r in routes)]


class _Page(StaticFiles):
    """Static files with a policy: no script but ours runs, and the page calls nobody but the two APIs."""

    def __init__(self, policy: str, routes: Sequence[BaseRoute]) -> None:
        """`routes`: those that come before the files. What they refuse for its method comes here, and is no file."""
        super().__init__(directory=FOLDER, html=True)
        self._routes = routes
        self._headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cache-control", b"no-cache"),
        ]

    async def get_response(self, path: str, scope: Scope) -> Response:
        # Starlette would redirect `/js/..` to an address made of the Host header.
        if path == "." and not scope["path"].endswith("/"):
            raise HTTPException(404)
        return await super().get_response(path, scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        if allowed := _allowed(self._routes, scope):
            raise HTTPException(405, headers={"Allow": ", ".join(allowed)})
        await super().__call__(scope, receive, send_with_policy)
