"""Begin a delivery: take the job, or do what the table says instead. Thin: `claimcheck.protocol` decides."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from claimcheck import protocol, writes
from claimcheck.announcing import Announcer
from claimcheck.errors import DeadLettered, PermanentFailure, RecordMissing, WorkerDied, WriteRefused
from claimcheck.job import Job, Run
from claimcheck.messages import Message, job_of
from claimcheck.messaging import Delivery
from claimcheck.protocol import AnnounceThenComplete, Complete, GiveUp, PassOnThenComplete, RunPart, Take
from claimcheck.records import Records
from claimcheck.settings import JobSettings
from claimcheck.telemetry import trace_id

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Begun:
    """A delivery whose stage may run."""

    message: Message
    job: Job
    delivery_count: int
    traceparent: str
    owner: str = ""
    """The token that fences the runner's writes; empty for a part, and if the job was given up: nothing is taken."""
    result_name: str = field(default_factory=lambda: secrets.token_hex(8))
    """Random: a runner that lost its fence must not replace the result of the one that won."""
    given_up: PermanentFailure | None = None
    """Set if the stage must not run: deliveries ended without an answer too often, or the broker parked the message."""

    def log_fields(self) -> dict[str, Any]:
        """What every log line about it says."""
        return log_fields(self.message, task=self.job.task, trace_id=trace_id(self.traceparent))


def log_fields(message: Message, **more: Any) -> dict[str, Any]:
    """What every log line about a delivery says."""
    part = {} if message.part is None else {"part": message.part}
    return {"job_id": message.job_id, "stage": message.stage, **part, "attempt": message.attempt, **more}


class Beginner:
    """Begins deliveries, and judges dead letters."""

    def __init__(self, records: Records, announcer: Announcer, settings: JobSettings) -> None:
        self._records, self._announcer, self._settings = records, announcer, settings

    async def begin(self, delivery: Delivery, message: Message, *, fast: bool) -> Begun | None:
        """What may run, or None if the delivery only remains to be completed.

        `fast`: try to take the job without reading it first. Raises WriteRefused: someone wrote first, begin again.
        """
        first = delivery.delivery_count == 0 and message.part is None
        if fast and first and message.attempt <= self._settings.max_attempts:
            begun = await self._take_unread(delivery, message)
            if begun is not None:
                return begun
        record = await self._records.read(message.tenant, message.job_id)
        decision = protocol.begin(
            record,
            message,
            sequence_number=delivery.sequence_number,
            delivery_count=delivery.delivery_count,
            part_done=await self._part_done(record, message),
            max_attempts=self._settings.max_attempts,
        )
        return await self._carry_out(decision, record, delivery, message, _too_often(delivery, message, self._settings))

    async def judge_letter(self, delivery: Delivery, message: Message) -> Begun | None:
        """What the letter must give up, or None if it only remains to be completed. Nothing is ever run for it.

        Raises WriteRefused: someone wrote first, judge again.
        """
        record = await self._records.read(message.tenant, message.job_id)
        verdict = protocol.judge_letter(
            record,
            message,
            sequence_number=delivery.sequence_number,
            delivery_count=delivery.delivery_count,
            part_done=await self._part_done(record, message),
        )
        return await self._carry_out(verdict, record, delivery, message, _parked(delivery, message))

    async def postponed(self, body: bytes, due_at: datetime) -> bool:
        """Note on its job that a message which this release cannot read is due then; False: no job waits for it."""
        owner = job_of(body)
        if owner is None:
            return True
        try:
            await self._records.write(*owner, writes.postpone(due_at, datetime.now(UTC)))
        except RecordMissing:
            return False
        except WriteRefused:  # A later due time stands, or the job has ended.
            try:
                record = await self._records.read(*owner)
            except (KeyError, ValueError):
                return True
            return isinstance(record, Job) and not record.ended
        except ValueError:  # A record of a newer release, which has been written all the same.
            return True
        return True

    async def _take_unread(self, delivery: Delivery, message: Message) -> Begun | None:
        run, now = _new_run(delivery)
        try:
            job = await self._records.write(message.tenant, message.job_id, writes.take_unread(message, run, now))
        except WriteRefused:
            return None
        return self._taken(delivery, message, job, run)

    async def _part_done(self, record: object, message: Message) -> bool:
        if message.part is None or not isinstance(record, Job) or record.ended:
            return False
        return await self._records.part_done(record, message.stage, message.part)

    async def _carry_out(
        self, decision: protocol.Begin, record: object, delivery: Delivery, message: Message, why_not: PermanentFailure
    ) -> Begun | None:
        """`why_not`: the job's problem if the decision is to give it up."""
        parent = _traceparent(delivery)
        if isinstance(decision, Complete):
            log.info("delivery.dropped", extra=log_fields(message, why=decision.why))
            return None
        assert isinstance(record, Job)
        match decision:
            case AnnounceThenComplete(why):
                log.info("delivery.outdated", extra=log_fields(message, why=why))
                await self._announcer.again(record, parent)
            case PassOnThenComplete():
                await self._announcer.pass_on_again(record, message, parent)
            case GiveUp(deaths):
                log.error("job.given_up", extra=log_fields(message, task=record.task, deaths=deaths))
                return Begun(message, record, delivery.delivery_count, parent, given_up=why_not)
            case RunPart():
                return Begun(message, record, delivery.delivery_count, parent)
            case Take(over):
                return await self._take(record, delivery, message, over=over)
        return None

    async def _take(self, job: Job, delivery: Delivery, message: Message, *, over: bool) -> Begun:
        if over:
            log.warning("job.taken_over", extra=log_fields(message, deaths=delivery.delivery_count))
        run, now = _new_run(delivery)
        taken = await self._records.write(job.tenant, job.job_id, writes.take(job, run, now))
        return self._taken(delivery, message, taken, run)

    def _taken(self, delivery: Delivery, message: Message, job: Job, run: Run) -> Begun:
        begun = Begun(message, job, delivery.delivery_count, _traceparent(delivery), run.owner)
        log.info("job.taken", extra={**begun.log_fields(), "deliveries": delivery.delivery_count + 1})
        return begun


def _too_often(delivery: Delivery, message: Message, settings: JobSettings) -> WorkerDied:
    return WorkerDied(
        f"{delivery.delivery_count} deliveries of attempt {message.attempt} ended without an answer;"
        f" attempt and deaths together may be at most {settings.max_attempts}"
    )


def _parked(delivery: Delivery, message: Message) -> DeadLettered:
    reason = delivery.dead_letter_reason or "no reason is given"
    return DeadLettered(f"the message of attempt {message.attempt} was parked by the queue: {reason}", reason=reason)


def _traceparent(delivery: Delivery) -> str:
    return delivery.properties.get("traceparent", "")


def _new_run(delivery: Delivery) -> tuple[Run, datetime]:
    now = datetime.now(UTC)
    return Run(sequence_number=delivery.sequence_number, owner=secrets.token_hex(8), started_at=now), now
