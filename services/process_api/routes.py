"""The routes of the process API. Short: streaming is `upload`'s, the order of writes is `accept`'s."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from claimcheck import representation
from claimcheck.blobs import BlobWriter
from claimcheck.errors import BlobsUnavailable, MalformedUpload
from claimcheck.job import Job, Upload
from claimcheck.representation import Urls
from claimcheck.settings import Settings
from claimcheck.tasks import UNTYPED, Task, find_task
from claimcheck.telemetry import traceparent
from claimcheck.web import DEFAULT_TENANT, response
from services.process_api.accept import Intake
from services.process_api.upload import Form, receive

log = logging.getLogger(__name__)

DEFAULT_TASK = "transcribe"
IMAGE_TASK = "describe"


def _body(default_task: str) -> dict[str, Any]:
    """The form as the API's description shows it."""
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "The recording."},
            "task": {
                "type": "string",
                "description": "What to do with it." if default_task else "What to do with it; chosen by its type.",
                **({"default": default_task} if default_task else {}),
            },
            "options": {
                "type": "string",
                "description": "The task's options: a JSON object.",
                "example": '{"language": "en"}',
            },
        },
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@dataclass(frozen=True)
class Submission:
    """A submission in progress: where its bytes go until the job is accepted."""

    request: Request
    tenant: str
    job_id: str
    blob: str
    writer: BlobWriter


def task_for(media_type: str) -> str:
    """Name of the task for a file of this type when nobody named one; without a type it is taken for a recording."""
    return IMAGE_TASK if media_type.lower().startswith("image/") else DEFAULT_TASK


class Submissions:
    """Turns a request into an accepted job."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        self._intake = intake
        self._limit_bytes = settings.web.max_upload_bytes
        self.urls = Urls(status=settings.web.status_url)
        self.settings = settings

    async def submit(self, request: Request, default_task: str) -> Job:
        """Stream, check, accept. `default_task`: for a form that names none; empty: by content.

        What is refused leaves no blob behind. A dependency that fails from the commit on may leave one: the outcome can
        be unknown, and the record may name it. Without a record the keeper's sweep deletes it.
        """
        async with self._submission(request) as submission:
            form = await self._receive(submission)
            task = find_task(form.fields.get("task") or default_task or task_for(form.media_type))
            options = task.validated(form.options())
            task.check_media_type(form.media_type)
            upload = await self._stored(submission, form)
        return await self._accept(submission, task, options, upload)

    @contextlib.asynccontextmanager
    async def _submission(self, request: Request) -> AsyncIterator[Submission]:
        job_id, blob, writer = self._intake.writer(DEFAULT_TENANT)
        try:
            yield Submission(request, DEFAULT_TENANT, job_id, blob, writer)
        except BaseException:
            # Nothing is committed yet, so nothing is visible: the staged blocks go by themselves.
            await writer.discard()
            raise

    async def _receive(self, submission: Submission) -> Form:
        headers = submission.request.headers
        length = headers.get("content-length", "")
        try:
            return await receive(
                submission.request.stream(),
                content_type=headers.get("content-type", ""),
                content_length=int(length) if length.isdecimal() else None,
                writer=submission.writer,
                limit_bytes=self._limit_bytes,
            )
        except ClientDisconnect as cause:
            log.info("upload.abandoned", extra={"size_bytes": submission.writer.size_bytes})
            raise MalformedUpload("the client went away before the body ended") from cause

    async def _stored(self, submission: Submission, form: Form) -> Upload:
        media_type = form.media_type or UNTYPED
        try:
            written = await submission.writer.finish(media_type)
        except BlobsUnavailable:
            # The commit's answer may be lost; without a record the blob is deleted by the sweep.
            log.warning("upload.unknown", extra={"blob": submission.blob})
            raise
        return Upload(
            blob=submission.blob,
            name=form.name,
            media_type=media_type,
            size_bytes=written.size_bytes,
            sha256=written.sha256,
        )

    async def _accept(self, submission: Submission, task: Task, options: dict[str, Any], upload: Upload) -> Job:
        return await self._intake.accept(
            tenant=submission.tenant,
            job_id=submission.job_id,
            task=task,
            options=options,
            upload=upload,
            traceparent=traceparent(submission.request.headers.get("traceparent")),
        )


def submission_routes(submissions: Submissions) -> APIRouter:
    """Everything that takes a file."""
    router = APIRouter(tags=["jobs"])
    web = submissions.settings.web

    @router.post("/v1/jobs", status_code=202, openapi_extra=_body(DEFAULT_TASK), summary="Submit a file")
    async def post_job(request: Request) -> Response:
        job = await submissions.submit(request, DEFAULT_TASK)
        body = representation.view(
            job,
            task=None,
            urls=submissions.urls,
            now=datetime.now(UTC),
        )
        return response(representation.accepted(job, body, urls=submissions.urls, poll_s=web.poll_s))

    body = _body(web.reference_task)

    @router.post("/api/process", status_code=202, openapi_extra=body, summary="Submit as to the reference system")
    async def post_process(request: Request) -> Response:
        job = await submissions.submit(request, web.reference_task)
        return response(representation.reference_accepted(job, urls=submissions.urls, poll_s=web.poll_s))

    return router
