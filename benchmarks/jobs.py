"""Jobs of the task `noop`, made without an upload: written and queued by the product's own classes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from claimcheck import protocol
from claimcheck.job import Job, Upload, new_job
from claimcheck.messaging import Queues
from claimcheck.records import Records
from claimcheck.settings import Settings

TENANT = "default"
TIMEOUT_S = 10.0
AT_ONCE = 20


def new_noop_job() -> Job:
    """A job as it is accepted."""
    now, job_id = datetime.now(UTC), str(uuid.uuid4())
    return new_job(
        tenant=TENANT,
        job_id=job_id,
        task="noop",
        options={},
        upload=Upload(
            blob=f"uploads/{TENANT}/{job_id}/0123456789abcdef", name="file.bin", size_bytes=1, sha256="0" * 64
        ),
        stage="noop",
        epoch="0123abcd",
        now=now,
        deadline_at=now + timedelta(days=1),
    )


async def submit_all(settings: Settings, count: int) -> list[Job]:
    """Create the records of so many jobs and queue their messages."""
    records, queues = Records(settings.records, timeout_s=TIMEOUT_S), Queues(settings.queue, timeout_s=TIMEOUT_S)
    jobs = [new_noop_job() for _ in range(count)]

    async def submit(some: Sequence[Job]) -> None:
        for job in some:
            await records.create_job(job)
            await queues.send("speech", protocol.message_for(job), traceparent=f"00-{'0' * 31}1-{'0' * 15}1-01")

    try:
        await asyncio.gather(*(submit(jobs[n::AT_ONCE]) for n in range(AT_ONCE)))
    finally:
        await queues.close()
        await records.close()
    return jobs
