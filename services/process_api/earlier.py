"""The text of an earlier job, as the input of another one.

It is copied into the new job's upload: the earlier job may expire or be erased meanwhile, and the new one holds all
that it works on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from claimcheck.errors import EmptyUpload, InputNotTaken, JobHasNoResult, JobHasNotEnded
from claimcheck.job import Job, Status
from claimcheck.records import Records
from claimcheck.tasks import catalogue
from claimcheck.web.finding import find_job
from claimcheck.web.results import Results

FORMAT: Final = "txt"


@dataclass(frozen=True)
class EarlierText:
    """What a job found out, as text."""

    content: bytes
    name: str
    """A file name for it; empty if the earlier file had none."""


class EarlierJobs:
    """Reads the texts of jobs that have succeeded."""

    def __init__(self, records: Records, results: Results) -> None:
        self._records, self._results = records, results
        # A result is read whole; its handler's limits bound it, and there is at most one in memory here.
        self._one_at_a_time = asyncio.Lock()

    async def text_of(self, tenant: str, job_id: str) -> EarlierText:
        """The text of the tenant's job.

        Raises JobNotFound, JobHasNotEnded, JobHasNoResult, InputNotTaken, EmptyUpload, DependencyUnavailable.
        """
        job = await find_job(self._records, tenant, job_id)
        _check(job)
        async with self._one_at_a_time:
            text = await self._text(job)
        if not text.strip():
            raise EmptyUpload(f"the text of job {job_id} is empty; at least 1 character is expected")
        stem = PurePosixPath(job.upload.name).stem
        return EarlierText(text.encode(), f"{stem}.{FORMAT}" if stem else "")

    async def _text(self, job: Job) -> str:
        result = await self._results.of(job)
        if result is None:
            raise JobHasNoResult(f"job {job.job_id} succeeded without a result")
        return await asyncio.to_thread(catalogue()[job.task].formats[FORMAT].render, result)


def _check(job: Job) -> None:
    """Raises JobHasNotEnded, JobHasNoResult, InputNotTaken unless the job has a text."""
    if not job.ended:
        raise JobHasNotEnded(f"job {job.job_id} is {job.status}; its result can be an input once it has succeeded")
    if job.status != Status.SUCCEEDED:
        raise JobHasNoResult(f"job {job.job_id} is {job.status}, so it has no result that could be an input")
    task = catalogue().get(job.task)
    if task is None or FORMAT not in task.formats:
        raise InputNotTaken(f"job {job.job_id} is of the task {job.task}, whose result is no text")
