"""Messages on Azure Service Bus; the only importer of its SDK.

Owns senders and receivers, their time limits and the translation of errors. Two traps of the SDK shape it: a sender
that coroutines share without a lock drops from 4,300 to 12 sends a second, and settling on a receiver while it receives
takes 100 ms. So each sender sends one message at a time, and each receiver takes one delivery, settles it, takes the
next.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import AzureError
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from claimcheck.errors import LeaseLost, QueueUnavailable
from claimcheck.messages import Message
from claimcheck.settings import QueueSettings
from claimcheck.tasks import QueueKind

log = logging.getLogger(__name__)

CLOSE_S = 2.0  # The SDK sleeps 1 s while it closes a link.

# The broker looked at the message and said no; after any other error it may be on the queue.
REFUSALS = (
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)


@dataclass(frozen=True)
class Delivery:
    """One hand-over of a message, leased until `leased_until` (the broker's clock, UTC)."""

    body: bytes
    message_id: str
    sequence_number: str
    delivery_count: int
    """Earlier deliveries of this message; 0 at the first."""
    leased_until: datetime
    enqueued_at: datetime
    properties: Mapping[str, str]
    """Application properties whose values are text, such as `traceparent`."""
    received: ServiceBusReceivedMessage = field(repr=False, compare=False)


class Queues:
    """The queues of one namespace. Safe to share between coroutines; opens its connections when first needed."""

    def __init__(self, settings: QueueSettings, *, timeout_s: float) -> None:
        """`timeout_s`: time limit of one send, opening the connection included."""
        self._settings = settings
        self._timeout_s = timeout_s
        self._credential: DefaultAzureCredential | None = None
        self._clients: dict[int, ServiceBusClient] = {}
        self._senders: dict[str, list[_Sender]] = {}
        self._next = itertools.count()

    async def send(
        self, kind: QueueKind, message: Message, *, due_at: datetime | None = None, traceparent: str = ""
    ) -> None:
        """Put a message on a queue, scheduled if `due_at` is given.

        Raises QueueUnavailable; its `refused` tells whether the message is certainly not there.
        """
        await self.send_copy(
            kind, message.encode(), message_id=message.message_id, due_at=due_at, traceparent=traceparent
        )

    async def send_copy(
        self, kind: QueueKind, body: bytes, *, message_id: str, due_at: datetime | None, traceparent: str = ""
    ) -> None:
        """Put a body on a queue as it is, also one that this release cannot read. Raises QueueUnavailable."""
        properties: dict[str | bytes, object] = {"traceparent": traceparent} if traceparent else {}
        outgoing = ServiceBusMessage(
            body,
            message_id=message_id,
            content_type="application/json",
            scheduled_enqueue_time_utc=due_at,
            application_properties=properties or None,  # type: ignore[arg-type]  # the SDK's own alias is narrower
        )
        pool = self._pool(kind)
        await pool[next(self._next) % len(pool)].send(outgoing)

    def _pool(self, kind: QueueKind) -> list[_Sender]:
        name = self.name_of(kind)
        if name not in self._senders:
            # Retries are ours: after one by the SDK nobody knows whether an earlier try reached the broker.
            client = self._client(retry_total=0)
            self._senders[name] = [_Sender(client, name, self._timeout_s) for _ in range(self._settings.senders)]
        return self._senders[name]

    def receiver(self, kind: QueueKind) -> Receiver:
        """A new receiver of a queue, on a connection of its own."""
        return Receiver(self._client(retry_total=2), self.name_of(kind))

    def name_of(self, kind: QueueKind) -> str:
        """The queue's name in the namespace."""
        return str(getattr(self._settings, kind))

    async def ping(self, kind: QueueKind) -> None:
        """Raises QueueUnavailable unless the queue can be sent to."""
        await self._pool(kind)[0].open()

    async def close(self) -> None:
        """Close every connection that is open."""
        await asyncio.gather(*(sender.close() for pool in self._senders.values() for sender in pool))
        for client in self._clients.values():
            await client.close()
        if self._credential is not None:
            await self._credential.close()
        self._senders, self._clients = {}, {}

    def _client(self, *, retry_total: int) -> ServiceBusClient:
        if retry_total not in self._clients:
            options: dict[str, Any] = {"retry_total": retry_total, "retry_backoff_factor": 0.2, "retry_backoff_max": 2}
            if self._settings.connection_string is not None:
                secret = self._settings.connection_string.get_secret_value()
                self._clients[retry_total] = ServiceBusClient.from_connection_string(secret, **options)
            else:
                self._credential = self._credential or DefaultAzureCredential()
                self._clients[retry_total] = ServiceBusClient(self._settings.namespace, self._credential, **options)
        return self._clients[retry_total]


class _Sender:
    """One link that sends one message at a time, and is opened anew after any failure."""

    def __init__(self, client: ServiceBusClient, queue: str, timeout_s: float) -> None:
        self._client, self._queue, self._timeout_s = client, queue, timeout_s
        self._turn = asyncio.Lock()
        self._link: ServiceBusSender | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, message: ServiceBusMessage) -> None:
        """Raises QueueUnavailable."""
        handed_over = False
        try:
            async with asyncio.timeout(self._timeout_s), self._turn, self._discarded_on_error():
                link = await self._opened()
                handed_over = True
                await link.send_messages(message)
        except REFUSALS as cause:
            raise QueueUnavailable(f"the queue {self._queue} refused: {cause.message}", refused=True) from cause
        except (AzureError, ValueError, OSError) as cause:  # OSError: TimeoutError and what the socket raises
            what = "did not answer in time" if isinstance(cause, TimeoutError) else f"failed: {type(cause).__name__}"
            raise QueueUnavailable(f"the queue {self._queue} {what}", refused=not handed_over) from cause

    async def open(self) -> None:
        """Raises QueueUnavailable unless the link is open or can be opened."""
        try:
            async with asyncio.timeout(self._timeout_s), self._turn, self._discarded_on_error():
                await self._opened()
        except (AzureError, ValueError, OSError) as cause:
            detail = f"the queue {self._queue} cannot be reached: {type(cause).__name__}"
            raise QueueUnavailable(detail, refused=True) from cause

    @contextlib.asynccontextmanager
    async def _discarded_on_error(self) -> AsyncIterator[None]:
        """A link that failed or was left in the middle of a send is in an unknown state: never use it again."""
        try:
            yield
        except BaseException:
            self.discard()
            raise

    async def _opened(self) -> ServiceBusSender:
        if self._link is None:
            self._link = self._client.get_queue_sender(self._queue)
            await self._link.__aenter__()
        return self._link

    def discard(self) -> None:
        """Close the link in the background, if there is one: the SDK takes up to a second for it."""
        if self._link is not None:
            closing = asyncio.create_task(_closed(self._link))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._link = None

    async def close(self) -> None:
        """Close the link and wait for it."""
        self.discard()
        await asyncio.gather(*self._closing)


class Receiver:
    """One link that takes one delivery at a time; it is settled before the next is received."""

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._client, self._queue = client, queue
        self._link: ServiceBusReceiver | None = None
        # A renewal and a settlement at the same moment would wait for each other's reads inside the SDK.
        self._turn = asyncio.Lock()

    async def receive(self, wait_s: float) -> Delivery | None:
        """The next delivery, leased for the queue's lock duration; None after `wait_s` seconds without one.

        At-least-once: the same message may come again, also while an expired lease's worker still runs.
        Raises QueueUnavailable; the next call opens a new connection.
        """
        try:
            received = await (await self._opened()).receive_messages(max_message_count=1, max_wait_time=wait_s)
        except (AzureError, ValueError, OSError) as cause:
            await self.close()
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
            return await (await self._opened()).renew_message_lock(delivery.received)

    async def _settled(self, delivery: Delivery, method: str, **how: str) -> None:
        async with self._turn, self._translated("settling"):
            await getattr(await self._opened(), method)(delivery.received, **how)

    @contextlib.asynccontextmanager
    async def _translated(self, doing: str) -> AsyncIterator[None]:
        try:
            yield
        except (MessageLockLostError, MessageNotFoundError, MessageAlreadySettled) as cause:
            raise LeaseLost(f"{doing} on {self._queue} was refused") from cause
        except (AzureError, ValueError, OSError) as cause:
            raise QueueUnavailable(f"{doing} on {self._queue} failed: {type(cause).__name__}") from cause

    async def _opened(self) -> ServiceBusReceiver:
        if self._link is None:
            # Nothing is prefetched: a message waiting here behind a long job would be held from an idle worker.
            self._link = self._client.get_queue_receiver(self._queue, prefetch_count=0)
            await self._link.__aenter__()
        return self._link

    async def close(self) -> None:
        """Close the connection; the leases it held run out."""
        link, self._link = self._link, None
        if link is not None:
            await _closed(link)


async def _closed(link: ServiceBusSender | ServiceBusReceiver) -> None:
    """Close a link that may be broken: within a time limit, and without caring how."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await link.close()
    except (AzureError, ValueError, OSError, AttributeError) as cause:  # AttributeError: a link that never opened
        log.debug("link.close_failed", extra={"cause": type(cause).__name__})


def _delivery(received: ServiceBusReceivedMessage) -> Delivery:
    properties = received.application_properties or {}
    return Delivery(
        body=b"".join(received.body) if received.body_type == AmqpMessageBodyType.DATA else b"",
        message_id=received.message_id or "",
        sequence_number=str(received.sequence_number),
        delivery_count=received.delivery_count or 0,
        leased_until=received.locked_until_utc or datetime.now(UTC),
        enqueued_at=received.enqueued_time_utc or datetime.now(UTC),
        properties={_text(k): _text(v) for k, v in properties.items() if isinstance(v, str | bytes)},
        received=received,
    )


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
