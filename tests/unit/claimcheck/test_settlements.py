"""What a delivery comes to: every outcome, for a stage of the whole job and for a part."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from claimcheck import settlements
from claimcheck.errors import DependencyFailure, MediaUnreadable, WorkerDied
from claimcheck.failures import RetryBudget, RetryPolicy
from claimcheck.messages import Message
from claimcheck.pipeline import MoveOn
from claimcheck.settlements import Advance, Failed, FailJob, FinishPart, NotRun, Outcome, PutBack, Returned, Succeed
from claimcheck.tasks import Stage, Task
from tests.unit.claimcheck.samples import NOW, message

TASK = Task(
    name="fan",
    media_types=("audio/*",),
    options=BaseModel,
    stages=(
        Stage("whole", "speech", "m:f"),
        Stage("speech", "speech", "m:f", window=2),
        Stage("assemble", "media", "m:f"),
    ),
)
AMPLE = RetryBudget.full(retries=1)
PART = message(stage="speech", part=3, attempt=2, turn=1)
WHOLE = message(attempt=2, turn=1)


def decide(delivered: Message, outcome: Outcome, delivery_count: int = 0) -> settlements.Settlement:
    policy = RetryPolicy(max_attempts=5, backoff_first_s=2.0, backoff_max_s=300.0)
    return settlements.decide(
        TASK, delivered, outcome, delivery_count=delivery_count, policy=policy, budget=AMPLE, jitter=0.5, now=NOW
    )


def test_result_of_the_whole_job_ends_it() -> None:
    assert decide(WHOLE, Returned({"text": "x"})) == Succeed({"text": "x"})


def test_result_of_a_part_finishes_the_part() -> None:
    assert decide(PART, Returned({"text": "x"})) == FinishPart(result={"text": "x"})


def test_moving_on_sets_the_next_stage_with_its_parts() -> None:
    assert decide(WHOLE, Returned(MoveOn(parts=7))) == Advance("speech", 7)


def test_moving_on_from_the_last_stage_is_a_bug_that_is_retried() -> None:
    assert isinstance(decide(message(stage="assemble"), Returned(MoveOn())), PutBack)


def test_part_that_moves_on_is_a_bug_that_is_retried() -> None:
    assert isinstance(decide(PART, Returned(MoveOn())), PutBack)


def test_retryable_failure_puts_back_the_next_attempt_with_a_due_time() -> None:
    settlement = decide(WHOLE, Failed(DependencyFailure("busy")))
    assert settlement == PutBack(message(attempt=3, turn=0), NOW + timedelta(seconds=2.0), from_budget=True)


def test_drain_puts_back_the_same_attempt_at_once_with_the_next_turn() -> None:
    assert decide(WHOLE, NotRun()) == PutBack(message(attempt=2, turn=2))
    assert decide(PART, NotRun()) == PutBack(message(stage="speech", part=3, attempt=2, turn=2))


def test_worker_that_does_not_know_the_task_puts_it_back_for_later_without_spending_an_attempt() -> None:
    policy = RetryPolicy(max_attempts=5, backoff_first_s=2.0, backoff_max_s=300.0)
    wait = timedelta(seconds=30)
    settlement = settlements.decide(
        None, WHOLE, NotRun(wait), delivery_count=0, policy=policy, budget=AMPLE, jitter=0.5, now=NOW
    )
    assert settlement == PutBack(message(attempt=2, turn=2), NOW + wait)


@pytest.mark.parametrize(
    ("delay_s", "waits_s"),
    [(0.0, 0.5), (0.4, 0.9), (2.0, 2.5), (10.0, 12.5), (60.0, 75.0), (600.0, 615.0)],
)
def test_jobs_for_which_no_endpoint_is_ready_come_back_later_and_spread(delay_s: float, waits_s: float) -> None:
    half = NOW + timedelta(seconds=waits_s)
    assert decide(WHOLE, settlements.not_ready(delay_s)) == PutBack(message(attempt=2, turn=2), half)
    assert decide(PART, settlements.not_ready(delay_s)) == PutBack(
        message(stage="speech", part=3, attempt=2, turn=2), half
    )


def test_job_that_is_put_off_a_thousand_times_spends_nothing_and_repeats_no_message_id() -> None:
    policy = RetryPolicy(max_attempts=5, backoff_first_s=2.0, backoff_max_s=300.0)
    delivered, budget, now = message(stage="s" * 40, part=99_999), AMPLE, NOW
    ids = {delivered.message_id}
    for _ in range(1000):
        settlement = settlements.decide(
            TASK, delivered, settlements.not_ready(5.0),
            delivery_count=0, policy=policy, budget=budget, jitter=0.0, now=now,
        )  # fmt: skip
        assert isinstance(settlement, PutBack)
        assert settlement.due_at == now + timedelta(seconds=5)
        budget = settlements.budget_after(budget, delivered, settlement)
        delivered, now = settlement.copy, settlement.due_at
        ids.add(delivered.message_id)
    assert (len(ids), delivered.attempt, budget) == (1001, 1, AMPLE)
    assert max(map(len, ids)) <= 128


def test_permanent_failure_fails_the_job() -> None:
    settlement = decide(WHOLE, Failed(MediaUnreadable("no decoder reads it")))
    assert isinstance(settlement, FailJob)
    assert settlement.problem["type"] == "urn:claimcheck:problem:media-unreadable"


def test_permanent_failure_of_a_part_skips_it_with_a_warning() -> None:
    settlement = decide(PART, Failed(MediaUnreadable("no decoder reads it")))
    assert isinstance(settlement, FinishPart)
    assert settlement.result is None
    warning: dict[str, Any] = settlement.warning or {}
    assert (warning["part"], warning["detail"]) == (3, "no decoder reads it")


def test_given_up_job_fails_and_given_up_part_is_skipped() -> None:
    assert isinstance(decide(WHOLE, Failed(WorkerDied("5 deaths"))), FailJob)
    assert isinstance(decide(PART, Failed(WorkerDied("5 deaths"))), FinishPart)


@pytest.mark.parametrize(
    ("settlement", "delivered", "tokens"),
    [
        (PutBack(WHOLE, NOW, from_budget=True), WHOLE, 10),
        (PutBack(WHOLE, NOW), WHOLE, 15),
        (PutBack(WHOLE), WHOLE, 15),
        (FailJob({}), WHOLE, 15),
        (FinishPart(warning={}), PART, 15),
        (Succeed({}), WHOLE, 20),
        (Succeed({}), message(attempt=1), 16),
        (Advance("speech", 3), message(attempt=1), 16),
        (FinishPart(result={}), PART, 20),
    ],
)
def test_retries_cost_the_budget_and_successes_give_back(
    settlement: settlements.Settlement, delivered: Message, tokens: int
) -> None:
    budget = RetryBudget(15, 50)
    assert settlements.budget_after(budget, delivered, settlement).tokens == tokens
