"""Run one delivery: decode, begin, handle, decide, settle. Decisions are pure functions elsewhere; this is their order.

A refused write means that someone wrote first: renew the lease and begin again. A dependency that does not answer is
asked again, with jitter, for as long as the lease can be renewed. A lost lease means: stop, write nothing, settle
nothing; the message is or will be somebody else's.
"""

from __future__ import annotations

import logging
import random
import secrets
from datetime import UTC, datetime, timedelta

from claimcheck import settlements
from claimcheck.errors import (
    DependencyFailure,
    DependencyUnavailable,
    EndpointsNotReady,
    ItemRefused,
    JobFailure,
    LeaseLost,
    NewerMessage,
    TaskNotInstalled,
    UndecodableMessage,
    UnexpectedError,
    WriteRefused,
)
from claimcheck.failures import RetryBudget, RetryPolicy
from claimcheck.messages import Message, decode
from claimcheck.messaging import Delivery, Queues, Receiver
from claimcheck.settings import JobSettings, QueueSettings
from claimcheck.settlements import Failed, NotRun, Outcome, Returned
from claimcheck.tasks import QueueKind, catalogue
from claimcheck.telemetry import log_context
from services.worker.begin import Beginner, Begun, log_fields
from services.worker.drain import Drain
from services.worker.handling import Handling
from services.worker.lease import Lease, Overtaken
from services.worker.patience import Patience, step_aside
from services.worker.settle import Settler

log = logging.getLogger(__name__)

PUT_ASIDE = timedelta(seconds=30)  # A rolling deploy brings workers that know the version or task within minutes.


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
        drain: Drain,
    ) -> None:
        self._kind, self._queues, self._patience = kind, queues, Patience(drain)
        self._beginner, self._handling, self._settler = beginner, handling, settler
        self._lease_settings = lease_settings
        self._policy = RetryPolicy(settings.max_attempts, settings.backoff_first_s, settings.backoff_max_s)
        self._budget = RetryBudget.full(settings.retry_budget)

    async def run(self, delivery: Delivery, receiver: Receiver) -> None:
        """Run a delivery to its settlement; never raises for what went wrong with it."""
        lease = Lease(receiver, delivery, self._lease_settings)
        fast = True
        with log_context(message_id=delivery.message_id):
            while not await self._ended(delivery, receiver, lease, fast=fast):
                fast = False
                await step_aside()

    async def _ended(self, delivery: Delivery, receiver: Receiver, lease: Lease, *, fast: bool) -> bool:
        """Whether the delivery is settled or lost; False: begin again."""
        try:
            async with lease.kept():
                if not fast:
                    await self._patience.ask(lease.renew)
                await self._run(delivery, receiver, lease, fast=fast)
        except (Overtaken, WriteRefused) as refused:
            log.info("delivery.begins_again", extra={"why": str(refused)})
            return False
        except LeaseLost as lost:
            log.warning("lease.lost", extra={"detail": lost.detail})
        except Exception:
            # The lease runs out and the message comes again, so a bug costs a delivery, never the worker.
            log.exception("delivery.failed")
        return True

    async def _run(self, delivery: Delivery, receiver: Receiver, lease: Lease, *, fast: bool) -> None:
        try:
            message = decode(delivery.body)
            with log_context(**log_fields(message)):
                await self._run_message(delivery, message, lease, fast=fast)
        except UndecodableMessage as error:
            log.error("message.undecodable", extra={"detail": error.detail})
            reason, why = error.slug, error.detail
            await self._patience.ask(lambda: receiver.dead_letter(delivery, reason=reason, description=why))
            return
        except (NewerMessage, TaskNotInstalled) as error:
            log.warning("message.put_aside", extra={"detail": error.detail})
            await self._put_aside(delivery)
        await self._patience.ask(lambda: receiver.complete(delivery))

    async def _run_message(self, delivery: Delivery, message: Message, lease: Lease, *, fast: bool) -> None:
        begun = await self._patience.ask(lambda: self._beginner.begin(delivery, message, fast=fast))
        if begun is None:
            return
        outcome = Failed(begun.given_up) if begun.given_up else await self._handle(begun, lease)
        try:
            await self._settle(begun, outcome)
        except ItemRefused as refused:
            log.error("result.refused", extra={"detail": refused.detail})
            await self._settle(begun, Failed(UnexpectedError(f"the result cannot be kept: {refused.detail}")))

    async def _put_aside(self, delivery: Delivery) -> None:
        """Send a copy for a worker that knows more than this one, while its job waits for it; no attempt is spent."""
        due_at = datetime.now(UTC) + PUT_ASIDE
        if not await self._patience.ask(lambda: self._beginner.postponed(delivery.body, due_at)):
            log.info("delivery.dropped", extra={"why": "its job has ended or is gone"})
            return
        # The id ends in something random, since the broker drops an id that it has seen.
        message_id = f"{delivery.message_id[:100]}:{secrets.token_hex(4)}"
        parent = delivery.properties.get("traceparent", "")
        await self._patience.ask(
            lambda: self._queues.send_copy(
                self._kind, delivery.body, message_id=message_id, due_at=due_at, traceparent=parent
            )
        )

    async def _handle(self, begun: Begun, lease: Lease) -> Outcome:
        """Run the stage under the lease; what it came to, failures included."""
        try:
            value = await self._handling.run(begun, lease)
        except TaskNotInstalled as error:
            log.warning("stage.not_installed", extra={"detail": error.detail})
            return NotRun(PUT_ASIDE)
        except EndpointsNotReady as rest:
            log.info("stage.put_off", extra={"detail": rest.detail, "delay_s": round(rest.delay_s, 3)})
            return settlements.not_ready(rest.delay_s)
        except (LeaseLost, Overtaken):
            raise
        except JobFailure as failure:
            log.warning("stage.failed", extra={"detail": failure.detail})
            return Failed(failure)
        except DependencyUnavailable as error:
            log.warning("stage.failed", extra={"detail": error.detail})
            return Failed(DependencyFailure(error.detail))
        except Exception as error:
            log.exception("stage.crashed")
            return Failed(UnexpectedError(f"the stage raised {type(error).__name__}"))
        return NotRun() if value is None else Returned(value)

    async def _settle(self, begun: Begun, outcome: Outcome) -> None:
        settlement = settlements.decide(
            catalogue().get(begun.job.task),
            begun.message,
            outcome,
            delivery_count=begun.delivery_count,
            policy=self._policy,
            budget=self._budget,
            jitter=random.random(),
            now=datetime.now(UTC),
        )
        self._budget = self._noted(settlements.budget_after(self._budget, begun.message, settlement))
        await self._patience.ask(lambda: self._settler.settle(begun, settlement))

    def _noted(self, budget: RetryBudget) -> RetryBudget:
        """Say when the budget has run out and when it allows retries again."""
        if budget.allows != self._budget.allows:
            log.warning("retries.allowed" if budget.allows else "retries.delayed", extra={"tokens": budget.tokens})
        return budget
