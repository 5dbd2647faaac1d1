"""End a job from outside: cancel it, or erase it with everything it consists of.

Both are one write that no writer of the job survives: a worker notices at its next renewal, and its own writes are
refused. A cancelled job stays until its retention ends; an erased one is gone for whoever asks.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from claimcheck import representation, writes
from claimcheck.blobs import Blobs
from claimcheck.erasing import bury, erase_content
from claimcheck.errors import (
    BlobsUnavailable,
    ConditionFailed,
    JobHasEnded,
    JobNotFound,
    RecordMissing,
    RecordsUnavailable,
    Unauthenticated,
)
from claimcheck.job import Job, Status, is_job_id
from claimcheck.records import Records
from claimcheck.representation import Answer, JobView, Urls
from claimcheck.settings import Settings
from claimcheck.web import response
from claimcheck.web.access import Access
from claimcheck.web.finding import find_job, no_such_job
from claimcheck.web.openapi import JobId, problems

log = logging.getLogger(__name__)

ROUNDS = 10  # A record is written a few times in its life.


class Endings:
    """Ends jobs of the caller's tenant."""

    def __init__(self, settings: Settings, access: Access, records: Records, blobs: Blobs) -> None:
        self._access, self._records, self._blobs = access, records, blobs
        self._retention_s = settings.job.retention_s
        self.urls = Urls(status=settings.web.status_url)

    async def cancel(self, request: Request, job_id: str) -> Job:
        """The cancelled job, whoever cancelled it. Raises Unauthenticated, JobNotFound, JobHasEnded."""
        tenant = self._tenant(request, job_id)
        for _ in range(ROUNDS):
            try:
                job = await self._records.write(tenant, job_id, writes.cancel(self._retention_s, datetime.now(UTC)))
            except RecordMissing as cause:
                raise no_such_job() from cause
            except ConditionFailed:
                ended = await self._ended(tenant, job_id)
                if ended is not None:
                    return ended
            else:
                log.info("job.cancelled", extra={"job_id": job_id, "task": job.task, "stage": job.stage})
                return job
        raise RecordsUnavailable(f"the job changed {ROUNDS} times while it was cancelled")

    async def _ended(self, tenant: str, job_id: str) -> Job | None:
        """Why cancelling was refused: the job is cancelled already, perhaps by our own write, or raises what to say.

        None: it has not ended, so this is another job by now, after the old one expired and its key came again.
        """
        record = await find_job(self._records, tenant, job_id)
        if not record.ended:
            return None
        if record.status != Status.CANCELLED:
            raise JobHasEnded(f"the job is {record.status}; only a queued or running one can be cancelled")
        return record

    async def erase(self, request: Request, job_id: str) -> None:
        """Leave nothing of the job but its tombstone. Raises Unauthenticated, JobNotFound, DependencyUnavailable.

        A job that was erased before is wiped again, since the first wipe may have failed, and is not found.
        """
        tenant = self._tenant(request, job_id)
        buried = await self._bury(tenant, job_id)
        await erase_content(self._records, self._blobs, tenant, job_id)
        if not buried:
            raise no_such_job()
        log.info("job.erased", extra={"job_id": job_id})

    async def _bury(self, tenant: str, job_id: str) -> bool:
        """Put a tombstone in the record's place; False if one was there. Raises JobNotFound."""
        try:
            return await bury(self._records, tenant, job_id)
        except RecordMissing as cause:
            raise no_such_job() from cause

    def _tenant(self, request: Request, job_id: str) -> str:
        tenant = self._access.tenant(request.headers)
        if not is_job_id(job_id):
            raise no_such_job()
        return tenant


def ending_routes(endings: Endings) -> APIRouter:
    """Cancel and erase."""
    router = APIRouter(tags=["jobs"])

    @router.post(
        "/v1/jobs/{job_id}/cancel",
        summary="Cancel a job that has not ended",
        response_model=JobView,
        responses=problems(Unauthenticated, JobNotFound, JobHasEnded, RecordsUnavailable),
    )
    async def cancel_job(job_id: JobId, request: Request) -> Response:
        job = await endings.cancel(request, job_id)
        return response(Answer(200, representation.view(job, task=None, urls=endings.urls, now=datetime.now(UTC))))

    @router.delete(
        "/v1/jobs/{job_id}",
        status_code=204,
        summary="Cancel a job and erase it, its file and its result",
        responses=problems(Unauthenticated, JobNotFound, BlobsUnavailable, RecordsUnavailable),
    )
    async def delete_job(job_id: JobId, request: Request) -> Response:
        await endings.erase(request, job_id)
        return Response(status_code=204)

    return router
