"""What to do with a delivery, given the record. Pure: no clock, no queue, no log.

This is DESIGN.md section 5 as functions: `begin` is its table, row by row, and `judge_letter` the same for a message
that the broker has given up; `announce` says which messages a record waits for; `pass_on` says what follows a finished
part. The order of writes around them is the runner's. Which jobs need a rescue, `claimcheck.rescuing` says.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from claimcheck.job import Job, Status, Tombstone
from claimcheck.messages import Message


@dataclass(frozen=True)
class Complete:
    """Complete the delivery; there is nothing to do for it."""

    why: str


@dataclass(frozen=True)
class AnnounceThenComplete:
    """The delivery is older than the record: make sure that what the record waits for is on the queue."""

    why: str


@dataclass(frozen=True)
class PassOnThenComplete:
    """The part is done already; whoever did it may have died before it passed on."""


@dataclass(frozen=True)
class GiveUp:
    """Deliveries ended without an answer too often: fail the job, or skip the part, without running it."""

    deaths: int


@dataclass(frozen=True)
class RunPart:
    """Run the part; nothing is taken, since parts never change the job's status."""


@dataclass(frozen=True)
class Take:
    """Take the job and run its stage. `over`: an earlier lease of the same message has ended without an answer."""

    over: bool


Begin = Complete | AnnounceThenComplete | PassOnThenComplete | GiveUp | RunPart | Take


def begin(
    job: Job | Tombstone | None,
    message: Message,
    *,
    sequence_number: str,
    delivery_count: int,
    part_done: bool,
    max_attempts: int,
) -> Begin:
    """The first row of the table that matches.

    `delivery_count`: earlier deliveries of this message (0 at the first). `part_done`: the part's item exists; always
    false for a stage of the whole job.
    """
    spent = message.attempt + delivery_count > max_attempts
    return _first_row(job, message, sequence_number, part_done=part_done, spent=spent, deaths=delivery_count)


def judge_letter(
    job: Job | Tombstone | None, message: Message, *, sequence_number: str, delivery_count: int, part_done: bool
) -> Begin:
    """What to do for a dead letter: the same table, of a delivery that is over the limit whatever its counts say.

    Nothing is ever run for it. A message keeps its sequence number in the dead-letter queue.
    """
    return _first_row(job, message, sequence_number, part_done=part_done, spent=True, deaths=delivery_count)


def _first_row(
    job: Job | Tombstone | None, message: Message, sequence_number: str, *, part_done: bool, spent: bool, deaths: int
) -> Begin:
    if job is None:
        return Complete("no record")
    if isinstance(job, Tombstone):
        return Complete("erased")
    if job.ended:
        return Complete(f"already {job.status}")
    if message.part is not None:
        return _begin_part(job, message, part_done=part_done, spent=spent, deaths=deaths)
    if reason := _older(message, job):
        return AnnounceThenComplete(reason)
    if job.status == Status.RUNNING and job.run and job.run.sequence_number != sequence_number:
        return Complete("a copy of the message that is being run")
    if spent:
        return GiveUp(deaths)
    return Take(over=job.run is not None)


def _begin_part(job: Job, message: Message, *, part_done: bool, spent: bool, deaths: int) -> Begin:
    if part_done:
        return PassOnThenComplete()
    if message.epoch != job.epoch:
        return AnnounceThenComplete("another epoch")
    if message.stage != job.stage:
        return AnnounceThenComplete("another stage")
    return GiveUp(deaths) if spent else RunPart()


def _older(message: Message, job: Job) -> str | None:
    """Why the message is behind the record, if it is. A record's stage only ever moves on, so any other is earlier."""
    if message.epoch != job.epoch:
        return "another epoch"
    if message.stage != job.stage:
        return "an earlier stage"
    if message.attempt < job.attempt:
        return "a lower attempt"
    if message.attempt == job.attempt and message.turn < job.turn:
        return "a lower turn"
    return None


@dataclass(frozen=True)
class Announcement:
    """What the record waits for: messages, or, when every part is done, the join."""

    messages: tuple[Message, ...] = ()
    join: bool = False


def message_for(job: Job) -> Message:
    """The message of the whole-job stage that the record is in."""
    return Message(
        tenant=job.tenant, job_id=job.job_id, epoch=job.epoch, stage=job.stage, attempt=job.attempt, turn=job.turn
    )


def announce(job: Job, *, window: int, done: Collection[int] = ()) -> Announcement:
    """What must be on the queue for the job to go on.

    `window`: 0 for a stage of the whole job, else the most parts (W) that may be queued at once. `done`: the numbers
    of the finished parts. The chains are k, k + W, k + 2W ...; each goes on at its first missing part.
    """
    if not window:
        return Announcement((message_for(job),))
    heads = (next((k for k in range(c, job.parts.total, window) if k not in done), None) for c in range(window))
    missing = tuple(_part_message(job, k) for k in heads if k is not None)
    return Announcement(missing, join=not missing)


def pass_on(job: Job, message: Message, *, window: int) -> Announcement | None:
    """What follows part `message.part`, now that it is done; None: ask `announce`, the stage is another already."""
    assert message.part is not None
    if job.stage != message.stage:
        return None
    if job.parts.done >= job.parts.total:
        return Announcement(join=True)
    following = message.part + window
    return Announcement((_part_message(job, following),) if following < job.parts.total else ())


def _part_message(job: Job, part: int) -> Message:
    return Message(tenant=job.tenant, job_id=job.job_id, epoch=job.epoch, stage=job.stage, part=part)
