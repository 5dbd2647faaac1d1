"""Rescue the jobs of one queue whose message is gone: announce them anew, under a new epoch.

Thin: whether no message of a job can be in the line, `claimcheck.rescuing` says. The candidates are read before the
line is looked at, since a message may be sent, and its job run, in between.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from claimcheck import writes
from claimcheck.announcing import Announcer
from claimcheck.errors import WriteRefused
from claimcheck.job import Job
from claimcheck.messages import job_of
from claimcheck.messaging import Peeked, Queues
from claimcheck.records import Records
from claimcheck.rescuing import Waiting, is_fresh, is_head, is_old, needs_rescue
from claimcheck.tasks import QueueKind, Stage, Task
from services.worker.keeper.allowance import Allowance
from services.worker.keeper.failing import Failing

log = logging.getLogger(__name__)

PAGE = 100  # Messages in one peek.


def stages_on(kind: QueueKind, tasks: Mapping[str, Task]) -> dict[tuple[str, str], Stage]:
    """(task, stage) -> stage, of every installed stage that runs from this queue."""
    return {(task.name, stage.name): stage for task in tasks.values() for stage in task.stages if stage.queue == kind}


class Rescuer:
    """Finds the jobs of one queue that nobody will ever run, and announces them anew."""

    def __init__(
        self,
        kind: QueueKind,
        tasks: Mapping[str, Task],
        *,
        records: Records,
        queues: Queues,
        announcer: Announcer,
        patience: timedelta,
        per_min: float,
    ) -> None:
        """`patience`: how long a job may neither move nor come due before it is looked for; `per_min`: rescues."""
        self._kind, self._stages = kind, stages_on(kind, tasks)
        self._records, self._queues, self._announcer = records, queues, announcer
        self._patience, self._allowance = patience, Allowance(per_min)

    async def once(self) -> None:
        """One round. Raises what failed first, at the end."""
        limit = self._allowance.left(time.monotonic())
        if not limit or not self._stages:
            return
        now = datetime.now(UTC)
        before = now - self._patience
        candidates = await self._records.lists.forgotten(self._stages, moved_before=before, limit=limit)
        if not candidates:
            return
        head_at = await self._head_at(now)
        log.debug("queue.looked_at", extra={"queue": self._kind, "candidates": len(candidates), "head_at": head_at})
        failing = Failing()
        for job in candidates:
            if needs_rescue(job, head_at=head_at, patience=self._patience):
                with failing.passed_over("job.rescue_failed", job_id=job.job_id):
                    await self._rescue(job)
        failing.raise_first()

    async def _head_at(self, now: datetime) -> datetime:
        """When the message was sent at which the line begins; of an empty line, `now`."""
        number = 1
        while page := await self._queues.peek(self._kind, from_number=number, limit=PAGE):
            for peeked in page:
                if await self._is_head(peeked, now):
                    return peeked.enqueued_at
            number = page[-1].sequence_number + 1
        return now

    async def _is_head(self, peeked: Peeked, now: datetime) -> bool:
        waiting = Waiting(peeked.enqueued_at, peeked.scheduled)
        fresh = is_old(waiting, now=now, patience=self._patience) and await self._is_fresh(peeked.body, now)
        return is_head(waiting, fresh=fresh, now=now, patience=self._patience)

    async def _is_fresh(self, body: bytes, now: datetime) -> bool:
        """Whether the message's job moved lately. One that cannot be told waits: then less is rescued, not more."""
        owner = job_of(body)
        if owner is None:
            return False
        try:
            record = await self._records.read(*owner)
        except (KeyError, ValueError):  # A record of a newer release.
            return False
        return is_fresh(record, now=now, patience=self._patience)

    async def _rescue(self, job: Job) -> None:
        """Write the new epoch, unless the job has moved since it was read, and send what it waits for."""
        stage = self._stages[job.task, job.stage]
        rescue = writes.rescue(job, secrets.token_hex(4), datetime.now(UTC), fan_out=bool(stage.window))
        try:
            rescued = await self._records.write(job.tenant, job.job_id, rescue)
        except WriteRefused:
            return
        self._allowance.spend(time.monotonic())
        place = {"task": job.task, "stage": job.stage, "attempt": job.attempt}
        log.warning("job.rescued", extra={"job_id": job.job_id, **place, "moved_at": job.moved_at})
        await self._announcer.written(rescued)
