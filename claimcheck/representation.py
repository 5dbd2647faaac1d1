"""A job as HTTP shows it: status code, headers, Retry-After, body. Pure; used by both APIs.

`JobView` is the schema of a job in answers; `docs/schema.md` prints it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from claimcheck.job import At, Job, Status
from claimcheck.tasks import Task

VERSION: Final = 1
CACHING: Final = "private, no-cache"  # Ask again each time; and no shared cache, which would not know whose job it is.
LONGEST_POLL_S = 30  # A client that waits for an hour-long job should neither hammer nor sleep through its end.


@dataclass(frozen=True)
class Answer:
    """What an HTTP framework turns into a response."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Urls:
    """The status API as clients see it, without a slash at the end."""

    status: str

    def job(self, job_id: str) -> str:
        """Where the job is polled."""
        return f"{self.status}/v1/jobs/{job_id}"

    def operation(self, job_id: str) -> str:
        """The job as a status monitor after the Microsoft REST guidelines."""
        return f"{self.status}/v1/operations/{job_id}"

    def result(self, job_id: str, form: str) -> str:
        """The result in one of its formats."""
        return f"{self.status}/v1/jobs/{job_id}/result?format={form}"


class FileView(BaseModel):
    """The upload."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str


class JobView(BaseModel):
    """A job in an answer. Absent fields do not apply (yet)."""

    model_config = ConfigDict(extra="forbid")

    v: Literal[1] = VERSION
    id: str
    status: Status
    task: str
    options: dict[str, Any]
    file: FileView
    retry_of: str | None = None
    """The job that an operator has replayed as this one."""
    input_of: str | None = None
    """The earlier job whose text is the file."""
    attempt: int
    progress: float | None = None
    """Share that is done, 0 to 1; up to a minute old."""
    created_at: At
    started_at: At | None = None
    next_attempt_at: At | None = None
    """The job waits for a retry until then."""
    deadline_at: At
    """When an unfinished job fails."""
    ended_at: At | None = None
    expires_at: At | None = None
    """When the job and its result are deleted."""
    warnings: int | None = None
    """How many warnings the result carries, if it does: for example a part of the audio that could not be read."""
    status_url: str
    operation_url: str
    result_urls: dict[str, str] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    """Why it failed: a problem object (RFC 9457)."""


class OperationError(BaseModel):
    """Why an operation failed."""

    code: str
    """The end of the problem's type."""
    message: str


class OperationView(BaseModel):
    """A job as a status monitor after the Microsoft REST guidelines."""

    id: str
    status: Literal["NotStarted", "Running", "Succeeded", "Failed", "Canceled"]
    resourceLocation: str
    error: OperationError | None = None


def view(
    job: Job, *, task: Task | None, urls: Urls, now: datetime, result: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The job as JSON values. `task` is None if the job's task is not installed (any more)."""
    succeeded = job.status == Status.SUCCEEDED
    shown = JobView(
        id=job.job_id,
        status=job.status,
        task=job.task,
        options=job.options,
        file=FileView(**job.upload.model_dump(include=set(FileView.model_fields))),
        retry_of=job.retry_of,
        input_of=job.input_of,
        attempt=job.attempt,
        progress=job.run.progress if job.run else None,
        created_at=job.created_at,
        started_at=job.run.started_at if job.run else None,
        next_attempt_at=job.waits_until(now) if job.status == Status.QUEUED else None,
        deadline_at=job.deadline_at,
        ended_at=job.end.at if job.end else None,
        expires_at=job.end.at + timedelta(seconds=job.ttl) if job.end and job.ttl else None,
        warnings=(job.end.warnings or None) if succeeded and job.end else None,
        status_url=urls.job(job.job_id),
        operation_url=urls.operation(job.job_id),
        result_urls={f: urls.result(job.job_id, f) for f in task.formats} if succeeded and task else None,
        result=result,
        error=job.end.error if job.end else None,
    )
    return shown.model_dump(mode="json", exclude_none=True)


def retry_after_s(job: Job, *, now: datetime, poll_s: int) -> int:
    """When to ask again, in whole seconds: a tenth of the job's age so far, or when its retry is due."""
    due_at = job.waits_until(now)
    wait_s = (due_at - now).total_seconds() if due_at else (now - job.created_at).total_seconds() / 10
    return max(poll_s, min(LONGEST_POLL_S, math.ceil(wait_s)))


def addresses(job: Job, urls: Urls) -> dict[str, str]:
    """Where the job is found, as headers of the answer to its submission."""
    return {"Location": urls.job(job.job_id), "Operation-Location": urls.operation(job.job_id)}


def accepted(job: Job, body: Mapping[str, Any], *, urls: Urls, poll_s: int) -> Answer:
    """The answer to a submission."""
    return Answer(202, body, {**addresses(job, urls), "Retry-After": str(poll_s)})


def polled(job: Job, body: Mapping[str, Any], *, now: datetime, poll_s: int) -> Answer:
    """202 with Retry-After until the job has ended, then 200."""
    headers = {"ETag": validator(job)}
    if job.ended:
        return Answer(200, body, headers)
    return Answer(202, body, {**headers, "Retry-After": str(retry_after_s(job, now=now, poll_s=poll_s))})


def unchanged(job: Job, *, now: datetime, poll_s: int) -> Answer:
    """304, for a caller who has this state of the job; like the full answer but for the body."""
    return Answer(304, {}, polled(job, {}, now=now, poll_s=poll_s).headers)


def validator(job: Job) -> str:
    """The ETag of a job's answer. Weak: the record's version, though an answer also changes when a retry falls due."""
    return f"W/{job.etag}"


def is_current(job: Job, if_none_match: str) -> bool:
    """Whether the caller has this state of the job already (RFC 9110, 13.1.2: weak comparison)."""
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return bool(known & {"*", job.etag})


_OPERATION: Final[Mapping[Status, Literal["NotStarted", "Running", "Succeeded", "Failed", "Canceled"]]] = {
    Status.QUEUED: "NotStarted",
    Status.RUNNING: "Running",
    Status.SUCCEEDED: "Succeeded",
    Status.FAILED: "Failed",
    Status.CANCELLED: "Canceled",
}


def operation(job: Job, *, urls: Urls, now: datetime, poll_s: int) -> Answer:
    """The job as a status monitor (Microsoft REST API Guidelines, "Long-running operations"): always 200."""
    problem = job.end.error if job.end else None
    error = OperationError(code=problem["type"].rpartition(":")[2], message=problem["detail"]) if problem else None
    shown = OperationView(
        id=job.job_id, status=_OPERATION[job.status], resourceLocation=urls.job(job.job_id), error=error
    )
    body = shown.model_dump(exclude_none=True)
    if job.ended:
        return Answer(200, body)
    return Answer(200, body, {"Retry-After": str(retry_after_s(job, now=now, poll_s=poll_s))})


def reference_accepted(job: Job, *, urls: Urls, poll_s: int) -> Answer:
    """The answer of `POST /api/process`, as the reference system gives it."""
    results_url = f"{urls.status}/api/status/{job.job_id}"
    headers = {"Location": results_url, "Retry-After": str(poll_s)}
    return Answer(202, {"id": job.job_id, "results_url": results_url}, headers)


def reference_polled(job: Job, result: Mapping[str, Any] | None, *, now: datetime, poll_s: int) -> Answer:
    """The answer of `GET /api/status/{id}`, as the reference system gives it."""
    if not job.ended:
        retry_after = {"Retry-After": str(retry_after_s(job, now=now, poll_s=poll_s))}
        return Answer(202, {"message": f"The job is {job.status}; ask again later."}, retry_after)
    if job.status == Status.SUCCEEDED:
        text = result.get("text", result) if result else None
        return Answer(200, {"id": job.job_id, "status": "completed", "data": {"result": text}})
    error = job.end.error if job.end else None
    return Answer(200, {"id": job.job_id, "status": job.status, "data": {"result": None}, "error": error})


def download_headers(job: Job, form: str) -> dict[str, str]:
    """Name the download after the upload (RFC 6266: plain ASCII, and the full name encoded)."""
    name = f"{PurePosixPath(job.upload.name.replace(chr(92), '/')).stem or job.task}.{form}"
    plain = "".join(c if c.isascii() and (c.isalnum() or c in " ._-") else "_" for c in name)
    return {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"}
