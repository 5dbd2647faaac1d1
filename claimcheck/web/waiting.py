"""Wait for a job to change, for `Prefer: wait`: read its record every so often.

Reading instead of being told lets any replica wait for any job. A wait ends early when the client goes away and when
the server stops; whoever waits then gets the job as it was last seen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

from fastapi import Request

from claimcheck import preferences
from claimcheck.errors import RecordsUnavailable
from claimcheck.job import Job
from claimcheck.records import Records
from claimcheck.web.finding import find_job

FIRST_PAUSE: Final = timedelta(seconds=0.25)
LONGEST_PAUSE: Final = timedelta(seconds=2)

Gone = Callable[[], Awaitable[bool]]
"""Whether the client has gone away."""


def pause_after(waited: timedelta) -> timedelta:
    """How long until the next read: a quarter of the wait so far, so that short jobs are seen early. Pure."""
    return max(FIRST_PAUSE, min(LONGEST_PAUSE, waited / 4))


class Waiting:
    """The requests that wait at this replica."""

    def __init__(self, records: Records, *, limit: int, stopping: asyncio.Event) -> None:
        """`limit`: how many may wait at once. `stopping` is set when the server stops."""
        self._records, self._limit, self._stopping = records, limit, stopping
        self._waiters = 0

    async def as_preferred(
        self, request: Request, job: Job, done: Callable[[Job], bool]
    ) -> tuple[Job, Mapping[str, str]]:
        """The job once it is `done`, if the request prefers to wait for that, and the headers that say so.

        `job` is what was just read. Raises JobNotFound if the job is erased meanwhile.
        """
        wait = preferences.read_wait(request.headers.getlist("prefer"))
        if wait is None:
            return job, {}
        job, honoured = await self.until(job, done, wait, request.is_disconnected)
        return job, preferences.applied(wait) if honoured else {}

    async def until(self, job: Job, done: Callable[[Job], bool], wait: timedelta, gone: Gone) -> tuple[Job, bool]:
        """The job once it is `done`, or as it is after `wait`; and whether the wait was honoured.

        It is not if too many wait already, the client went away, the server stops or the records fail.
        Raises JobNotFound if the job is erased meanwhile.
        """
        if done(job):
            return job, True
        if self._waiters >= self._limit:
            return job, False
        self._waiters += 1
        try:
            return await self._watched(job, done, wait, gone)
        finally:
            self._waiters -= 1

    async def _watched(self, job: Job, done: Callable[[Job], bool], wait: timedelta, gone: Gone) -> tuple[Job, bool]:
        clock = asyncio.get_running_loop().time
        began_at = clock()
        while (waited := timedelta(seconds=clock() - began_at)) < wait:
            if await self._stops_within(min(pause_after(waited), wait - waited)) or await gone():
                return job, False
            try:
                job = await find_job(self._records, job.tenant, job.job_id)
            except RecordsUnavailable:
                return job, False
            if done(job):
                break
        return job, True

    async def _stops_within(self, pause: timedelta) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), pause.total_seconds())
        return self._stopping.is_set()
