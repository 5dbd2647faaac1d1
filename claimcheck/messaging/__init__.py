"""Messages on Azure Service Bus; the only importer of its SDK.

Owns senders and receivers, their time limits and the translation of errors. Two traps of the SDK shape it: a sender
that coroutines share without a lock drops from 4,300 to 12 sends a second, and settling on a receiver while it receives
takes 100 ms. So each sender sends one message at a time, and each receiver takes one delivery, settles it, takes the
next.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import certifi
from azure.identity.aio import DefaultAzureCredential
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from claimcheck.messages import Message
from claimcheck.messaging.peeking import Peeked, Peeker
from claimcheck.messaging.receiving import Delivery, Receiver
from claimcheck.messaging.sending import Sender
from claimcheck.settings import QueueSettings
from claimcheck.tasks import QueueKind

__all__ = ["Delivery", "Peeked", "Queues", "Receiver"]


class Queues:
    """The queues of one namespace. Safe to share between coroutines; opens its connections when first needed."""

    def __init__(self, settings: QueueSettings, *, timeout_s: float) -> None:
        """`timeout_s`: time limit of one call, opening the connection included; a receive may wait beside it."""
        self._settings = settings
        self._timeout_s = timeout_s
        self._credential: DefaultAzureCredential | None = None
        self._opened: ServiceBusClient | None = None
        self._senders: dict[str, list[Sender]] = {}
        self._receivers: list[Receiver] = []
        self._peekers: dict[str, Peeker] = {}
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

    def _pool(self, kind: QueueKind) -> list[Sender]:
        name = self._name_of(kind)
        if name not in self._senders:
            client, many = self._client(), self._settings.senders
            self._senders[name] = [Sender(client, name, self._timeout_s) for _ in range(many)]
        return self._senders[name]

    def receiver(self, kind: QueueKind, *, dead_letters: bool = False) -> Receiver:
        """A new receiver of a queue, or of its dead letters, on a connection of its own; `close` closes it too."""
        receiver = Receiver(
            self._client(),
            self._name_of(kind),
            timeout_s=self._timeout_s,
            quiet_s=self._settings.quiet_s,
            dead_letters=dead_letters,
        )
        self._receivers.append(receiver)
        return receiver

    async def peek(self, kind: QueueKind, *, from_number: int, limit: int) -> list[Peeked]:
        """Up to `limit` messages from a sequence number on, leased and scheduled ones too, taking none.

        Raises QueueUnavailable.
        """
        return await self._peeker(kind).peek(from_number, limit)

    def _name_of(self, kind: QueueKind) -> str:
        """The queue's name in the namespace."""
        return str(getattr(self._settings, kind))

    async def ping(self, kind: QueueKind) -> None:
        """Ask the queue, one round trip. Raises QueueUnavailable unless it answers in time and can be sent to."""
        # Every sender too, so that no first request waits half a second for its connection.
        await asyncio.gather(self._peeker(kind).ask(), *(sender.open() for sender in self._pool(kind)))

    def _peeker(self, kind: QueueKind) -> Peeker:
        name = self._name_of(kind)
        if name not in self._peekers:
            self._peekers[name] = Peeker(self._client(), name, self._timeout_s)
        return self._peekers[name]

    async def close(self) -> None:
        """Close every connection that is open, all at once: each takes the SDK up to a second."""
        senders = itertools.chain.from_iterable(self._senders.values())
        links: Iterable[Sender | Peeker | Receiver] = (*senders, *self._peekers.values(), *self._receivers)
        await asyncio.gather(*(link.close() for link in links))
        if self._opened is not None:
            await self._opened.close()
        if self._credential is not None:
            await self._credential.close()
        self._senders, self._peekers, self._receivers, self._opened = {}, {}, [], None

    def _client(self) -> ServiceBusClient:
        if self._opened is None:
            # Retries are ours: after one by the SDK nobody knows whether an earlier try reached the broker, nor on
            # which link a message was received.
            # One TLS context for all links: each would make its own, and load the certificates for 27 ms, while nothing
            # else runs; without TLS too.
            context = ssl.create_default_context(cafile=certifi.where())
            options: dict[str, Any] = {"retry_total": 0, "ssl_context": context}
            if self._settings.connection_string is not None:
                secret = self._settings.connection_string.get_secret_value()
                self._opened = ServiceBusClient.from_connection_string(secret, **options)
            else:
                self._credential = self._credential or DefaultAzureCredential()
                self._opened = ServiceBusClient(self._settings.namespace, self._credential, **options)
        return self._opened
