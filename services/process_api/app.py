"""Wire the process API together: settings in, an ASGI application out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from claimcheck.announcing import Announcer
from claimcheck.blobs import Blobs
from claimcheck.health import Check, Health
from claimcheck.messaging import Queues
from claimcheck.records import Records
from claimcheck.settings import Settings
from claimcheck.tasks import QueueKind, catalogue
from claimcheck.web.access import Access
from claimcheck.web.answering import Answers
from claimcheck.web.application import new_application
from claimcheck.web.results import Results
from claimcheck.web.waiting import Waiting
from services.process_api.accept import Intake
from services.process_api.admission import Admission
from services.process_api.earlier import EarlierJobs
from services.process_api.ending import Endings, ending_routes
from services.process_api.operator.bulk import Bulk
from services.process_api.operator.replaying import Replayer
from services.process_api.operator.routes import Desk, operator_routes
from services.process_api.page import add_page
from services.process_api.routes import submission_routes
from services.process_api.submission import Submissions


def create_app(settings: Settings) -> FastAPI:
    """The application; it connects when it starts, not when it is made."""
    timeout_s = settings.web.dependency_timeout_s
    records = Records(settings.records, timeout_s=timeout_s)
    uploads = Blobs(settings.blobs, timeout_s=timeout_s, block_timeout_s=settings.web.block_timeout_s)
    blobs = Blobs(settings.blobs, timeout_s=timeout_s)
    queues = Queues(settings.queue, timeout_s=timeout_s)
    health = Health({"records": records.ping, "storage": blobs.ping, "queue": _first_queues(queues)})

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as opened:
            for client in (uploads, blobs, records, queues):
                opened.push_async_callback(client.close)
            await opened.enter_async_context(health.watching())
            yield

    app = new_application(
        "Claimcheck process API",
        "Hand in a file, get a claim ticket at once. Where a job stands, the status API says.",
        lifespan=lifespan,
        health=health,
        settings=settings.web,
    )
    access, intake = Access(settings.web), Intake(settings.job, uploads, records, Announcer(records, queues))
    admission = Admission(settings.web.uploads_per_tenant, of_all=settings.web.uploads)
    results = Results(records, blobs)
    submissions = Submissions(settings, access, intake, admission=admission, earlier=EarlierJobs(records, results))
    answers = Answers(results, settings.web)
    waiting = Waiting(records, limit=settings.web.waiters, stopping=health.stopping)
    app.include_router(submission_routes(submissions, settings.web, answers, waiting))
    replayer = Replayer(intake, records)
    bulk = Bulk(records, replayer, health.stopping)
    app.include_router(operator_routes(Desk(settings, access, admission, records, replayer, bulk)))
    app.include_router(ending_routes(Endings(settings, access, records, blobs)))
    add_page(app, settings)
    return app


def _first_queues(queues: Queues) -> Check:
    """Ask the queues that new jobs go to."""
    kinds: list[QueueKind] = sorted({task.stages[0].queue for task in catalogue().values()})

    async def check() -> None:
        await asyncio.gather(*(queues.ping(kind) for kind in kinds))

    return check
