"""End the jobs that are past their deadline: whatever else went wrong, every job ends."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from claimcheck import writes
from claimcheck.errors import DeadlineExceeded, WriteRefused
from claimcheck.job import End, Job, timestamp
from claimcheck.records import Records
from claimcheck.settings import JobSettings
from services.worker.keeper.failing import Failing

log = logging.getLogger(__name__)

OVERDUE = 1000  # Ended in one round; the next round takes the next.


class Deadlines:
    """Fails jobs past their deadline. Whoever runs one notices at the next renewal of the lease."""

    def __init__(self, records: Records, settings: JobSettings) -> None:
        self._records, self._retention_s = records, settings.retention_s

    async def once(self) -> None:
        """One round. Raises what failed first, at the end."""
        failing = Failing()
        for job in await self._records.lists.overdue(now=datetime.now(UTC), limit=OVERDUE):
            with failing.passed_over("job.deadline_failed", job_id=job.job_id):
                await self._end(job)
        failing.raise_first()

    async def _end(self, job: Job) -> None:
        """Fail the job, unless it has ended since it was read."""
        now = datetime.now(UTC)
        error = DeadlineExceeded(
            f"the job had to end by {timestamp(job.deadline_at)}; it was {job.status} in stage {job.stage},"
            f" attempt {job.attempt}"
        )
        write = writes.exceed_deadline(End(at=now, error=error.problem()), self._retention_s, now)
        try:
            await self._records.write(job.tenant, job.job_id, write)
        except WriteRefused:
            return
        place = {"task": job.task, "stage": job.stage, "attempt": job.attempt}
        log.error("job.deadline_exceeded", extra={"job_id": job.job_id, **place, "deadline_at": job.deadline_at})
