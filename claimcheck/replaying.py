"""What an operator's replay of a dead letter makes: a new job, since terminal is final. Pure.

| the letter's job | replay |
|---|---|
| failed | yes |
| succeeded, cancelled | only by force: somebody has the result, or wants none |
| queued, running | no: it goes on by itself |
| erased, expired | no: what it worked on is gone |

The new job begins where the old one stood, with the parts that it had finished, and with what its stages have kept for
each other; a part that was skipped is tried again. What models were asked for the old job stays with it: the usage of
the new one counts what it asks itself.
Its id is made of the letter's, so however often a letter is replayed, and by whom, there is one job.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from claimcheck.dead_letters import NOBODY, DeadLetter
from claimcheck.errors import LetterNotReplayable, MessageRejected
from claimcheck.idempotency import job_id_for
from claimcheck.job import Job, PartItem, Parts, Status, Tombstone, new_job
from claimcheck.messages import Message, decode
from claimcheck.tasks import Stage, Task


@dataclass(frozen=True)
class KeptPart:
    """A part that the old job has finished or skipped."""

    stage: str
    part: int
    skipped: bool


def new_job_id(letter: DeadLetter) -> str:
    """The id of the job that the letter is replayed as. No `Idempotency-Key` makes it: a header has no line breaks."""
    return job_id_for(letter.tenant, f"{letter.job_id}\n{letter.id}")


def read_message(letter: DeadLetter) -> Message:
    """What the letter's body says. Raises LetterNotReplayable if it can be no work of ours."""
    if letter.job_id == NOBODY:
        raise LetterNotReplayable("no job can be read from it; it can only be discarded")
    try:
        return decode(letter.body)
    except MessageRejected as cause:
        raise LetterNotReplayable(f"its message cannot be decoded here: {cause}") from cause


def check(record: Job | Tombstone | None, *, force: bool) -> Job:
    """The letter's job, if it may be replayed; `force`: also one that succeeded or was cancelled.

    Raises LetterNotReplayable.
    """
    if record is None:
        raise LetterNotReplayable("its job has expired")
    if isinstance(record, Tombstone):
        raise LetterNotReplayable("its job was erased")
    if not record.ended:
        raise LetterNotReplayable(f"its job is {record.status} and goes on by itself; cancel it first")
    if record.status != Status.FAILED and not force:
        raise LetterNotReplayable(f"its job is {record.status}; force replays it all the same")
    return record


def first_stage(task: Task | None, job: Job, message: Message) -> Stage:
    """Where the new job begins: at the old one's stage, or at the earlier one whose part is the letter.

    Raises LetterNotReplayable for a task or a stage that is not installed here.
    """
    names = [stage.name for stage in task.stages] if task else []
    if task is None or job.stage not in names or message.stage not in names:
        raise LetterNotReplayable(f"stage {job.stage} of {job.task} is not installed here")
    is_earlier = names.index(message.stage) < names.index(job.stage)
    return task.stage(message.stage if is_earlier and message.part is not None else job.stage)


def reusable(task: Task, begin: Stage, kept: Collection[KeptPart]) -> list[KeptPart]:
    """The parts that the new job takes over: all of the stages before its first, and the finished ones of that."""
    names = [stage.name for stage in task.stages]
    before = set(names[: names.index(begin.name)])
    return [part for part in kept if part.stage in before or (part.stage == begin.name and not part.skipped)]


def replayed(
    job: Job, *, job_id: str, begin: Stage, kept: Collection[KeptPart], reused: Collection[KeptPart], blob: str,
    epoch: str, now: datetime, deadline_at: datetime,
) -> Job:  # fmt: skip
    """The new job. `kept`: every part that the old one has; `reused`: those of them that are copied."""
    fresh = new_job(
        tenant=job.tenant,
        job_id=job_id,
        task=job.task,
        options=job.options,
        upload=job.upload.model_copy(update={"blob": blob}),
        stage=begin.name,
        epoch=epoch,
        now=now,
        deadline_at=deadline_at,
    ).model_copy(update={"retry_of": job.job_id, "input_of": job.input_of})
    if not begin.window:
        return fresh
    # A stage that is over has no counter any more, but all its parts.
    of_stage = [part.part for part in kept if part.stage == begin.name]
    total = job.parts.total if begin.name == job.stage else max(of_stage, default=-1) + 1
    done = sum(part.stage == begin.name for part in reused)
    return fresh.model_copy(update={"status": Status.RUNNING, "parts": Parts(total=total, done=done)})


def copied(item: PartItem, job: Job) -> PartItem:
    """A finished part as the new job's own."""
    own = {"id": PartItem.id_of(job, item.stage, item.part), "job_id": job.job_id, "job_created_at": job.created_at}
    return item.model_copy(update=own)
