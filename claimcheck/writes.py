"""Every write of the job item: what it changes, and the condition under which it may. Pure.

| writer | condition |
|---|---|
| the runner of a whole-job stage, heartbeats too | `status = 'running' AND run.owner = mine` |
| a part | `status = 'running' AND epoch = e AND stage = s` |
| who judged a read (take, take-over, limit failure, dead letter, second accept, rescue) | the etag it judged |
| an outsider (cancel, deadline, a `moved_at` or `due_at` patch) | `status IN ('queued', 'running')` |

A refused write changes nothing: begin again. It may also be our own write whose answer was lost, so whoever is refused
reads before undoing anything. Every write sets `moved_at`; nothing lowers `due_at`.
Conditions are text without parameters, so only tokens, names and numbers that we made go into one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from claimcheck.job import End, Job, Parts, Run, Status, timestamp
from claimcheck.messages import Message

MAX_OPERATIONS = 10  # Cosmos DB, "Partial document update": operations in one patch.


@dataclass(frozen=True)
class Write:
    """One patch of the job item: exactly one of `condition` (a Cosmos predicate) and `etag` says when it may happen."""

    changes: Mapping[str, Any]
    """Path below the item, such as "run/progress" -> the value that is set there."""
    condition: str = ""
    etag: str = ""
    increments: Mapping[str, int] = field(default_factory=dict)

    def operations(self) -> list[dict[str, Any]]:
        """The patch as Cosmos takes it."""
        sets = [{"op": "set", "path": f"/{path}", "value": value} for path, value in self.changes.items()]
        adds = [{"op": "incr", "path": f"/{path}", "value": value} for path, value in self.increments.items()]
        operations = [*sets, *adds]
        assert len(operations) <= MAX_OPERATIONS, f"{len(operations)} operations; a patch holds {MAX_OPERATIONS}"
        return operations


OUTSIDER = "c.status IN ('queued', 'running')"


def _owned_by(owner: str) -> str:
    return f"c.status = 'running' AND c.run.owner = '{owner}'"


def take_unread(message: Message, run: Run, now: datetime) -> Write:
    """Take a queued job on a first delivery without reading it: the condition is the table's whole row."""
    row = (
        f"c.status = 'queued' AND c.epoch = '{message.epoch}' AND c.stage = '{message.stage}'"
        f" AND c.attempt = {message.attempt} AND c.turn = {message.turn}"
    )
    return Write(_taken(run, now), condition=row)


def take(job: Job, run: Run, now: datetime) -> Write:
    """Take, or take over, the job that was read."""
    return Write(_taken(run, now), etag=job.etag)


def _taken(run: Run, now: datetime) -> dict[str, Any]:
    return {"status": Status.RUNNING, "run": run.model_dump(mode="json"), "moved_at": timestamp(now)}


def heartbeat(owner: str, progress: float, now: datetime) -> Write:
    """Show that the runner is alive, and how far it is."""
    return Write({"run/progress": round(progress, 3), "moved_at": timestamp(now)}, condition=_owned_by(owner))


def retry(owner: str, message: Message, due_at: datetime, now: datetime) -> Write:
    """Put back after a retryable failure; `message` is the copy that will be sent: the next attempt."""
    return Write(
        {
            "status": Status.QUEUED,
            "attempt": message.attempt,
            "turn": message.turn,
            "run": None,
            "due_at": timestamp(due_at),
            "moved_at": timestamp(now),
        },
        condition=_owned_by(owner),
    )


def hand_back(owner: str, message: Message, now: datetime) -> Write:
    """Put back without a failure (drain); `message` is the copy that will be sent: the same attempt, the next turn."""
    return Write(
        {"status": Status.QUEUED, "turn": message.turn, "run": None, "moved_at": timestamp(now)},
        condition=_owned_by(owner),
    )


def advance(owner: str, stage: str, parts_total: int, now: datetime) -> Write:
    """End a whole-job stage and set the next one, without a runner and with its counters at 0."""
    return Write(_next_stage(stage, parts_total, now), condition=_owned_by(owner))


def join(job: Job, stage: str, now: datetime) -> Write:
    """End a fanned-out stage once every part is done. Refused: another delivery has joined."""
    here = f"c.status = 'running' AND c.epoch = '{job.epoch}' AND c.stage = '{job.stage}'"
    # A record without counters is one whose stage has no parts: `Job` leaves them out.
    all_done = "(NOT IS_DEFINED(c.parts) OR c.parts.done = c.parts.total)"
    return Write(_next_stage(stage, 0, now), condition=f"{here} AND {all_done}")


def _next_stage(stage: str, parts_total: int, now: datetime) -> dict[str, Any]:
    return {
        "status": Status.RUNNING,
        "stage": stage,
        "attempt": 1,
        "turn": 0,
        "run": None,
        "parts": Parts(total=parts_total).model_dump(mode="json"),
        "moved_at": timestamp(now),
    }


def _in_stage(message: Message) -> str:
    return f"c.status = 'running' AND c.epoch = '{message.epoch}' AND c.stage = '{message.stage}'"


def beat(message: Message, now: datetime) -> Write:
    """The heartbeat of a part."""
    return Write({"moved_at": timestamp(now)}, condition=_in_stage(message))


def count_part(message: Message, now: datetime) -> Write:
    """Count a part; goes into one batch with the creation of its item."""
    return Write({"moved_at": timestamp(now)}, condition=_in_stage(message), increments={"parts/done": 1})


def end_by_runner(owner: str, status: Status, end: End, ttl_s: int, now: datetime) -> Write:
    """Succeed or fail the job that `owner` runs."""
    return Write(_ended(status, end, ttl_s, now), condition=_owned_by(owner))


def fail_as_read(job: Job, end: End, ttl_s: int, now: datetime) -> Write:
    """Fail a job that nobody of ours runs, as it was judged from a read."""
    return Write(_ended(Status.FAILED, end, ttl_s, now), etag=job.etag)


def _ended(status: Status, end: End, ttl_s: int, now: datetime) -> dict[str, Any]:
    return {
        "status": status,
        "run": None,
        "end": end.model_dump(mode="json", exclude_none=True),
        "ttl": ttl_s,
        "moved_at": timestamp(now),
    }


def touch(now: datetime) -> Write:
    """Say that a message is about to be sent for a record that the sender has not just written."""
    return Write({"moved_at": timestamp(now)}, condition=OUTSIDER)


def touch_as_read(job: Job, now: datetime) -> Write:
    """The same by who judged a read: the second accept of an idempotency key. Refused: judge again."""
    return Write({"moved_at": timestamp(now)}, etag=job.etag)


def cancel(ttl_s: int, now: datetime) -> Write:
    """Cancel a job, whatever it is about to do. Refused: it has ended, or is gone."""
    return Write(_ended(Status.CANCELLED, End(at=now), ttl_s, now), condition=OUTSIDER)


def rescue(job: Job, epoch: str, now: datetime, *, fan_out: bool) -> Write:
    """Give the job that was judged a new generation of messages; those of the old one announce it and are dropped.

    A fan-out stays `running`: its parts never change the status, and are counted under this epoch from now on.
    """
    status = Status.RUNNING if fan_out else Status.QUEUED
    return Write({"status": status, "epoch": epoch, "turn": 0, "run": None, "moved_at": timestamp(now)}, etag=job.etag)


def exceed_deadline(end: End, ttl_s: int, now: datetime) -> Write:
    """Fail a job past its deadline, whatever it is about to do. Refused: it has ended, or is another job by now."""
    return Write(_ended(Status.FAILED, end, ttl_s, now), condition=f"{OUTSIDER} AND c.deadline_at < '{timestamp(now)}'")


def postpone(due_at: datetime, now: datetime) -> Write:
    """Note a scheduled copy's due time. Refused: a later one stands, or the job has ended."""
    due = timestamp(due_at)
    earlier = f"(NOT IS_DEFINED(c.due_at) OR IS_NULL(c.due_at) OR c.due_at < '{due}')"
    return Write({"due_at": due, "moved_at": timestamp(now)}, condition=f"{OUTSIDER} AND {earlier}")
