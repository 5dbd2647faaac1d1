"""Do something again and again: a round that fails is tried again sooner, and never ends the process."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from claimcheck.errors import DependencyUnavailable
from claimcheck.failures import RetryPolicy, backoff_s

log = logging.getLogger(__name__)

FIRST_AGAIN_S = 2.0  # Upper bound of the first wait after a failed round; it doubles up to the time between rounds.
SPREAD = 0.1  # Keepers that were started together drift apart.


@dataclass(frozen=True)
class Rounds:
    """One duty of the keeper, and the seconds between two rounds of it."""

    name: str
    every_s: float
    once: Callable[[], Awaitable[None]]
    """One round. Whatever it has not finished when it raises, the next one does."""

    async def run(self) -> None:
        """Until cancelled. A round may be cancelled anywhere: everything that it does can be done again."""
        failures = 0
        while True:
            try:
                await self.once()
                failures = 0
            except DependencyUnavailable as error:
                failures += 1
                log.warning("round.failed", extra={"round": self.name, "failures": failures, "detail": error.detail})
            except Exception:
                failures += 1
                log.exception("round.crashed", extra={"round": self.name, "failures": failures})
            await asyncio.sleep(pause_s(self.every_s, failures=failures, jitter=random.random()))


def pause_s(every_s: float, *, failures: int, jitter: float) -> float:
    """Seconds until the next round, after so many that failed in a row. `jitter`: uniform in [0, 1)."""
    if not failures:
        return every_s * (1 - SPREAD + 2 * SPREAD * jitter)
    first_s = min(FIRST_AGAIN_S, every_s)
    policy = RetryPolicy(max_attempts=1, backoff_first_s=first_s, backoff_max_s=every_s)
    # Half of it at least: a dependency that is down should not be asked at once, however the dice fall.
    return backoff_s(failures, policy=policy, jitter=(1 + jitter) / 2)
