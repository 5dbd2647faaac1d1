"""Read jobs over HTTP, one by one or as a list, and reduce each answer to what a verdict needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from claimcheck.client import AsyncClient, ClientError, JobView, NotFound, Status, WaitTimedOut
from claimcheck.commands.verify.history import Listed, Reading

PROBLEM: Final = frozenset({"type", "title", "status", "detail"})


async def read(client: AsyncClient, job_id: str) -> Reading | None:
    """The job as it is now; None if no answer came in all the client's patience."""
    try:
        return reading_of(await client.job(job_id))
    except NotFound:
        return Reading(job_id=job_id, status=None)
    except ClientError:
        return None


async def read_at_end(client: AsyncClient, job_id: str, *, timeout_s: float) -> Reading | None:
    """The job once it has ended, or as it is after `timeout_s` seconds; None as in `read`."""
    try:
        return reading_of(await client.wait(job_id, timeout_s=timeout_s))
    except WaitTimedOut as late:
        return reading_of(late.job)
    except NotFound:
        return Reading(job_id=job_id, status=None)
    except ClientError:
        return None


async def jobs_between(client: AsyncClient, since: datetime, until: datetime) -> list[JobView]:
    """The jobs that were created in a time window, newest first. Raises ClientError."""
    found = []
    async for job in client.jobs():
        if job.created_at < since:
            break
        if job.created_at <= until:
            found.append(job)
    return found


def listed_of(job: JobView) -> Listed:
    """A job of the list. Pure."""
    return Listed(job_id=job.id, content=job.file.sha256)


def reading_of(job: JobView) -> Reading:
    """What a verdict needs of an answer. Pure."""
    end = {"status": job.status, "at": str(job.ended_at), "result": job.result, "error": job.error}
    return Reading(
        job_id=job.id,
        status=job.status,
        content=job.file.sha256,
        end=_digest(end) if job.ended else "",
        result="" if job.result is None else _digest(job.result),
        why=_why(job.error) if job.error else "",
        flaw=flaw(job),
        created_at=job.created_at,
        deadline_at=job.deadline_at,
    )


def flaw(job: JobView) -> str:
    """What is wrong with an answer; empty if it is well-formed. Pure."""
    if not job.ended:
        has_end = job.result is not None or job.error is not None or job.ended_at is not None
        return f"{job.status}, and yet with an end" if has_end else ""
    if job.ended_at is None:
        return f"{job.status} without a time"
    if job.status == Status.SUCCEEDED and (job.result is None or job.error is not None):
        return "succeeded without a result, or with an error"
    if job.status == Status.FAILED and (job.result is not None or PROBLEM - (job.error or {}).keys()):
        return "failed with a result, or without a whole problem document"
    return ""


def _why(error: Mapping[str, Any]) -> str:
    slug = str(error.get("type", "")).rpartition(":")[2]
    return f"{slug}: {error.get('detail', '')}"


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
