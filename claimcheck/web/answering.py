"""A job as the response to a request, with its result if it has one. Used by both APIs.

What an answer says is decided in `claimcheck.representation`; this module fetches what it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from fastapi.responses import Response

from claimcheck import representation
from claimcheck.errors import DependencyUnavailable, JobNotFound
from claimcheck.job import Job
from claimcheck.representation import Urls
from claimcheck.settings import WebSettings
from claimcheck.tasks import catalogue
from claimcheck.web import response
from claimcheck.web.results import Results


class Answers:
    """Makes responses of jobs."""

    def __init__(self, results: Results, web: WebSettings) -> None:
        self.results = results
        self.urls = Urls(status=web.status_url)
        self.poll_s = web.poll_s

    async def submitted(self, job: Job, applied: Mapping[str, str]) -> Response:
        """202 and where to poll. If its client waited (`applied` says so) and the job has ended: 200 and the result."""
        if applied and job.ended:
            # The job was accepted whatever follows, an erase too: an error would make its client submit it again.
            with contextlib.suppress(DependencyUnavailable, JobNotFound):
                return await self.polled(job, {**representation.addresses(job, self.urls), **applied})
        body = representation.view(job, task=catalogue().get(job.task), urls=self.urls, now=datetime.now(UTC))
        return response(representation.accepted(job, body, urls=self.urls, poll_s=self.poll_s), applied)

    async def polled(self, job: Job, headers: Mapping[str, str]) -> Response:
        """202 until the job has ended, then 200 with its result; `headers` come on top."""
        result, now = await self.results.of(job), datetime.now(UTC)

        def render() -> Response:
            body = representation.view(job, task=catalogue().get(job.task), urls=self.urls, now=now, result=result)
            return response(representation.polled(job, body, now=now, poll_s=self.poll_s), headers)

        return await rendered(job, render)

    def unchanged(self, job: Job, headers: Mapping[str, str]) -> Response:
        """304, for a caller who has this state of the job."""
        return response(representation.unchanged(job, now=datetime.now(UTC), poll_s=self.poll_s), headers)

    def operation(self, job: Job) -> Response:
        """The job as a status monitor."""
        return response(representation.operation(job, urls=self.urls, now=datetime.now(UTC), poll_s=self.poll_s))

    async def reference_polled(self, job: Job) -> Response:
        """The job as the reference system shows it."""
        result, now = await self.results.of(job), datetime.now(UTC)
        return await rendered(
            job, lambda: response(representation.reference_polled(job, result, now=now, poll_s=self.poll_s))
        )


async def rendered(job: Job, render: Callable[[], Response]) -> Response:
    """What `render` makes; in a thread if the result is too large for a record, so that no other request waits."""
    where = job.end.result if job.end else None
    return await asyncio.to_thread(render) if where and where.blob else render()
