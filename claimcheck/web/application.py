"""An HTTP program before it has routes of its own: documents, problems, CORS, health."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from claimcheck.health import Health
from claimcheck.settings import WebSettings
from claimcheck.web import add_cors, add_error_handlers, health_routes
from claimcheck.web.openapi import describe, operation_id

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def new_application(
    title: str, description: str, *, lifespan: Lifespan, health: Health, settings: WebSettings
) -> FastAPI:
    """The application. Its `/docs` loads nothing from elsewhere: the page beside it may hold an API key."""
    app = FastAPIOffline(
        title=title,
        version="1",
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.state.stopping = health.stopping
    describe(app, description)
    add_error_handlers(app)
    add_cors(app, settings)
    app.include_router(health_routes(health))
    return app
