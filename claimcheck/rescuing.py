"""Which jobs nobody will ever run again unless the keeper sees to it. Pure.

A record that waits for a message which is not on the queue looks like one whose message waits in a long line. They are
told apart by the head of the queue: messages are handed out in order, so a job that last moved well before the head was
sent has no message in the line behind it. That is why 50,000 waiting jobs without a worker cause no second message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from claimcheck.job import Job, Tombstone

PATIENCE_LOCKS = 5  # A runner shows itself once a lock (heartbeat), and clocks of two machines differ by a minute.


@dataclass(frozen=True)
class Waiting:
    """A message as a peek shows it; one that is leased at the moment too."""

    enqueued_at: datetime
    """By the broker's clock."""
    scheduled: bool
    """Not due yet, so not in the line."""


def last_moved(job: Job) -> datetime:
    """When the job last moved, or will be due: until then nothing is expected of it."""
    return max(job.moved_at, job.due_at) if job.due_at else job.moved_at


def is_fresh(record: Job | Tombstone | None, *, now: datetime, patience: timedelta) -> bool:
    """Whether the job moved lately: then its message may be old because the job is being run."""
    return isinstance(record, Job) and now - last_moved(record) < patience


def is_old(waiting: Waiting, *, now: datetime, patience: timedelta) -> bool:
    """Whether the message is in the line for so long that somebody may be running its job: then `is_head` must know
    whether that moves."""
    return not waiting.scheduled and now - waiting.enqueued_at >= patience


def is_head(waiting: Waiting, *, fresh: bool, now: datetime, patience: timedelta) -> bool:
    """Whether the line begins at this message, the ones before it having been passed over.

    `fresh`: of the message's job, as `is_fresh` says; it matters only for an old message, which is passed over if its
    job is being run.
    """
    return not waiting.scheduled and not (fresh and is_old(waiting, now=now, patience=patience))


def needs_rescue(job: Job, *, head_at: datetime, patience: timedelta) -> bool:
    """Whether no message of the job can be in the line. `head_at`: when its head was sent; of an empty line, now.

    The job must have been read before the line was looked at: its message may be sent and run in between.
    """
    return not job.ended and last_moved(job) < head_at - patience
