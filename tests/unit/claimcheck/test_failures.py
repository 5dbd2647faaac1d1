"""When a failure is retried, how long that waits, and when it is final."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.errors import (
    AttemptsExhausted,
    DependencyFailure,
    JobFailure,
    MediaDecoderCrashed,
    MediaUnreadable,
    UnexpectedError,
)
from claimcheck.failures import RETRY_COSTS, Fail, Retry, RetryBudget, RetryPolicy, backoff_s, decide

POLICY = RetryPolicy(max_attempts=5, backoff_first_s=2.0, backoff_max_s=300.0)
BUSY = DependencyFailure("the storage is busy")
FULL, EMPTY = RetryBudget.full(10), RetryBudget(0, 10 * RETRY_COSTS)
ALMOST_ONE = RetryBudget(RETRY_COSTS - 1, 10 * RETRY_COSTS)


def verdict(
    failure: JobFailure = BUSY,
    *,
    attempt: int = 1,
    delivery_count: int = 0,
    policy: RetryPolicy = POLICY,
    budget: RetryBudget = FULL,
    jitter: float = 0.5,
) -> Retry | Fail:
    return decide(failure, attempt=attempt, delivery_count=delivery_count, policy=policy, budget=budget, jitter=jitter)


def wait_s(found: Retry | Fail) -> float:
    assert isinstance(found, Retry)
    return found.delay.total_seconds()


def test_permanent_failure_is_final_at_the_first_attempt() -> None:
    failure = MediaUnreadable("no decoder reads it")
    assert verdict(failure) == Fail(failure)


@pytest.mark.parametrize(
    ("attempt", "delivery_count", "retried"),
    [
        (1, 0, True),
        (4, 0, True),
        (5, 0, False),
        (6, 0, False),
        (1, 3, True),
        (1, 4, False),
        (1, 5, False),
        (3, 1, True),
        (3, 2, False),
        (3, 3, False),
    ],
)
def test_retryable_failure_is_final_when_attempt_and_deliveries_reach_the_limit(
    attempt: int, delivery_count: int, retried: bool
) -> None:
    found = verdict(attempt=attempt, delivery_count=delivery_count)
    assert isinstance(found, Retry if retried else Fail)


def test_last_failure_is_told_in_the_problem() -> None:
    found = verdict(attempt=5)
    assert isinstance(found, Fail)
    assert isinstance(found.failure, AttemptsExhausted)
    assert found.failure.problem()["last"]["type"] == "urn:claimcheck:problem:dependency-failure"


@pytest.mark.parametrize(("attempt", "ceiling_s"), [(1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (10_000, 300)])
def test_wait_doubles_up_to_its_maximum(attempt: int, ceiling_s: float) -> None:
    assert backoff_s(attempt, policy=POLICY, jitter=0.999999) == pytest.approx(ceiling_s, rel=1e-3)
    assert backoff_s(attempt, policy=POLICY, jitter=0.0) == 0


@pytest.mark.parametrize(("asked_s", "waits_s"), [(None, 1.0), (0.0, 1.0), (0.5, 1.5), (2.0, 3.0), (900.0, 901.0)])
def test_back_off_comes_on_top_of_what_the_service_asked_for(asked_s: float | None, waits_s: float) -> None:
    assert wait_s(verdict(DependencyFailure("busy", retry_after_s=asked_s))) == pytest.approx(waits_s)


@given(st.integers(1, 10), st.floats(0, 0.999), st.floats(0, 1000), st.integers(0, 50))
def test_wait_is_never_below_what_the_service_asked_for(
    attempt: int, jitter: float, asked_s: float, tokens: int
) -> None:
    busy = DependencyFailure("busy", retry_after_s=asked_s)
    budget, policy = RetryBudget(tokens, 50), RetryPolicy(99, 2.0, 300.0)
    found = verdict(busy, attempt=attempt, policy=policy, budget=budget, jitter=jitter)
    assert wait_s(found) >= asked_s - 1e-3


@pytest.mark.parametrize(
    ("attempt", "budget", "jitter", "waits_s", "costs"),
    [
        (1, FULL, 0.5, 1.0, True),
        (1, EMPTY.after_success(2), 0.5, 1.0, True),  # just enough for one
        (1, ALMOST_ONE, 0.5, 225.0, False),
        (1, EMPTY, 0.0, 150.0, False),
        (1, EMPTY, 0.9999999, 300.0, False),
        (3, FULL, 0.5, 4.0, True),
        (4, FULL, 0.0, 150.0, False),  # the last retry, whatever the budget has
    ],
)
def test_retry_waits_long_without_a_budget_and_before_the_last_attempt(
    attempt: int, budget: RetryBudget, jitter: float, waits_s: float, costs: bool
) -> None:
    for failure in (BUSY, UnexpectedError("a bug")):
        found = verdict(failure, attempt=attempt, budget=budget, jitter=jitter)
        assert wait_s(found) == pytest.approx(waits_s, rel=1e-3)
        assert isinstance(found, Retry)
        assert found.from_budget is costs


@pytest.mark.parametrize("attempt", [1, 4])
def test_failure_of_the_file_itself_asks_no_budget(attempt: int) -> None:
    found = verdict(MediaDecoderCrashed("it died"), attempt=attempt, budget=EMPTY)
    assert wait_s(found) == 2.0 ** (attempt - 1)
    assert isinstance(found, Retry)
    assert not found.from_budget


def test_service_without_a_budget_is_still_waited_for_as_long_as_it_asked() -> None:
    assert wait_s(verdict(DependencyFailure("busy", retry_after_s=900), budget=EMPTY, jitter=0)) == 1050


def test_budget_is_used_up_by_as_many_retries_as_it_has_and_never_falls_below_nothing() -> None:
    budget = RetryBudget.full(2)
    allowed = []
    for _ in range(4):
        allowed.append(budget.allows)
        budget = budget.after_retry()
    assert allowed == [True, True, False, False]
    assert budget.tokens == 0


def test_budget_of_none_never_allows_a_retry_soon() -> None:
    assert not RetryBudget.full(0).after_success(attempt=2).allows


def test_five_first_successes_give_back_one_retry_and_a_retried_one_its_own() -> None:
    budget, tokens = EMPTY, []
    for attempt in (1, 1, 1, 1):
        budget = budget.after_success(attempt)
        tokens.append(budget.tokens)
    assert tokens == [1, 2, 3, 4]
    assert not budget.allows
    assert budget.after_success(1).allows
    assert EMPTY.after_success(2).allows


def test_budget_is_never_fuller_than_it_was_made() -> None:
    assert FULL.after_success(1) == FULL.after_success(2) == FULL
    assert FULL.after_retry().after_success(2) == FULL


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 5))))
def test_budget_stays_between_nothing_and_its_capacity(events: list[tuple[bool, int]]) -> None:
    budget = RetryBudget.full(3)
    for retried, attempt in events:
        budget = budget.after_retry() if retried else budget.after_success(attempt)
        assert 0 <= budget.tokens <= budget.capacity == 3 * RETRY_COSTS
