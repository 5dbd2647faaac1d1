"""Accept a job: the order of writes that makes a 202 a promise.

Blob, then record, then message, then 202. A crash after the blob leaves a blob without a record, which is swept; a
crash after the record leaves a job that the rescuer finds; the reverse would leave a message without a job.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from claimcheck import protocol, writes
from claimcheck.blobs import Blobs, BlobWriter
from claimcheck.errors import (
    ConditionFailed,
    DependencyUnavailable,
    QueueUnavailable,
    RecordExists,
    RecordMissing,
    RecordsUnavailable,
    WriteRefused,
)
from claimcheck.idempotency import job_id_for
from claimcheck.job import Job, Upload, new_job
from claimcheck.messages import Message
from claimcheck.messaging import Queues
from claimcheck.records import Records
from claimcheck.settings import JobSettings
from claimcheck.tasks import Task
from claimcheck.telemetry import trace_id

log = logging.getLogger(__name__)


def new_blob_name(tenant: str, job_id: str) -> str:
    """Random, so that two uploads of one job can never be mixed up."""
    return f"uploads/{tenant}/{job_id}/{secrets.token_hex(8)}"


@dataclass(frozen=True)
class Intake:
    """The way from an upload to an accepted job."""

    settings: JobSettings
    blobs: Blobs
    """For the blocks of uploads, with their longer time limit."""
    records: Records
    queues: Queues

    def writer(self, tenant: str, key: str | None) -> tuple[str, str, BlobWriter]:
        """The job's id, fresh or that of the idempotency key, the name of its upload's blob, and the blob's writer."""
        job_id = job_id_for(tenant, key) if key else str(uuid.uuid4())
        name = new_blob_name(tenant, job_id)
        return job_id, name, self.blobs.writer(name)

    async def accept(
        self,
        *,
        tenant: str,
        job_id: str,
        keyed: bool,
        task: Task,
        options: dict[str, Any],
        upload: Upload,
        traceparent: str,
    ) -> Job:
        """Record the job and queue its message; the upload is stored already.

        Raises RecordsUnavailable or QueueUnavailable. Unless the queue certainly has no message, the job may then run
        all the same: without a 202 nobody was promised anything.
        """
        job = self._new(tenant, job_id, task, options, upload)
        # Before the record: what no message can say must not leave a job that nothing will ever run.
        message = protocol.message_for(job)
        created = await self._create(job)
        await self._queue(message, task, traceparent, created=created)
        told = {"job_id": job_id, "task": task.name, "size_bytes": upload.size_bytes}
        log.info("job.accepted", extra={**told, "trace_id": trace_id(traceparent)})
        return job

    def _new(self, tenant: str, job_id: str, task: Task, options: dict[str, Any], upload: Upload) -> Job:
        now = datetime.now(UTC)
        return new_job(
            tenant=tenant,
            job_id=job_id,
            task=task.name,
            options=options,
            upload=upload,
            stage=task.stages[0].name,
            epoch=secrets.token_hex(4),
            now=now,
            deadline_at=now + timedelta(seconds=self.settings.deadline_s),
        )

    async def _create(self, job: Job) -> Job | None:
        """The record as our create made it; None if it was there already.

        The id is fresh, so a record that is there is our own, by a create whose answer was lost. It may be running by
        now, and touching it says that a message is about to be sent.
        """
        try:
            return await self.records.create_job(job)
        except RecordExists:
            try:
                await self.records.write(job.tenant, job.job_id, writes.touch(datetime.now(UTC)))
            except WriteRefused as refused:
                raise RecordsUnavailable("the record changed while it was created") from refused
            return None

    async def _queue(self, message: Message, task: Task, traceparent: str, *, created: Job | None) -> None:
        try:
            await self.queues.send(task.stages[0].queue, message, traceparent=traceparent)
        except QueueUnavailable as error:
            # Only who saw its own create succeed may delete, and only what it created.
            if error.refused and created is not None:
                await self._undo(created)
            raise

    async def _undo(self, created: Job) -> None:
        """Take back a job that nobody was told of. What fails here, the keeper finds."""
        with contextlib.suppress(ConditionFailed, DependencyUnavailable):
            # The SDK repeats a delete whose answer is lost, and then finds nothing: the record is gone by our own hand.
            with contextlib.suppress(RecordMissing):
                await self.records.delete_unchanged(created)
            await self.blobs.delete(created.upload.blob)
