"""From a request to an accepted job: stream, check, accept. What is refused leaves no blob behind."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from claimcheck.access import Access
from claimcheck.blobs import BlobWriter
from claimcheck.errors import BlobsUnavailable, MalformedUpload
from claimcheck.idempotency import read_key
from claimcheck.job import Job, Upload
from claimcheck.settings import Settings
from claimcheck.tasks import UNTYPED, Task, find_task
from claimcheck.telemetry import traceparent
from services.process_api.accept import Intake
from services.process_api.upload import Form, receive

log = logging.getLogger(__name__)

DEFAULT_TASK = "transcribe"
IMAGE_TASK = "describe"


@dataclass(frozen=True)
class Submission:
    """A submission in progress: where its bytes go until the job is accepted."""

    request: Request
    tenant: str
    keyed: bool
    """Whether the id is derived from an idempotency key; else it is fresh."""
    job_id: str
    blob: str
    writer: BlobWriter


def task_for(media_type: str) -> str:
    """Name of the task for a file of this type when nobody named one; without a type it is taken for a recording."""
    return IMAGE_TASK if media_type.lower().startswith("image/") else DEFAULT_TASK


class Submissions:
    """Turns a request into an accepted job."""

    def __init__(self, settings: Settings, access: Access, intake: Intake) -> None:
        self._access, self._intake = access, intake
        self._limit_bytes = settings.web.max_upload_bytes

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
        tenant, key = self._access.tenant(request.headers), read_key(request.headers.get("idempotency-key"))
        job_id, blob, writer = self._intake.writer(tenant, key)
        try:
            yield Submission(request, tenant, key is not None, job_id, blob, writer)
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
            keyed=submission.keyed,
            task=task,
            options=options,
            upload=upload,
            traceparent=traceparent(submission.request.headers.get("traceparent")),
        )
