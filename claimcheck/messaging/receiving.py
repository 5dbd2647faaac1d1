"""Receive through one link, one delivery at a time; it is settled before the next is received.

Nothing waits for ever: each call has its time limit, and a link that has brought nothing for a while is replaced. The
SDK says "no message" also where the connection is half open, or where the broker has detached the link without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import MessageAlreadySettled, MessageLockLostError, MessageNotFoundError

from claimcheck.errors import LeaseLost, QueueUnavailable
from claimcheck.messaging.link import Link

log = logging.getLogger(__name__)

_NEVER = datetime.max.replace(tzinfo=UTC)
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Delivery:
    """One hand-over of a message, leased for the queue's lock duration."""

    body: bytes
    message_id: str
    sequence_number: str
    delivery_count: int
    """Earlier deliveries of this message; 0 at the first."""
    properties: Mapping[str, str]
    """Application properties whose values are text, such as `traceparent`."""
    enqueued_at: datetime
    """By the broker's clock; of a message that was scheduled, when it came due."""
    leased_until: datetime
    """By the broker's clock, at the hand-over; renewing changes it."""
    dead_letter_reason: str
    """Why it was parked; empty unless it comes from a dead-letter queue, as is the description."""
    dead_letter_description: str
    received: ServiceBusReceivedMessage = field(repr=False, compare=False)


class Receiver:
    """One link that takes one delivery at a time; it is settled before the next is received."""

    def __init__(
        self, client: ServiceBusClient, queue: str, *, timeout_s: float, quiet_s: float, dead_letters: bool = False
    ) -> None:
        """`timeout_s`: time limit of a call; `quiet_s`: without a delivery for so long, the next call opens a new link.

        `dead_letters`: receive what was parked. Such a message is never parked again, however often it is leased.
        """
        self._queue, self._timeout_s, self._quiet_s = queue, timeout_s, quiet_s
        part = ServiceBusSubQueue.DEAD_LETTER if dead_letters else None
        # Nothing is prefetched: a message waiting here behind a long job would be held from an idle worker.
        self._link: Link[ServiceBusReceiver] = Link(
            lambda: client.get_queue_receiver(queue, sub_queue=part, prefetch_count=0)
        )
        self._heard_at = time.monotonic()
        # A renewal and a settlement at the same moment would wait for each other's reads inside the SDK.
        self._turn = asyncio.Lock()

    async def receive(self, wait_s: float) -> Delivery | None:
        """The next delivery, leased for the queue's lock duration; None after `wait_s` seconds without one.

        At-least-once: the same message may come again, also while an expired lease's worker still runs.
        Raises QueueUnavailable; the next call opens a new connection.
        """
        self._replace_quiet_link()
        try:
            async with asyncio.timeout(wait_s + self._timeout_s), self._link.discarded_on_error():
                link = await self._link.opened()
                received = await link.receive_messages(max_message_count=1, max_wait_time=wait_s)
        except (AzureError, ValueError, OSError) as cause:
            raise QueueUnavailable(f"receiving from {self._queue} failed: {type(cause).__name__}") from cause
        if not received:
            return None
        self._heard_at = time.monotonic()
        return _delivery(received[0])

    def _replace_quiet_link(self) -> None:
        if time.monotonic() - self._heard_at >= self._quiet_s:
            log.debug("link.replaced", extra={"queue": self._queue})
            # What it still brings while it closes is given back, at no cost to the message.
            self._link.discard()
            self._heard_at = time.monotonic()

    async def complete(self, delivery: Delivery) -> None:
        """Remove the message. Raises LeaseLost if someone else may have it by now, QueueUnavailable."""
        await self._settled(delivery, "complete_message")

    async def dead_letter(self, delivery: Delivery, *, reason: str, description: str) -> None:
        """Park the message. Raises LeaseLost, QueueUnavailable."""
        await self._settled(delivery, "dead_letter_message", reason=reason, error_description=description)

    async def renew(self, delivery: Delivery) -> datetime:
        """Start the lease anew; the broker's time at which it ends now. Raises LeaseLost, QueueUnavailable."""
        async with self._call("renewing a lease") as link:
            return await link.renew_message_lock(delivery.received)

    async def _settled(self, delivery: Delivery, method: str, **how: str) -> None:
        # The SDK would compare the lease's end, by the broker's clock, with this machine's clock, and refuse without
        # asking: on a machine whose clock is a minute ahead nothing would ever be settled. The broker knows.
        delivery.received._expiry = _NEVER
        async with self._call("settling") as link:
            # Of a message that another link has handed over, the SDK tells the queue's management instead.
            await getattr(link, method)(delivery.received, **how)

    @contextlib.asynccontextmanager
    async def _call(self, doing: str) -> AsyncIterator[ServiceBusReceiver]:
        """The open link for one call, with its time limit and our errors around it."""
        try:
            async with asyncio.timeout(self._timeout_s), self._turn, self._link.discarded_on_error():
                yield await self._link.opened()
        except (MessageLockLostError, MessageNotFoundError, MessageAlreadySettled) as cause:
            raise LeaseLost(f"{doing} on {self._queue} was refused") from cause
        except (AzureError, ValueError, OSError) as cause:
            raise QueueUnavailable(f"{doing} on {self._queue} failed: {type(cause).__name__}") from cause

    def retire(self) -> None:
        """Receive no more, from now on; the connection is closed in the background, and `close` waits for that."""
        self._link.discard()

    async def close(self) -> None:
        """Close the connection; the leases it held run out."""
        await self._link.close()


def body_of(received: ServiceBusReceivedMessage) -> bytes:
    """The bytes of a message; none if it was sent as something else than bytes, which nobody of ours does."""
    return b"".join(received.body) if received.body_type == AmqpMessageBodyType.DATA else b""


def _delivery(received: ServiceBusReceivedMessage) -> Delivery:
    properties = received.application_properties or {}
    return Delivery(
        body=body_of(received),
        message_id=received.message_id or "",
        sequence_number=str(received.sequence_number),
        delivery_count=received.delivery_count or 0,
        properties={_text(k): _text(v) for k, v in properties.items() if isinstance(v, str | bytes)},
        enqueued_at=received.enqueued_time_utc or _EPOCH,
        leased_until=received.locked_until_utc or _EPOCH,
        dead_letter_reason=received.dead_letter_reason or "",
        dead_letter_description=received.dead_letter_error_description or "",
        received=received,
    )


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
