"""Ask a dependency again while it does not answer: with jitter, until a limit, the lease or the worker ends it."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from claimcheck.errors import DependencyUnavailable, LeaseLost
from claimcheck.failures import RetryPolicy, backoff_s
from services.worker.drain import Drain

T = TypeVar("T")

log = logging.getLogger(__name__)

AGAIN_S = 0.2
BACKOFF = RetryPolicy(max_attempts=1, backoff_first_s=0.2, backoff_max_s=10.0)


async def step_aside() -> None:
    """Wait a moment after a refused write: two writers that refuse each other must not do so in step."""
    await asyncio.sleep(AGAIN_S * random.random())


class Patience:
    """Waits for dependencies, and no longer than the worker has."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain

    async def ask(self, call: Callable[[], Awaitable[T]], *, limit_s: float = math.inf) -> T:
        """What the call returns. It is repeated while its dependency does not answer, and begun again at the latest
        `limit_s` after it first failed: a call may itself take long, such as a download.

        Raises DependencyUnavailable after that, LeaseLost once the worker's time is over.
        """
        ends_at, tries = math.inf, 0
        while True:
            try:
                return await call()
            except DependencyUnavailable as error:
                if self._drain.over:
                    raise LeaseLost("the worker's time is over; the lease runs out by itself") from error
                if not tries:
                    ends_at = time.monotonic() + limit_s
                tries += 1
                wait_s = backoff_s(tries, policy=BACKOFF, jitter=random.random(), at_least_s=0.05)
                if time.monotonic() + wait_s > ends_at:
                    raise
                log.warning("dependency.retry", extra={"detail": error.detail, "tries": tries})
                await asyncio.sleep(wait_s)
