"""Receive through one link, one delivery at a time; it is settled before the next is received."""

from __future__ import annotations

import asyncio
import contextlib
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
    dead_letter_reason: str
    """Why it was parked; empty unless it comes from a dead-letter queue, as is the description."""
    dead_letter_description: str
    received: ServiceBusReceivedMessage = field(repr=False, compare=False)


class Receiver:
    """One link that takes one delivery at a time; it is settled before the next is received."""

    def __init__(self, client: ServiceBusClient, queue: str, *, dead_letters: bool = False) -> None:
        """`dead_letters`: receive what was parked. Such a message is never parked again, however often it is leased."""
        self._queue = queue
        part = ServiceBusSubQueue.DEAD_LETTER if dead_letters else None
        # Nothing is prefetched: a message waiting here behind a long job would be held from an idle worker.
        self._link: Link[ServiceBusReceiver] = Link(
            lambda: client.get_queue_receiver(queue, sub_queue=part, prefetch_count=0)
        )
        # A renewal and a settlement at the same moment would wait for each other's reads inside the SDK.
        self._turn = asyncio.Lock()

    async def receive(self, wait_s: float) -> Delivery | None:
        """The next delivery, leased for the queue's lock duration; None after `wait_s` seconds without one.

        At-least-once: the same message may come again, also while an expired lease's worker still runs.
        Raises QueueUnavailable; the next call opens a new connection.
        """
        try:
            async with self._link.discarded_on_error():
                link = await self._link.opened()
                received = await link.receive_messages(max_message_count=1, max_wait_time=wait_s)
        except (AzureError, ValueError, OSError) as cause:
            raise QueueUnavailable(f"receiving from {self._queue} failed: {type(cause).__name__}") from cause
        return _delivery(received[0]) if received else None

    async def complete(self, delivery: Delivery) -> None:
        """Remove the message. Raises LeaseLost if someone else may have it by now, QueueUnavailable."""
        await self._settled(delivery, "complete_message")

    async def dead_letter(self, delivery: Delivery, *, reason: str, description: str) -> None:
        """Park the message. Raises LeaseLost, QueueUnavailable."""
        await self._settled(delivery, "dead_letter_message", reason=reason, error_description=description)

    async def renew(self, delivery: Delivery) -> datetime:
        """Start the lease anew; the broker's time at which it ends now. Raises LeaseLost, QueueUnavailable."""
        async with self._turn, self._translated("renewing a lease"):
            return await (await self._link.opened()).renew_message_lock(delivery.received)

    async def _settled(self, delivery: Delivery, method: str, **how: str) -> None:
        # The SDK would compare the lease's end, by the broker's clock, with this machine's clock, and refuse without
        # asking: on a machine whose clock is a minute ahead nothing would ever be settled. The broker knows.
        delivery.received._expiry = _NEVER
        async with self._turn, self._translated("settling"):
            await getattr(await self._link.opened(), method)(delivery.received, **how)

    @contextlib.asynccontextmanager
    async def _translated(self, doing: str) -> AsyncIterator[None]:
        try:
            yield
        except (MessageLockLostError, MessageNotFoundError, MessageAlreadySettled) as cause:
            raise LeaseLost(f"{doing} on {self._queue} was refused") from cause
        except (AzureError, ValueError, OSError) as cause:
            raise QueueUnavailable(f"{doing} on {self._queue} failed: {type(cause).__name__}") from cause

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
        dead_letter_reason=received.dead_letter_reason or "",
        dead_letter_description=received.dead_letter_error_description or "",
        received=received,
    )


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
