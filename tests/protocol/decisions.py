"""The functions of the product that the search runs over, one field each, so that a rule can be switched off.

Nothing is decided here. `WRITES` says with which arguments each writer of the job item makes its write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from claimcheck import pipeline, protocol, rescuing, settlements, writes
from claimcheck.job import End, Job, Status
from claimcheck.tasks import Task
from claimcheck.writes import Write
from tests.protocol.concrete import AHEAD, MINE, NEW, NOW, PROBLEM, RESULTS, TTL_S, job_of, message_of, run_of
from tests.protocol.state import Ident, Record

MakeWrite = Callable[..., Write]
"""(task, the job as it was read or announced, further arguments) -> the write."""


def _take(task: Task, job: Job, number: int) -> Write:
    return writes.take(job, run_of(number, NEW), NOW)


def _take_unread(task: Task, job: Job, ident: Ident, number: int) -> Write:
    return writes.take_unread(message_of(task, ident), run_of(number, NEW), NOW)


def _retry(task: Task, job: Job, copy: Ident) -> Write:
    return writes.retry(MINE, message_of(task, copy), AHEAD, NOW)


def _hand_back(task: Task, job: Job, copy: Ident) -> Write:
    return writes.hand_back(MINE, message_of(task, copy), NOW)


def _advance(task: Task, job: Job, stage: int, parts: int) -> Write:
    return writes.advance(MINE, task.stages[stage].name, parts, NOW)


def _join(task: Task, job: Job, announced: Record) -> Write:
    # Who joins goes by what it announced, not by the record as it is.
    job = job_of(task, announced)
    return writes.join(job, pipeline.stage_after(task, job.stage).name, NOW)


def _count_part(task: Task, job: Job, part: Ident) -> Write:
    return writes.count_part(message_of(task, part), NOW)


def _beat(task: Task, job: Job, part: Ident) -> Write:
    return writes.beat(message_of(task, part), NOW)


def _heartbeat(task: Task, job: Job) -> Write:
    return writes.heartbeat(MINE, 0.5, NOW)


def _succeed(task: Task, job: Job, kept_in: str) -> Write:
    return writes.end_by_runner(MINE, Status.SUCCEEDED, End(at=NOW, result=RESULTS[kept_in]), TTL_S, NOW)


def _fail(task: Task, job: Job) -> Write:
    return writes.end_by_runner(MINE, Status.FAILED, End(at=NOW, error=PROBLEM), TTL_S, NOW)


def _fail_as_read(task: Task, job: Job) -> Write:
    return writes.fail_as_read(job, End(at=NOW, error=PROBLEM), TTL_S, NOW)


def _rescue(task: Task, job: Job, epoch: int) -> Write:
    return writes.rescue(job, f"{epoch:08x}", NOW, fan_out=bool(task.stage(job.stage).window))


def _exceed_deadline(task: Task, job: Job) -> Write:
    return writes.exceed_deadline(End(at=NOW, error=PROBLEM), TTL_S, NOW)


WRITES: dict[str, MakeWrite] = {
    "take": _take,
    "take_unread": _take_unread,
    "retry": _retry,
    "hand_back": _hand_back,
    "advance": _advance,
    "join": _join,
    "count_part": _count_part,
    "beat": _beat,
    "heartbeat": _heartbeat,
    "succeed": _succeed,
    "fail": _fail,
    "fail_as_read": _fail_as_read,
    "rescue": _rescue,
    "exceed_deadline": _exceed_deadline,
    "cancel": lambda task, job: writes.cancel(TTL_S, NOW),
    "touch": lambda task, job: writes.touch(NOW),
    "touch_as_read": lambda task, job: writes.touch_as_read(job, NOW),
    "postpone": lambda task, job: writes.postpone(AHEAD, NOW),
}


@dataclass(frozen=True)
class Decisions:
    """The product, or the product with a rule switched off."""

    begin: Callable[..., protocol.Begin] = protocol.begin
    judge_letter: Callable[..., protocol.Begin] = protocol.judge_letter
    announce: Callable[..., protocol.Announcement] = protocol.announce
    pass_on: Callable[..., protocol.Announcement | None] = protocol.pass_on
    settle: Callable[..., settlements.Settlement] = settlements.decide
    is_old: Callable[..., bool] = rescuing.is_old
    is_head: Callable[..., bool] = rescuing.is_head
    is_fresh: Callable[..., bool] = rescuing.is_fresh
    needs_rescue: Callable[..., bool] = rescuing.needs_rescue
    writes: Mapping[str, MakeWrite] = field(default_factory=lambda: WRITES)
