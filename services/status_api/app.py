"""Wire the status API together: settings in, an ASGI application out."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from claimcheck.blobs import Blobs
from claimcheck.health import Health
from claimcheck.offering import offered
from claimcheck.records import Records
from claimcheck.settings import Settings
from claimcheck.tasks import catalogue
from claimcheck.web.access import Access
from claimcheck.web.answering import Answers
from claimcheck.web.application import new_application
from claimcheck.web.results import Results
from claimcheck.web.waiting import Waiting
from services.status_api.routes import Jobs, job_routes, list_route, model_route


def create_app(settings: Settings) -> FastAPI:
    """The application; it connects when it starts, not when it is made."""
    timeout_s = settings.web.dependency_timeout_s
    records = Records(settings.records, timeout_s=timeout_s)
    blobs = Blobs(settings.blobs, timeout_s=timeout_s)
    health = Health({"records": records.ping, "storage": blobs.ping})

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as opened:
            for client in (blobs, records):
                opened.push_async_callback(client.close)
            await opened.enter_async_context(health.watching())
            yield

    app = new_application(
        "Claimcheck status API",
        "Where a job stands, and its result. Files are handed in at the process API.",
        lifespan=lifespan,
        health=health,
        settings=settings.web,
    )
    waiting = Waiting(records, limit=settings.web.waiters, stopping=health.stopping)
    access = Access(settings.web)
    jobs = Jobs(access, records, Answers(Results(records, blobs), settings.web), waiting)
    app.include_router(list_route(jobs))
    app.include_router(job_routes(jobs))
    app.include_router(model_route(access, offered(catalogue().values(), settings.speech, settings.language)))
    return app
