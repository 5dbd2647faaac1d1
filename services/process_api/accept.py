"""Accept a job: the order of writes that makes a 202 a promise.

Blob, then record, then message, then 202. A crash after the blob leaves a blob without a record, which is swept; a
crash after the record leaves a job whose record says what it waits for; the reverse, a message without a job.

With an idempotency key the first create wins, and whoever finds the record there joins it: the same request gets the
same job, and makes sure that its message is sent, since the creator may have died before. A fresh id meets its record
only when it made it itself, by a create whose answer was lost: the same path.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from claimcheck import protocol, writes
from claimcheck.announcing import Announcer
from claimcheck.blobs import Blobs, BlobWriter
from claimcheck.errors import (
    BlobsUnavailable,
    ConditionFailed,
    DependencyUnavailable,
    IdempotencyKeyErased,
    ItemRefused,
    QueueUnavailable,
    RecordExists,
    RecordMissing,
    RecordsUnavailable,
    RequestRefused,
    TaskNotInstalled,
    WriteRefused,
)
from claimcheck.idempotency import check_same_request, job_id_for
from claimcheck.job import Job, Status, Tombstone, Upload, new_job
from claimcheck.records import Records
from claimcheck.settings import JobSettings
from claimcheck.tasks import Task
from claimcheck.telemetry import trace_id

log = logging.getLogger(__name__)

ROUNDS = 20  # Of those who touch one record at once, one wins each round; far fewer come at the same moment.
AGAIN_S = 0.1


def new_blob_name(tenant: str, job_id: str) -> str:
    """Random, so that two uploads of one job can never be mixed up."""
    return f"uploads/{tenant}/{job_id}/{secrets.token_hex(8)}"


@dataclass(frozen=True)
class Intake:
    """The way from an upload to an accepted job."""

    settings: JobSettings
    blobs: Blobs
    """For uploads, whose blocks have a longer time limit."""
    records: Records
    announcer: Announcer

    def writer(self, tenant: str, key: str | None) -> tuple[str, str, BlobWriter]:
        """The job's id, fresh or that of the idempotency key, the name of its upload's blob, and the blob's writer."""
        job_id = job_id_for(tenant, key) if key else str(uuid.uuid4())
        name = new_blob_name(tenant, job_id)
        return job_id, name, self.blobs.writer(name)

    async def made_before(
        self, *, tenant: str, job_id: str, task: Task, options: dict[str, Any], input_of: str, traceparent: str
    ) -> Job | None:
        """The job that the same request, with its idempotency key, has made already; None: there is none.

        For an input that may be gone by now. What follows is what a request does that finds its record at the create.
        Raises as `accept`.
        """
        for _ in range(ROUNDS):
            record = await self.records.read(tenant, job_id)
            if record is None:
                return None
            same = _same(record, task=task.name, options=options, sha256="", input_of=input_of)
            with contextlib.suppress(WriteRefused):
                joined = await self._announced(same, traceparent)
                _log_accepted_again(joined)
                return joined
            await asyncio.sleep(AGAIN_S * random.random())
        raise RecordsUnavailable(f"other requests with the same key won {ROUNDS} times")

    async def accept(
        self,
        *,
        tenant: str,
        job_id: str,
        task: Task,
        options: dict[str, Any],
        upload: Upload,
        traceparent: str,
        input_of: str | None = None,
    ) -> Job:
        """Record the job and queue its message, or join the job that has its id; the upload is stored already.

        Raises IdempotencyKeyReused, IdempotencyKeyErased, RecordsUnavailable, QueueUnavailable. Unless the queue
        certainly has no message, the job may then run all the same: without a 202 nobody was promised anything.
        """
        job = self._new(tenant, job_id, task, options, upload)
        return await self.take(job.model_copy(update={"input_of": input_of}), traceparent)

    async def take(self, job: Job, traceparent: str) -> Job:
        """The same for a job as it will be recorded: also one that begins in the middle of its task (a replay)."""
        # Before the record: what no message can say must not leave a job that nothing will ever run.
        protocol.message_for(job)
        for _ in range(ROUNDS):
            created = await self._create(job)
            if created is not None:
                return await self._queued(created, traceparent)
            with contextlib.suppress(WriteRefused):
                return await self._joined(job, traceparent)
            await asyncio.sleep(AGAIN_S * random.random())
        raise RecordsUnavailable(f"other requests with the same key won {ROUNDS} times")

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
        """The record as our create made it; None if it was there already."""
        try:
            return await self.records.create_job(job)
        except RecordExists:
            return None
        except ItemRefused:
            await self._drop(job.upload)
            raise

    async def _queued(self, created: Job, traceparent: str) -> Job:
        """The job that we created, with its message on the queue."""
        try:
            await self.announcer.written(created, traceparent)
        except QueueUnavailable as error:
            # Only who saw its own create succeed may delete, and only what it created.
            if error.refused:
                await self._undo(created)
            raise
        _log_accepted(created, traceparent)
        return created

    async def _joined(self, job: Job, traceparent: str) -> Job:
        """The job that is recorded already, if this request may have it. Raises WriteRefused: begin at the create."""
        record = await self.records.read(job.tenant, job.job_id)
        if record is None:
            raise RecordMissing("its creator has taken it back")
        if isinstance(record, Job) and record.upload.blob == job.upload.blob:
            own = await self._announced(record, traceparent)  # Our own create, whose answer was lost.
            _log_accepted(own, traceparent)
            return own
        try:
            same = _same(record, task=job.task, options=job.options, sha256=job.upload.sha256, input_of=job.input_of)
            joined = await self._announced(same, traceparent)
        except (RequestRefused, DependencyUnavailable):
            await self._drop(job.upload)
            raise
        await self._drop(job.upload)
        _log_accepted_again(joined)
        return joined

    async def _announced(self, record: Job, traceparent: str) -> Job:
        """The job with its message on the queue, if it waits for one. Raises ConditionFailed, RecordMissing."""
        # A replay may begin as a fan-out, which is `running` from its first moment on, without a runner.
        begins_running = record.retry_of is not None and record.status == Status.RUNNING and record.run is None
        if record.status != Status.QUEUED and not begins_running:
            return record
        # From here on its creator can no longer take it back, though its send may still be refused.
        touched = await self.records.write(
            record.tenant, record.job_id, writes.touch_as_read(record, datetime.now(UTC))
        )
        # A stage of a newer release was announced by whoever set it.
        with contextlib.suppress(TaskNotInstalled):
            await self.announcer.written(touched, traceparent)
        return touched

    async def _undo(self, created: Job) -> None:
        """Take back a job that nobody was told of. What fails here stays `queued`."""
        with contextlib.suppress(ConditionFailed, DependencyUnavailable):
            # The SDK repeats a delete whose answer is lost, and then finds nothing: the record is gone by our own hand.
            with contextlib.suppress(RecordMissing):
                await self.records.delete_unchanged(created)
            await self.blobs.delete(created.upload.blob)

    async def _drop(self, upload: Upload) -> None:
        """Delete our upload, which no record names. If that fails the answer stands, and the keeper sweeps it."""
        try:
            await self.blobs.delete(upload.blob)
        except BlobsUnavailable:
            log.warning("upload.left", extra={"blob": upload.blob})


def _log_accepted(job: Job, traceparent: str) -> None:
    told = {"job_id": job.job_id, "task": job.task, "size_bytes": job.upload.size_bytes}
    log.info("job.accepted", extra={**told, "trace_id": trace_id(traceparent)})


def _log_accepted_again(job: Job) -> None:
    log.info("job.accepted_again", extra={"job_id": job.job_id, "status": job.status})


def _same(record: Job | Tombstone, **asked: Any) -> Job:
    """The record, if the request that made it asked for the same. Raises IdempotencyKeyErased, IdempotencyKeyReused."""
    if isinstance(record, Tombstone):
        raise IdempotencyKeyErased("the job that this key made was erased")
    check_same_request(record, **asked)
    return record
