"""Decide how a delivery ends whose stage failed. Pure: no clock, no queue, no log, no random numbers of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from claimcheck.errors import AttemptsExhausted, JobFailure, PermanentFailure, RetryableFailure


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how late a stage is run again."""

    max_attempts: int
    backoff_first_s: float
    backoff_max_s: float


@dataclass(frozen=True)
class Retry:
    """Put the job back; it is due after `delay`."""

    delay: timedelta


@dataclass(frozen=True)
class Fail:
    """Fail the job (of a part: skip it) for this reason."""

    failure: PermanentFailure


def decide(
    failure: JobFailure, *, attempt: int, delivery_count: int, policy: RetryPolicy, jitter: float
) -> Retry | Fail:
    """Retry while attempt + delivery count is below the limit, since an earlier delivery without an answer counts too.

    `jitter`: uniform in [0, 1).
    """
    if isinstance(failure, PermanentFailure):
        return Fail(failure)
    if attempt + delivery_count >= policy.max_attempts:
        return Fail(
            AttemptsExhausted(
                f"attempt {attempt} of {policy.max_attempts} failed as well: {failure.detail}", last=failure.problem()
            )
        )
    asked_s = failure.retry_after_s if isinstance(failure, RetryableFailure) else None
    return Retry(timedelta(seconds=backoff_s(attempt, policy=policy, jitter=jitter, at_least_s=asked_s or 0.0)))


def backoff_s(attempt: int, *, policy: RetryPolicy, jitter: float, at_least_s: float = 0.0) -> float:
    """Exponential with full jitter (AWS Architecture Blog, "Exponential Backoff and Jitter"), in seconds.

    Full jitter spreads the retries of one outage over the whole interval; `at_least_s` is the service's Retry-After.
    """
    # The exponent is capped so that a large attempt cannot overflow a float.
    ceiling = min(policy.backoff_max_s, policy.backoff_first_s * 2.0 ** min(attempt - 1, 30))
    return at_least_s + jitter * ceiling
