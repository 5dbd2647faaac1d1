"""When a failure is retried, how long that waits, and when it is final."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.errors import AttemptsExhausted, DependencyFailure, MediaUnreadable
from claimcheck.failures import Fail, Retry, RetryPolicy, backoff_s, decide

POLICY = RetryPolicy(max_attempts=5, backoff_first_s=2.0, backoff_max_s=300.0)
BUSY = DependencyFailure("the storage is busy")


def test_permanent_failure_is_final_at_the_first_attempt() -> None:
    failure = MediaUnreadable("no decoder reads it")
    assert decide(failure, attempt=1, delivery_count=0, policy=POLICY, jitter=0.5) == Fail(failure)


@pytest.mark.parametrize(
    ("attempt", "delivery_count", "retried"),
    [(1, 0, True), (4, 0, True), (5, 0, False), (1, 3, True), (1, 4, False), (3, 2, False)],
)
def test_retryable_failure_is_final_when_attempt_and_deliveries_reach_the_limit(
    attempt: int, delivery_count: int, retried: bool
) -> None:
    verdict = decide(BUSY, attempt=attempt, delivery_count=delivery_count, policy=POLICY, jitter=0.5)
    assert isinstance(verdict, Retry if retried else Fail)


def test_last_failure_is_told_in_the_problem() -> None:
    verdict = decide(BUSY, attempt=5, delivery_count=0, policy=POLICY, jitter=0.5)
    assert isinstance(verdict, Fail)
    assert isinstance(verdict.failure, AttemptsExhausted)
    assert verdict.failure.problem()["last"]["type"] == "urn:claimcheck:problem:dependency-failure"


@pytest.mark.parametrize(("attempt", "ceiling_s"), [(1, 2), (2, 4), (3, 8), (8, 256), (9, 300), (10_000, 300)])
def test_wait_doubles_up_to_its_maximum(attempt: int, ceiling_s: float) -> None:
    assert backoff_s(attempt, policy=POLICY, jitter=0.999999) == pytest.approx(ceiling_s, rel=1e-3)
    assert backoff_s(attempt, policy=POLICY, jitter=0.0) == 0


@given(st.integers(1, 10), st.floats(0, 0.999), st.floats(0, 1000))
def test_wait_is_never_below_what_the_service_asked_for(attempt: int, jitter: float, asked_s: float) -> None:
    busy = DependencyFailure("busy", retry_after_s=asked_s)
    verdict = decide(busy, attempt=attempt, delivery_count=0, policy=RetryPolicy(99, 2.0, 300.0), jitter=jitter)
    assert isinstance(verdict, Retry)
    assert verdict.delay.total_seconds() >= asked_s - 1e-3
