"""Run one delivery: decode, begin, handle, decide, settle. Decisions are pure functions elsewhere; this is their order.

A refused write means that someone wrote first: renew the lease and begin again. A dependency that does not answer is
asked again, with jitter, for as long as the lease can be renewed. A lost lease means: stop, write nothing, settle
nothing; the message is or will be somebody else's.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from claimcheck import settlements
from claimcheck.errors import (
    DependencyFailure,
    DependencyUnavailable,
    JobFailure,
    LeaseLost,
    NewerMessage,
    UndecodableMessage,
    UnexpectedError,
    WriteRefused,
)
from claimcheck.failures import RetryPolicy, backoff_s
from claimcheck.messages import Message, decode
from claimcheck.messaging import Delivery, Queues, Receiver
from claimcheck.settings import JobSettings, QueueSettings
from claimcheck.settlements import Drained, Failed, Outcome, Returned, Settlement
from claimcheck.tasks import QueueKind, find_task
from services.worker.begin import Beginner, Begun
from services.worker.handling import Handling
from services.worker.lease import Lease, Overtaken
from services.worker.settle import Settler

T = TypeVar("T")

log = logging.getLogger(__name__)

NEWER_AGAIN = timedelta(seconds=30)  # A rolling deploy brings workers that know the version within minutes.
AGAIN_S = 0.2  # Two writers that refuse each other must not do so in step.
PATIENCE = RetryPolicy(max_attempts=1, backoff_first_s=0.2, backoff_max_s=10.0)


class Runner:
    """Runs the deliveries of one queue."""

    def __init__(
        self,
        *,
        kind: QueueKind,
        queues: Queues,
        beginner: Beginner,
        handling: Handling,
        settler: Settler,
        lease_settings: QueueSettings,
        settings: JobSettings,
    ) -> None:
        self._kind, self._queues = kind, queues
        self._beginner, self._handling, self._settler = beginner, handling, settler
        self._lease_settings = lease_settings
        self._policy = RetryPolicy(settings.max_attempts, settings.backoff_first_s, settings.backoff_max_s)

    async def run(self, delivery: Delivery, receiver: Receiver) -> None:
        """Run a delivery to its settlement; never raises for what went wrong with it."""
        lease = Lease(receiver, delivery, self._lease_settings)
        fast = True
        while True:
            try:
                async with lease.kept():
                    if not fast:
                        await self._patiently(lease.renew)
                    await self._run(delivery, receiver, lease, fast=fast)
                    return
            except (Overtaken, WriteRefused) as refused:
                log.info("delivery.begins_again", extra={"message_id": delivery.message_id, "why": str(refused)})
                fast = False
                await asyncio.sleep(AGAIN_S * random.random())
            except LeaseLost as lost:
                log.warning("lease.lost", extra={"message_id": delivery.message_id, "detail": lost.detail})
                return
            except Exception:
                # The lease runs out and the message comes again, so a bug costs a delivery, never the worker.
                log.exception("delivery.failed", extra={"message_id": delivery.message_id})
                return

    async def _run(self, delivery: Delivery, receiver: Receiver, lease: Lease, *, fast: bool) -> None:
        message = await self._decode(delivery, receiver)
        if message is None:
            return
        begun = await self._patiently(lambda: self._beginner.begin(delivery, message, fast=fast))
        if begun is not None:
            outcome = Failed(begun.given_up) if begun.given_up else await self._handle(begun, lease)
            settlement = self._decide(begun, outcome)
            await self._patiently(lambda: self._settler.settle(begun, settlement))
        await self._patiently(lambda: receiver.complete(delivery))

    async def _decode(self, delivery: Delivery, receiver: Receiver) -> Message | None:
        """The message; None if it was settled without running it."""
        try:
            return decode(delivery.body)
        except UndecodableMessage as error:
            log.error("message.undecodable", extra={"message_id": delivery.message_id, "detail": error.detail})
            reason, why = error.slug, error.detail
            await self._patiently(lambda: receiver.dead_letter(delivery, reason=reason, description=why))
        except NewerMessage as error:
            log.warning("message.newer", extra={"message_id": delivery.message_id, "detail": error.detail})
            await self._patiently(lambda: self._send_newer_later(delivery))
            await self._patiently(lambda: receiver.complete(delivery))
        return None

    async def _send_newer_later(self, delivery: Delivery) -> None:
        # The id ends in something random: the broker drops an id that it has seen.
        message_id = f"{delivery.message_id[:100]}:{secrets.token_hex(4)}"
        due_at = datetime.now(UTC) + NEWER_AGAIN
        await self._queues.send_copy(self._kind, delivery.body, message_id=message_id, due_at=due_at)

    async def _handle(self, begun: Begun, lease: Lease) -> Outcome:
        """Run the stage under the lease; what it came to, failures included. Raises LeaseLost, Overtaken."""
        try:
            value = await self._handling.run(begun, lease)
        except JobFailure as failure:
            log.warning("stage.failed", extra={**begun.log_fields(), "detail": failure.detail})
            return Failed(failure)
        except DependencyUnavailable as error:
            log.warning("stage.failed", extra={**begun.log_fields(), "detail": error.detail})
            return Failed(DependencyFailure(error.detail))
        except (LeaseLost, Overtaken):
            raise
        except Exception as error:
            log.exception("stage.crashed", extra=begun.log_fields())
            return Failed(UnexpectedError(f"the stage raised {type(error).__name__}"))
        return Drained() if value is None else Returned(value)

    def _decide(self, begun: Begun, outcome: Outcome) -> Settlement:
        return settlements.decide(
            find_task(begun.job.task),
            begun.message,
            outcome,
            delivery_count=begun.delivery_count,
            policy=self._policy,
            jitter=random.random(),
            now=datetime.now(UTC),
        )

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call while its dependency does not answer; the lease ends it if that takes too long."""
        tries = 0
        while True:
            try:
                return await call()
            except DependencyUnavailable as error:
                tries += 1
                log.warning("dependency.retry", extra={"detail": error.detail, "tries": tries})
                await asyncio.sleep(backoff_s(tries, policy=PATIENCE, jitter=random.random(), at_least_s=0.05))
