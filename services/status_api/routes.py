"""The routes of the status API. Short: what an answer says is decided in `claimcheck.representation`."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from claimcheck import representation
from claimcheck.access import Access
from claimcheck.blobs import Blobs
from claimcheck.errors import FormatNotAvailable, JobHasNoResult, JobNotFound
from claimcheck.job import Job, Status
from claimcheck.records import Records
from claimcheck.representation import Urls
from claimcheck.results import Results
from claimcheck.settings import Settings
from claimcheck.tasks import JSON, catalogue
from claimcheck.web import response


class Jobs:
    """The jobs of a tenant, as this API reads them."""

    def __init__(self, settings: Settings, access: Access, records: Records, blobs: Blobs) -> None:
        self._access, self._records = access, records
        self.results = Results(records, blobs)
        self.urls = Urls(status=settings.web.status_url)
        self.poll_s = settings.web.poll_s

    async def find(self, request: Request, job_id: str) -> Job:
        """The caller's job. Raises Unauthenticated, JobNotFound: a malformed id is answered like an unknown one."""
        tenant = self._access.tenant(request.headers)
        try:
            known = str(uuid.UUID(job_id)) == job_id
        except ValueError:
            known = False
        record = await self._records.read(tenant, job_id) if known else None
        if not isinstance(record, Job):
            raise JobNotFound("there is no job with this id; it may have expired")
        return record

    async def shown(self, job: Job, now: datetime) -> Response:
        """The job with its result, as it is polled."""
        result = await self.results.of(job)

        def render() -> Response:
            body = representation.view(job, task=catalogue().get(job.task), urls=self.urls, now=now, result=result)
            return response(representation.polled(job, body, now=now, poll_s=self.poll_s))

        return await _rendered(job, render)


def job_routes(jobs: Jobs) -> APIRouter:
    """Everything that is asked about one job."""
    router = APIRouter(tags=["jobs"])

    @router.get("/v1/jobs/{job_id}", summary="The job: 202 until it has ended, then 200 with the result")
    async def get_job(job_id: str, request: Request) -> Response:
        job, now = await jobs.find(request, job_id), datetime.now(UTC)
        if representation.is_current(job, request.headers.get("if-none-match", "")):
            return response(representation.unchanged(job, now=now, poll_s=jobs.poll_s))
        return await jobs.shown(job, now)

    @router.get("/v1/jobs/{job_id}/result", summary="The result as a file")
    async def get_result(job_id: str, request: Request, format: str = "json") -> Response:
        job = await jobs.find(request, job_id)
        if not job.ended:
            return await jobs.shown(job, datetime.now(UTC))
        return await _file(jobs, job, format)

    @router.get("/v1/operations/{job_id}", summary="The job as a status monitor: always 200")
    async def get_operation(job_id: str, request: Request) -> Response:
        job = await jobs.find(request, job_id)
        return response(representation.operation(job, urls=jobs.urls, now=datetime.now(UTC), poll_s=jobs.poll_s))

    @router.get("/api/status/{job_id}", summary="The job as the reference system shows it")
    async def get_status(job_id: str, request: Request) -> Response:
        job = await jobs.find(request, job_id)
        result, now = await jobs.results.of(job), datetime.now(UTC)
        return await _rendered(
            job, lambda: response(representation.reference_polled(job, result, now=now, poll_s=jobs.poll_s))
        )

    return router


async def _file(jobs: Jobs, job: Job, form: str) -> Response:
    """The result of an ended job in a format. Raises JobHasNoResult, FormatNotAvailable."""
    if job.status != Status.SUCCEEDED:
        error = job.end.error if job.end else None
        raise JobHasNoResult(f"the job is {job.status}", **({"error": error} if error else {}))
    task = catalogue().get(job.task)
    formats = task.formats if task else {"json": JSON}
    if form not in formats:
        raise FormatNotAvailable(f"format is {form[:20]!r}; {job.task} has {', '.join(formats)}", formats=list(formats))
    result = await jobs.results.of(job)
    if result is None:
        raise JobHasNoResult("the job succeeded without a result")

    def render() -> Response:
        headers = representation.download_headers(job, form)
        return Response(formats[form].render(result), media_type=formats[form].media_type, headers=headers)

    return await _rendered(job, render)


async def _rendered(job: Job, render: Callable[[], Response]) -> Response:
    """What `render` makes; in a thread if the result is too large for a record, so that no other request waits."""
    where = job.end.result if job.end else None
    return await asyncio.to_thread(render) if where and where.blob else render()
