"""The routes of the status API. Short: what an answer says is decided in `claimcheck.representation` and `listing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from claimcheck import listing, preferences, representation
from claimcheck.errors import FormatNotAvailable, JobHasNoResult
from claimcheck.job import Job, Status
from claimcheck.model_views import ModelListView
from claimcheck.records import Records
from claimcheck.representation import Answer
from claimcheck.tasks import JSON, catalogue
from claimcheck.web import response
from claimcheck.web.access import Access
from claimcheck.web.answering import Answers, rendered
from claimcheck.web.finding import find_job
from claimcheck.web.openapi import PREFER, JobId
from claimcheck.web.waiting import Waiting
from services.status_api import described

# The answer depends on how long its client would wait, whether or not this one would (RFC 7240, 2).
VARY: Mapping[str, str] = {"Vary": preferences.PREFER}


@dataclass(frozen=True)
class Jobs:
    """The jobs of a tenant, as this API reads them."""

    access: Access
    records: Records
    answers: Answers
    waiting: Waiting

    async def find(self, request: Request, job_id: str) -> Job:
        """The caller's job. Raises Unauthenticated, JobNotFound, RecordsUnavailable."""
        return await find_job(self.records, self.access.tenant(request.headers), job_id)

    async def awaited(
        self, request: Request, job_id: str, done: Callable[[Job], bool]
    ) -> tuple[Job, Mapping[str, str]]:
        """The same once it is `done`, if the request prefers to wait for that; and the headers that say so."""
        job, applied = await self.waiting.as_preferred(request, await self.find(request, job_id), done)
        return job, {**VARY, **applied}


def list_route(jobs: Jobs) -> APIRouter:
    """The caller's jobs."""
    router = APIRouter(tags=["jobs"])

    @router.get(
        "/v1/jobs",
        summary="The caller's jobs, newest first",
        responses=described.LIST,
        openapi_extra={"parameters": listing.described()},
    )
    async def get_jobs(request: Request) -> Response:
        tenant = jobs.access.tenant(request.headers)
        query = listing.read_query(request.query_params.multi_items())
        found = await jobs.records.lists.jobs(tenant, query.wanted, limit=query.limit + 1, after=query.after)
        now = datetime.now(UTC)
        return response(listing.listed(query, found, tasks=catalogue(), urls=jobs.answers.urls, now=now))

    return router


def job_routes(jobs: Jobs) -> APIRouter:
    """Everything that is asked about one job."""
    router = APIRouter(tags=["jobs"])

    @router.get(
        "/v1/jobs/{job_id}",
        summary="The job: 202 until it has ended, then 200 with the result",
        responses=described.JOB,
        openapi_extra=described.JOB_PARAMETERS,
    )
    async def get_job(job_id: JobId, request: Request) -> Response:
        known = request.headers.get("if-none-match", "")

        def is_new(job: Job) -> bool:
            return job.ended or (bool(known) and not representation.is_current(job, known))

        job, headers = await jobs.awaited(request, job_id, is_new)
        if representation.is_current(job, known):
            return jobs.answers.unchanged(job, headers)
        return await jobs.answers.polled(job, headers)

    @router.get(
        "/v1/jobs/{job_id}/result",
        summary="The result as a file",
        responses=described.result(),
        openapi_extra={"parameters": [PREFER]},
    )
    async def get_result(job_id: JobId, request: Request, format: str = "json") -> Response:
        job, headers = await jobs.awaited(request, job_id, lambda job: job.ended)
        if not job.ended:
            return await jobs.answers.polled(job, headers)
        return await _file(jobs, job, format, headers)

    @router.get(
        "/v1/operations/{job_id}",
        summary="The job as a status monitor: always 200",
        responses=described.OPERATION,
    )
    async def get_operation(job_id: JobId, request: Request) -> Response:
        return jobs.answers.operation(await jobs.find(request, job_id))

    @router.get(
        "/api/status/{job_id}", summary="The job as the reference system shows it", responses=described.REFERENCE
    )
    async def get_status(job_id: JobId, request: Request) -> Response:
        return await jobs.answers.reference_polled(await jobs.find(request, job_id))

    return router


def model_route(access: Access, offered: ModelListView) -> APIRouter:
    """What the installation offers, which does not change while the program runs."""
    router = APIRouter(tags=["models"])
    body = offered.model_dump(mode="json", exclude_none=True)

    @router.get("/v1/models", summary="Tasks and models, as OpenAI lists models", responses=described.MODELS)
    async def get_models(request: Request) -> Response:
        access.tenant(request.headers)
        return response(Answer(200, body))

    return router


async def _file(jobs: Jobs, job: Job, form: str, headers: Mapping[str, str]) -> Response:
    """The result of an ended job in a format. Raises JobHasNoResult, FormatNotAvailable."""
    if job.status != Status.SUCCEEDED:
        error = job.end.error if job.end else None
        raise JobHasNoResult(f"the job is {job.status}", **({"error": error} if error else {}))
    task = catalogue().get(job.task)
    formats = task.formats if task else {"json": JSON}
    if form not in formats:
        raise FormatNotAvailable(f"format is {form[:20]!r}; {job.task} has {', '.join(formats)}", formats=list(formats))
    result: dict[str, Any] | None = await jobs.answers.results.of(job)
    if result is None:
        raise JobHasNoResult("the job succeeded without a result")

    def render() -> Response:
        named = {**headers, "Cache-Control": representation.CACHING, **representation.download_headers(job, form)}
        return Response(formats[form].render(result), media_type=formats[form].media_type, headers=named)

    return await rendered(job, render)
