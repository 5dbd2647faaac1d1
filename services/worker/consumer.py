"""Take deliveries from one queue and run them. Each slot has its own connection: receive one, run it, settle it.

Nothing is taken before every dependency has answered once, nor while one of them does not: a job would spend an attempt
on what its queue keeps for it at no cost. Nor is anything taken while every endpoint of the queue's models rests or has
failed: most of it would be put back at once. That holds up whatever stage is in the queue, also one that asks no model,
or that none of the endpoints could answer: only the record would tell, and it is read once a message is leased.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime

from claimcheck.errors import QueueUnavailable
from claimcheck.failures import RetryPolicy, backoff_s
from claimcheck.health import Health
from claimcheck.messaging import Queues, Receiver
from claimcheck.tasks import QueueKind
from services.worker.clock import ClockWatch
from services.worker.drain import Drain
from services.worker.runner import Runner

log = logging.getLogger(__name__)

RECEIVE_S = 2.0  # A receive is not cancelled, or its message would stay leased; so a drain waits at most this long.
RECONNECT = RetryPolicy(max_attempts=1, backoff_first_s=0.5, backoff_max_s=15.0)
READY_STEP_S = 1.0  # Another slot may learn meanwhile that an endpoint is ready, or that it rests for longer.
RESUME_S = 2.0  # After an outage the workers of a system come back within so many seconds, not in one moment.


class Consumer:
    """Runs the deliveries of one queue in a number of slots."""

    def __init__(
        self,
        *,
        kind: QueueKind,
        queues: Queues,
        runner: Runner,
        slots: int,
        drain: Drain,
        health: Health,
        clock: ClockWatch,
        ready_in_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`ready_in_s`: seconds until the slot that asks may take a job, for the queue's models' sake; 0: now."""
        self._kind, self._queues, self._runner, self._clock = kind, queues, runner, clock
        self._slots, self._drain, self._health = slots, drain, health
        self._ready_in_s = ready_in_s

    async def run(self) -> None:
        """Return when the worker has drained."""
        await asyncio.gather(*(self._consume() for _ in range(self._slots)))

    async def _consume(self) -> None:
        receiver = self._queues.receiver(self._kind)
        failures = 0
        try:
            await self._until_well()
            while await self._until_ready():
                try:
                    await self._next(receiver)
                    failures = 0
                except QueueUnavailable as error:
                    failures += 1
                    log.warning("queue.unavailable", extra={"detail": error.detail, "failures": failures})
                    await self._drain.wait_begun_for(
                        backoff_s(failures, policy=RECONNECT, jitter=random.random(), at_least_s=0.1)
                    )
                if not self._health.well:
                    await self._until_well()
                    await self._drain.wait_begun_for(RESUME_S * random.random())
        finally:
            # Now, not when the last slot ends: what it asked for last would be leased to a worker that takes nothing.
            receiver.retire()

    async def _until_well(self) -> None:
        """Wait until every dependency answers, but not through a drain."""
        waits = {asyncio.create_task(self._health.wait_well()), asyncio.create_task(self._drain.wait_begun())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _until_ready(self) -> bool:
        """Wait until a model may be asked; False: the worker drains."""
        while not self._drain.begun and (wait_s := self._ready_in_s()) > 0:
            # Not all slots in one moment: the first that asks may find that the endpoint has to rest again.
            await self._drain.wait_begun_for(min(wait_s, READY_STEP_S) * random.uniform(1.0, 1.5))
        return not self._drain.begun

    async def _next(self, receiver: Receiver) -> None:
        delivery = await receiver.receive(RECEIVE_S)
        if delivery is not None:
            self._clock.note(delivery.leased_until, datetime.now(UTC))
            await self._runner.run(delivery, receiver)
