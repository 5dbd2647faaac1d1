"""Put on the queue what a record waits for. Thin: what that is, `claimcheck.protocol` says.

Whoever sends without having just written the record touches it first, and sends nothing if that is refused: otherwise
a rescuer could take the job for forgotten at the same moment.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from claimcheck import pipeline, protocol, writes
from claimcheck.errors import TaskNotInstalled, WriteRefused
from claimcheck.job import Job
from claimcheck.messages import Message
from claimcheck.messaging import Queues
from claimcheck.protocol import Announcement
from claimcheck.records import Records
from claimcheck.tasks import Stage, catalogue, find_task

log = logging.getLogger(__name__)


class Announcer:
    """Sends what jobs wait for. Raises TaskNotInstalled for a task or stage that this process does not know."""

    def __init__(self, records: Records, queues: Queues) -> None:
        self._records, self._queues = records, queues

    async def again(self, job: Job, traceparent: str = "") -> None:
        """Announce for a record that somebody else wrote."""
        try:
            touched = await self._records.write(job.tenant, job.job_id, writes.touch(datetime.now(UTC)))
        except WriteRefused:
            return  # It has ended, or is gone: nothing waits for a message.
        await self.written(touched, traceparent)

    async def written(self, job: Job, traceparent: str = "") -> None:
        """Announce for a record that the caller has just written."""
        stage = _stage(job, job.stage)
        done = await self._records.parts_done(job, job.stage) if stage.window else set()
        await self._carry_out(protocol.announce(job, window=stage.window, done=done), job, stage, traceparent)

    async def pass_on(self, job: Job, message: Message, traceparent: str = "") -> None:
        """After a part is done and the record has just been written: the next part of its chain, or the join."""
        stage = _stage(job, message.stage)
        following = protocol.pass_on(job, message, window=stage.window)
        if following is None:
            await self.written(job, traceparent)
        else:
            await self._carry_out(following, job, stage, traceparent)

    async def pass_on_again(self, job: Job, message: Message, traceparent: str = "") -> None:
        """The same for a part that somebody else finished."""
        try:
            touched = await self._records.write(job.tenant, job.job_id, writes.touch(datetime.now(UTC)))
        except WriteRefused:
            return
        await self.pass_on(touched, message, traceparent)

    async def _carry_out(self, announcement: Announcement, job: Job, stage: Stage, traceparent: str) -> None:
        if announcement.join:
            await self._join(job, traceparent)
            return
        # A part's due time is its message's alone: a fan-out announces its heads at once.
        due_at = None if stage.window else job.waits_until(datetime.now(UTC))
        for message in announcement.messages:
            await self._queues.send(stage.queue, message, due_at=due_at, traceparent=traceparent)

    async def _join(self, job: Job, traceparent: str) -> None:
        """All parts are done: set the next stage, unless someone did, and announce it."""
        following = pipeline.stage_after(find_task(job.task), job.stage)
        try:
            joined = await self._records.write(
                job.tenant, job.job_id, writes.join(job, following.name, datetime.now(UTC))
            )
        except WriteRefused:
            current = await self._records.read(job.tenant, job.job_id)
            if not isinstance(current, Job) or current.ended:
                return
            # The same stage and epoch again would mean that parts are there which nobody counted: asking again would
            # go on for ever, and the rescuer looks at what does not move.
            if (current.stage, current.epoch) != (job.stage, job.epoch):
                await self.again(current, traceparent)
            return
        log.info("job.joined", extra={"job_id": job.job_id, "stage": job.stage, "next": following.name})
        await self.written(joined, traceparent)


def _stage(job: Job, name: str) -> Stage:
    try:
        return catalogue()[job.task].stage(name)
    except KeyError as cause:
        raise TaskNotInstalled(f"there is no stage {name} of {job.task}") from cause
