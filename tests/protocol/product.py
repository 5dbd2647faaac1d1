"""Ask the product, in the short form of `state`, and remember its answers: a search asks the same a million times.

A write is the product's, too: its condition is evaluated, and its patch applied, by the Cosmos DB emulator.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

from azure_local_emulators.cosmos.errors import ServiceError
from azure_local_emulators.cosmos.patching import Patch
from claimcheck import protocol
from claimcheck.errors import DependencyFailure, PermanentFailure, WorkerDied
from claimcheck.failures import RetryBudget, RetryPolicy
from claimcheck.job import Job, Status
from claimcheck.pipeline import MoveOn
from claimcheck.rescuing import PATIENCE_LOCKS, Waiting
from claimcheck.settlements import (
    Advance,
    Failed,
    FailJob,
    FinishPart,
    NotRun,
    Outcome,
    PutBack,
    Returned,
    Succeed,
    not_ready,
)
from claimcheck.tasks import Task
from tests.protocol.concrete import (
    MINE,
    NOW,
    OTHERS,
    Violation,
    ident_of,
    job_of,
    message_of,
    position,
    record_of,
    stored,
)
from tests.protocol.decisions import Decisions
from tests.protocol.state import Due, Ident, Place, Record, Request

Verdict = Literal["complete", "announce", "pass on", "give up", "run part", "take"]
VERDICTS: dict[type[protocol.Begin], Verdict] = {
    protocol.Complete: "complete",
    protocol.AnnounceThenComplete: "announce",
    protocol.PassOnThenComplete: "pass on",
    protocol.GiveUp: "give up",
    protocol.RunPart: "run part",
    protocol.Take: "take",
}
OUTCOMES: dict[str, Outcome] = {
    "result": Returned({}),
    "moved on": Returned(MoveOn()),
    "failed": Failed(DependencyFailure("searched")),
    "refused": Failed(PermanentFailure("searched")),
    "died": Failed(WorkerDied("searched")),
    "drained": NotRun(),
    "not installed": NotRun(timedelta(seconds=30)),
    "cooling": not_ready(5.0),
}
LOCK = timedelta(minutes=1)
PATIENCE = PATIENCE_LOCKS * LOCK
SOON = timedelta(seconds=1)  # A message is sent right after the record was written.


Settlement = tuple[str, Any]
"""succeed, None | advance, (stage, parts) | put back, (copy, has a due time) | fail, None | finish part, None"""
Sending = tuple[tuple[Ident, ...], bool]
"""The messages that a record waits for; whether it waits for the join instead."""
Waitings = tuple[tuple[Place, bool], ...]
"""Of each message that a peek shows: where it is, and whether it is late."""


class Product:
    """One task's decisions. Each is asked once for the same arguments."""

    def __init__(self, task: Task, decisions: Decisions, *, parts: int, max_attempts: int) -> None:
        """`parts`: into how many the task's first stage splits a job."""
        self._task, self._decisions, self._parts = task, decisions, parts
        self._max_attempts = max_attempts
        self._policy = RetryPolicy(max_attempts=max_attempts, backoff_first_s=2.0, backoff_max_s=300.0)
        self._budget = RetryBudget.full(retries=1)  # When a retry comes due, the search draws itself.
        self.begin = cache(self._begin)
        self.judge_letter = cache(self._judge_letter)
        self.settle = cache(self._settle)
        self.announce = cache(self._announce)
        self.pass_on = cache(self._pass_on)
        self.waits = cache(self._waits)
        self.needs_rescue = cache(self._needs_rescue)
        self.written = cache(self._written)

    def fans_out(self, stage: int) -> bool:
        """Whether the stage is done in parts."""
        return bool(self._task.stages[stage].window)

    def is_last(self, stage: int) -> bool:
        """Whether the job has its result after the stage."""
        return stage == len(self._task.stages) - 1

    def over_limit(self, ident: Ident, count: int) -> bool:
        """Whether a delivery must not be run any more."""
        return ident.attempt + count > self._max_attempts

    def _begin(self, record: Record | None, ident: Ident, own: bool, count: int, part_done: bool) -> Verdict:
        """`own`: the record's runner has this message's number."""
        begun = self._decisions.begin(
            stored(self._task, record) if record else None,
            message_of(self._task, ident),
            sequence_number=self._number(record, own),
            delivery_count=count,
            part_done=part_done,
            max_attempts=self._max_attempts,
        )
        return VERDICTS[type(begun)]

    def _judge_letter(self, record: Record | None, ident: Ident, own: bool, count: int, part_done: bool) -> Verdict:
        judged = self._decisions.judge_letter(
            stored(self._task, record) if record else None,
            message_of(self._task, ident),
            sequence_number=self._number(record, own),
            delivery_count=count,
            part_done=part_done,
        )
        return VERDICTS[type(judged)]

    def _number(self, record: Record | None, own: bool) -> str:
        return str(record.runner) if own and record else "another"

    def _settle(self, ident: Ident, count: int, outcome: str) -> Settlement:
        settlement = self._decisions.settle(
            self._task,
            message_of(self._task, ident),
            OUTCOMES[outcome],
            delivery_count=count,
            policy=self._policy,
            budget=self._budget,
            jitter=0.5,
            now=NOW,
        )
        match settlement:
            case Succeed():
                return "succeed", None
            case Advance(stage):
                following = position(self._task, stage)
                return "advance", (following, self._parts if self.fans_out(following) else 0)
            case PutBack(copy, due_at):
                return "put back", (ident_of(self._task, copy), due_at is not None)
            case FailJob():
                return "fail", None
            case FinishPart():
                return "finish part", None

    def _announce(self, record: Record, items: int) -> Sending:
        """`items`: the finished parts."""
        done = {part for part in range(record.total) if items >> part & 1}
        window = self._task.stages[record.stage].window
        return self._sending(self._decisions.announce(job_of(self._task, record), window=window, done=done))

    def _pass_on(self, record: Record, ident: Ident) -> Sending | None:
        """None: ask `announce`."""
        window = self._task.stages[ident.stage].window
        job = job_of(self._task, record)
        following = self._decisions.pass_on(job, message_of(self._task, ident), window=window)
        return None if following is None else self._sending(following)

    def _sending(self, announcement: protocol.Announcement) -> Sending:
        return tuple(ident_of(self._task, message) for message in announcement.messages), announcement.join

    def _waits(self, record: Record) -> bool:
        """Whether a message of the whole job is sent for later."""
        return job_of(self._task, record).waits_until(NOW) is not None

    def _needs_rescue(self, record: Record, impatient: bool, waiting: Waitings) -> bool:
        """What the rescuer finds that reads the record and then peeks. `impatient`: both have stood for long."""
        ask, now = self._decisions, NOW + (3 * PATIENCE if impatient else SOON)
        job = job_of(self._task, record).model_copy(update=_moved(record.due))
        head_at = now
        for place, late in sorted(waiting, key=lambda shown: shown[1]):
            shown = Waiting(NOW + (2 * PATIENCE if late else SOON), scheduled=place == "later")
            old = ask.is_old(shown, now=now, patience=PATIENCE)
            fresh = old and ask.is_fresh(job, now=now, patience=PATIENCE)
            if ask.is_head(shown, fresh=fresh, now=now, patience=PATIENCE):
                head_at = shown.enqueued_at
                break
        return ask.needs_rescue(job, head_at=head_at, patience=PATIENCE)

    def _written(self, record: Record, write: Request, owns: bool, fresh: bool) -> Record | None:
        """The record after a write, by whom the token in it `owns`, or whose etag is `fresh`; None: refused.

        `write`: its name and arguments. The product makes it from the record as it is: that of a stale etag is
        refused, whatever else it says.
        """
        name, *arguments = write
        item = stored(self._task, record, owner=MINE if owns else OTHERS)
        job = item if isinstance(item, Job) else job_of(self._task, record._replace(status=Status.CANCELLED))
        made = self._decisions.writes[name](self._task, job, *arguments)
        if made.etag and not fresh:
            return None
        body: dict[str, Any] = {"operations": made.operations()}
        if made.condition:
            body["condition"] = f"FROM c WHERE {made.condition}"
        patch = Patch(body, fixed=frozenset({"id", "tenant", "job_id"}))
        document = item.model_dump(mode="json")
        if isinstance(item, Job) and self.fans_out(record.stage):
            document["parts"] = item.parts.model_dump()  # Written by the patch that began the stage, even if all are 0.
        if not patch.holds(document):
            return None
        try:
            return record_of(self._task, patch.apply(document))
        except ServiceError as misfit:
            raise Violation("W a write fits the record for which its condition holds") from misfit


def _moved(due: Due) -> dict[str, datetime | None]:
    """When the record moved and is due, on the clock of a rescue: it has stood, or is due, since `NOW`."""
    times: dict[Due, tuple[datetime, datetime | None]] = {
        "never": (NOW, None),
        "past": (NOW - PATIENCE, NOW),
        "ahead": (NOW, NOW + 10 * PATIENCE),
    }
    moved_at, due_at = times[due]
    return {"moved_at": moved_at, "due_at": due_at}
