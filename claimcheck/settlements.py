"""Decide how a delivery ends, from what its stage came to. Pure: no clock, no queue, no log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from claimcheck import failures, pipeline
from claimcheck.errors import JobFailure, PermanentFailure, UnexpectedError
from claimcheck.failures import RetryBudget, RetryPolicy
from claimcheck.messages import Message
from claimcheck.pipeline import MoveOn, NoNextStage
from claimcheck.tasks import Task

SPREAD_LEAST_S = 1.0  # What was put back in one moment comes back over that much time at the least,
SPREAD_MOST_S = 30.0  # and after a long rest over half a minute: longer would leave endpoints idle.


@dataclass(frozen=True)
class Returned:
    """The handler returned."""

    value: dict[str, Any] | MoveOn


@dataclass(frozen=True)
class Failed:
    """The handler failed, or was never run because earlier deliveries died."""

    failure: JobFailure


@dataclass(frozen=True)
class NotRun:
    """The stage was not run to its end, and that is nobody's failure: the worker stops or does not know the task, or no
    endpoint is ready.

    `delay`: how long another worker, or an endpoint, should be waited for at the least.
    `spread`: over how much more time jobs that wait for the same come back, each at a time of its own.
    """

    delay: timedelta = timedelta()
    spread: timedelta = timedelta()


Outcome = Returned | Failed | NotRun


def not_ready(delay_s: float) -> NotRun:
    """No endpoint that could answer may be asked for so many seconds."""
    spread_s = min(max(delay_s / 2, SPREAD_LEAST_S), SPREAD_MOST_S)
    return NotRun(timedelta(seconds=delay_s), timedelta(seconds=spread_s))


@dataclass(frozen=True)
class Succeed:
    """End the job with this result."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Advance:
    """Set the next stage and announce it."""

    stage: str
    parts: int


@dataclass(frozen=True)
class PutBack:
    """Write the record, send `copy` (scheduled if it has a due time), complete the original."""

    copy: Message
    due_at: datetime | None = None
    from_budget: bool = False
    """Whether it costs the worker's budget of retries."""


@dataclass(frozen=True)
class FailJob:
    """End the job with this problem."""

    problem: dict[str, Any]


@dataclass(frozen=True)
class FinishPart:
    """Create the part's item, with a result or, if it was skipped, a warning; count it; pass on."""

    result: dict[str, Any] | None = None
    warning: dict[str, Any] | None = None


Settlement = Succeed | Advance | PutBack | FailJob | FinishPart


def decide(
    task: Task | None,
    message: Message,
    outcome: Outcome,
    *,
    delivery_count: int,
    policy: RetryPolicy,
    budget: RetryBudget,
    jitter: float,
    now: datetime,
) -> Settlement:
    """What to write, send and settle. `delivery_count`: earlier deliveries; `jitter`: uniform in [0, 1).

    `task` is None if this worker does not know it; then nothing can have returned.
    """
    if isinstance(outcome, NotRun):
        wait = outcome.delay + jitter * outcome.spread
        again = message.model_copy(update={"turn": message.turn + 1})
        return PutBack(again, now + wait if outcome.delay or outcome.spread else None)
    if isinstance(outcome, Returned):
        assert task is not None
        try:
            return _advanced(task, message, outcome.value)
        except NoNextStage as bug:
            outcome = Failed(UnexpectedError(str(bug)))
    verdict = failures.decide(
        outcome.failure,
        attempt=message.attempt,
        delivery_count=delivery_count,
        policy=policy,
        budget=budget,
        jitter=jitter,
    )
    return _failed(message, verdict, now)


def budget_after(budget: RetryBudget, message: Message, settlement: Settlement) -> RetryBudget:
    """What is left of the worker's budget of retries after this settlement."""
    if isinstance(settlement, PutBack):
        return budget.after_retry() if settlement.from_budget else budget
    failed = isinstance(settlement, FailJob) or (isinstance(settlement, FinishPart) and settlement.warning is not None)
    return budget if failed else budget.after_success(message.attempt)


def _advanced(task: Task, message: Message, value: dict[str, Any] | MoveOn) -> Settlement:
    if isinstance(value, MoveOn):
        if message.part is not None:
            raise NoNextStage(f"{task.name}: a part of {message.stage} moved on; only the whole stage does, by itself")
        return Advance(pipeline.stage_after(task, message.stage).name, value.parts)
    return Succeed(value) if message.part is None else FinishPart(result=value)


def _failed(message: Message, verdict: failures.Retry | failures.Fail, now: datetime) -> Settlement:
    if isinstance(verdict, failures.Fail):
        return give_up(message, verdict.failure)
    again = message.model_copy(update={"attempt": message.attempt + 1, "turn": 0})
    return PutBack(again, now + verdict.delay, from_budget=verdict.from_budget)


def give_up(message: Message, failure: PermanentFailure) -> FailJob | FinishPart:
    """Fail the job of the message; of a part: skip it with a warning."""
    problem = failure.problem()
    return FailJob(problem) if message.part is None else FinishPart(warning={**problem, "part": message.part})
