"""Take deliveries from one queue and run them. Each slot has its own connection: receive one, run it, settle it."""

from __future__ import annotations

import asyncio
import logging
import random

from claimcheck.errors import QueueUnavailable
from claimcheck.failures import RetryPolicy, backoff_s
from claimcheck.messaging import Queues, Receiver
from claimcheck.tasks import QueueKind
from services.worker.drain import Drain
from services.worker.runner import Runner

log = logging.getLogger(__name__)

RECEIVE_S = 2.0  # A receive is not cancelled, or its message would stay leased; so a drain waits at most this long.
RECONNECT = RetryPolicy(max_attempts=1, backoff_first_s=0.5, backoff_max_s=15.0)


class Consumer:
    """Runs the deliveries of one queue in a number of slots."""

    def __init__(self, *, kind: QueueKind, queues: Queues, runner: Runner, slots: int, drain: Drain) -> None:
        self._kind, self._queues, self._runner = kind, queues, runner
        self._slots, self._drain = slots, drain

    async def run(self) -> None:
        """Return when the worker has drained."""
        await asyncio.gather(*(self._consume() for _ in range(self._slots)))

    async def _consume(self) -> None:
        receiver = self._queues.receiver(self._kind)
        failures = 0
        try:
            while not self._drain.begun:
                try:
                    await self._next(receiver)
                    failures = 0
                except QueueUnavailable as error:
                    failures += 1
                    log.warning("queue.unavailable", extra={"detail": error.detail, "failures": failures})
                    await self._pause(backoff_s(failures, policy=RECONNECT, jitter=random.random(), at_least_s=0.1))
        finally:
            await receiver.close()

    async def _next(self, receiver: Receiver) -> None:
        delivery = await receiver.receive(RECEIVE_S)
        if delivery is not None:
            await self._runner.run(delivery, receiver)

    async def _pause(self, pause_s: float) -> None:
        """Wait, but not through a drain."""
        try:
            async with asyncio.timeout(pause_s):
                await self._drain.wait_begun()
        except TimeoutError:
            return
