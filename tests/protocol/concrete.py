"""Jobs and messages as the product has them, made from the short form of `state`, and back. Pure.

Tokens are told apart only as far as a write's condition can: the writer's own, anyone else's, and a new one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from claimcheck.job import End, Job, Parts, ResultRef, Run, Status, Tombstone, Upload, tombstone
from claimcheck.messages import Message
from claimcheck.tasks import Task
from tests.protocol.state import ERASED, NOBODY, WHOLE, Due, Ident, Record

TENANT, JOB_ID = "t", "00000000-0000-4000-8000-000000000000"
MINE, OTHERS, NEW = "mine", "others", "new"

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE = NOW - timedelta(minutes=1)
"""When a record was last written that is written now."""
AHEAD = NOW + timedelta(hours=1)
TTL_S = 604_800
RESULTS = {"blob": ResultRef(blob="result"), "item": ResultRef(item="result")}


class Violation(Exception):
    """A property broken by one transition."""


def message_of(task: Task, ident: Ident) -> Message:
    """The message that says this."""
    return Message(
        tenant=TENANT,
        job_id=JOB_ID,
        epoch=f"{ident.epoch:08x}",
        stage=task.stages[ident.stage].name,
        part=None if ident.part == WHOLE else ident.part,
        attempt=ident.attempt,
        turn=ident.turn,
    )


def ident_of(task: Task, message: Message) -> Ident:
    """What a message says, in short."""
    part = WHOLE if message.part is None else message.part
    return Ident(int(message.epoch, 16), position(task, message.stage), part, message.attempt, message.turn)


def position(task: Task, stage: str) -> int:
    """Where a stage stands in its task."""
    return [stage.name for stage in task.stages].index(stage)


def job_of(task: Task, record: Record, *, owner: str = OTHERS) -> Job:
    """The record as the product reads it, written a minute ago. `owner`: the token of its runner."""
    return Job(
        tenant=TENANT,
        job_id=JOB_ID,
        task=task.name,
        upload=Upload(blob="upload", size_bytes=1, sha256="0"),
        status=Status(record.status),
        created_at=BEFORE,
        deadline_at=BEFORE,
        moved_at=BEFORE,
        due_at={"never": None, "past": BEFORE, "ahead": AHEAD}[record.due],
        epoch=f"{record.epoch:08x}",
        stage=task.stages[record.stage].name,
        attempt=record.attempt,
        turn=record.turn,
        run=run_of(record.runner, owner) if record.runner != NOBODY else None,
        parts=Parts(total=record.total, done=record.done),
        end=_end_of(record),
        _etag="as read",
    )


def run_of(number: int, owner: str) -> Run:
    """A runner."""
    return Run(sequence_number=str(number), owner=owner, started_at=BEFORE)


def _end_of(record: Record) -> End | None:
    if record.end:
        return End(at=BEFORE, result=RESULTS.get(record.end), error=PROBLEM if record.end == "problem" else None)
    return End(at=BEFORE) if record.status == Status.CANCELLED else None


PROBLEM: dict[str, Any] = {"type": "urn:claimcheck:problem:searched"}


def stored(task: Task, record: Record, *, owner: str = OTHERS) -> Job | Tombstone:
    """What a read of the record gives."""
    if record.status == ERASED:
        return tombstone(job_of(task, record._replace(status=Status.CANCELLED)), NOW)
    return job_of(task, record, owner=owner)


def record_of(task: Task, item: dict[str, Any]) -> Record:
    """The job item in short. Raises Violation if its last write did not say when it was."""
    job = Job.model_validate(item)
    if job.moved_at != NOW:
        raise Violation("W every write sets moved_at")
    return Record(
        status=str(job.status),
        epoch=int(job.epoch, 16),
        stage=position(task, job.stage),
        attempt=job.attempt,
        turn=job.turn,
        runner=int(job.run.sequence_number) if job.run else NOBODY,
        done=job.parts.done,
        total=job.parts.total,
        due=_due(job),
        end=_kind_of(job.end),
    )


def _due(job: Job) -> Due:
    if job.waits_until(NOW):
        return "ahead"
    return "past" if job.due_at else "never"


def _kind_of(end: End | None) -> Any:
    if end is None:
        return ""
    if end.error:
        return "problem"
    return next((kind for kind, result in RESULTS.items() if end.result == result), "")
