"""Watch one queue's dead letters: what the broker has given up, and what a worker could not read.

A letter is judged like a delivery that is over the limit (`claimcheck.protocol.judge_letter`), and carried out by the
ordinary path: announce again, pass on again, fail the job, skip the part. One that ends something, and one that nobody
can read, is kept as an item before it is completed; so a watcher may be killed anywhere, and two do no harm.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from claimcheck import settlements
from claimcheck.dead_letters import NOBODY, DeadLetter, encoded
from claimcheck.errors import (
    DependencyUnavailable,
    LeaseLost,
    NewerMessage,
    TaskNotInstalled,
    UndecodableMessage,
    WriteRefused,
)
from claimcheck.job import Job, timestamp
from claimcheck.messages import Message, decode
from claimcheck.messaging import Delivery, Receiver
from claimcheck.records import Records
from claimcheck.settings import JobSettings, QueueSettings
from claimcheck.tasks import QueueKind
from claimcheck.telemetry import log_context
from services.worker.begin import Beginner, log_fields
from services.worker.lease import Lease
from services.worker.patience import step_aside
from services.worker.settle import Settler

log = logging.getLogger(__name__)

RECEIVE_S = 2.0  # Between two rounds nobody waits for a letter, and there is hardly ever one.


class Watcher:
    """Takes the dead letters of one queue."""

    def __init__(
        self,
        kind: QueueKind,
        receiver: Receiver,
        *,
        records: Records,
        beginner: Beginner,
        settler: Settler,
        lease_settings: QueueSettings,
        settings: JobSettings,
    ) -> None:
        """`receiver`: of the dead letters of that queue."""
        self._kind, self._receiver, self._records = kind, receiver, records
        self._beginner, self._settler = beginner, settler
        self._lease_settings = lease_settings
        self._ttl_s = settings.deadline_s + settings.retention_s

    async def once(self) -> None:
        """Take every letter that is there. Raises DependencyUnavailable: the letter in hand comes again.

        A letter that cannot be dealt with is left: its lease runs out, for a keeper that can.
        """
        left: set[str] = set()
        while (delivery := await self._receiver.receive(RECEIVE_S)) is not None:
            if delivery.sequence_number in left:
                break  # Its lease has run out already, so all the others have had their turn.
            with log_context(queue=self._kind, message_id=delivery.message_id):
                if not await self._taken(delivery):
                    left.add(delivery.sequence_number)
        if left:
            log.warning("letters.left", extra={"queue": self._kind, "letters": len(left)})

    async def _taken(self, delivery: Delivery) -> bool:
        """Whether the letter is dealt with, by us or by who has its lease now."""
        try:
            async with Lease(self._receiver, delivery, self._lease_settings).kept():
                await self._take(delivery)
        except DependencyUnavailable:
            raise
        except LeaseLost as lost:
            log.warning("lease.lost", extra={"detail": lost.detail})
        except (NewerMessage, TaskNotInstalled) as error:
            log.info("letter.left", extra={"detail": error.detail})
            return False
        except Exception:
            # Such as a record of a newer release. It costs this letter its turn, and no other.
            log.exception("letter.failed")
            return False
        return True

    async def _take(self, delivery: Delivery) -> None:
        log.info("letter.taken", extra={"reason": delivery.dead_letter_reason})
        try:
            message = decode(delivery.body)
        except UndecodableMessage as error:
            log.error("letter.undecodable", extra={"detail": error.detail})
            await self._keep(delivery, None)
        else:
            with log_context(**log_fields(message)):
                await self._judge(delivery, message)
        await self._receiver.complete(delivery)

    async def _judge(self, delivery: Delivery, message: Message) -> None:
        while True:
            try:
                begun = await self._beginner.judge_letter(delivery, message)
                if begun is not None and begun.given_up is not None:
                    # Before the end is written: whoever judges the letter again then sees no need to keep it.
                    await self._keep(delivery, begun.job)
                    await self._settler.settle(begun, settlements.give_up(message, begun.given_up))
            except WriteRefused as refused:
                log.info("letter.judged_again", extra={"why": str(refused)})
                await step_aside()
            else:
                return

    async def _keep(self, delivery: Delivery, job: Job | None) -> None:
        letter = DeadLetter(
            id=DeadLetter.id_of(self._kind, delivery.sequence_number, timestamp(delivery.enqueued_at)),
            tenant=job.tenant if job else NOBODY,
            job_id=job.job_id if job else NOBODY,
            task=job.task if job else "",
            queue=self._kind,
            sequence_number=delivery.sequence_number,
            message_id=delivery.message_id,
            body_base64=encoded(delivery.body),
            reason=delivery.dead_letter_reason,
            description=delivery.dead_letter_description,
            delivery_count=delivery.delivery_count,
            enqueued_at=delivery.enqueued_at,
            stored_at=datetime.now(UTC),
            ttl=self._ttl_s,
        )
        await self._records.keep_letter(letter)
