"""Decide how a delivery ends whose stage failed. Pure: no clock, no queue, no log, no random numbers of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from claimcheck.errors import AttemptsExhausted, JobFailure, PermanentFailure, RetryableFailure

RETRY_COSTS = 5  # Against 1 that a success gives back: retries soon are at most a fifth of what works (AWS SDKs, too).


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how late a stage is run again."""

    max_attempts: int
    backoff_first_s: float
    backoff_max_s: float


@dataclass(frozen=True)
class RetryBudget:
    """What a worker may still put back to be retried soon; empty, it waits long, so that an outage becomes no storm.

    A token bucket, after the standard retry mode of the AWS SDKs: a retry costs, a success gives back.
    """

    tokens: int
    capacity: int

    @classmethod
    def full(cls, retries: int) -> RetryBudget:
        """A budget of so many retries."""
        return cls(retries * RETRY_COSTS, retries * RETRY_COSTS)

    @property
    def allows(self) -> bool:
        """Whether there is enough for one retry."""
        return self.tokens >= RETRY_COSTS

    def after_retry(self) -> RetryBudget:
        """What is left once a retry was put back soon."""
        return replace(self, tokens=max(0, self.tokens - RETRY_COSTS))

    def after_success(self, attempt: int) -> RetryBudget:
        """What there is after a success; one of a later attempt gives back what its retry has cost."""
        return replace(self, tokens=min(self.capacity, self.tokens + (RETRY_COSTS if attempt > 1 else 1)))


@dataclass(frozen=True)
class Retry:
    """Put the job back; it is due after `delay`."""

    delay: timedelta
    from_budget: bool = False
    """Whether it costs the worker's budget: a failure that other jobs may share, retried soon."""


@dataclass(frozen=True)
class Fail:
    """Fail the job (of a part: skip it) for this reason."""

    failure: PermanentFailure


def decide(
    failure: JobFailure, *, attempt: int, delivery_count: int, policy: RetryPolicy, budget: RetryBudget, jitter: float
) -> Retry | Fail:
    """Retry while attempt + delivery count is below the limit, since an earlier delivery without an answer counts too.

    `jitter`: uniform in [0, 1).
    """
    if isinstance(failure, PermanentFailure):
        return Fail(failure)
    if attempt + delivery_count >= policy.max_attempts:
        return Fail(_exhausted(failure, attempt, policy))
    retryable = failure if isinstance(failure, RetryableFailure) else None
    asked_s = (retryable.retry_after_s if retryable else None) or 0.0
    shared = retryable is None or retryable.shared
    if shared and not (budget.allows and _may_be_soon(attempt, policy)):
        return Retry(timedelta(seconds=asked_s + long_wait_s(policy, jitter=jitter)))
    wait_s = backoff_s(attempt, policy=policy, jitter=jitter, at_least_s=asked_s)
    return Retry(timedelta(seconds=wait_s), from_budget=shared)


def _may_be_soon(attempt: int, policy: RetryPolicy) -> bool:
    """Whether another retry may follow this one: the last waits long, or an outage of a minute would end a job."""
    return attempt + 1 < policy.max_attempts


def _exhausted(failure: JobFailure, attempt: int, policy: RetryPolicy) -> AttemptsExhausted:
    detail = f"attempt {attempt} of {policy.max_attempts} failed as well: {failure.detail}"
    return AttemptsExhausted(detail, last=failure.problem())


def backoff_s(attempt: int, *, policy: RetryPolicy, jitter: float, at_least_s: float = 0.0) -> float:
    """Exponential with full jitter (AWS Architecture Blog, "Exponential Backoff and Jitter"), in seconds.

    Full jitter spreads the retries of one outage over the whole interval; `at_least_s` is the service's Retry-After.
    """
    # The exponent is capped so that a large attempt cannot overflow a float.
    ceiling = min(policy.backoff_max_s, policy.backoff_first_s * 2.0 ** min(attempt - 1, 30))
    return at_least_s + jitter * ceiling


def long_wait_s(policy: RetryPolicy, *, jitter: float) -> float:
    """Near the longest back-off, in seconds: in its upper half, since what waits together must not come together."""
    return policy.backoff_max_s * (1 + jitter) / 2
