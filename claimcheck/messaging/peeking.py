"""Look at a queue and take nothing, on a link of its own: a sender's looks open long after its broker is gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusMessageState
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import ServiceBusAuthenticationError, ServiceBusAuthorizationError

from claimcheck.errors import QueueUnavailable
from claimcheck.messaging.link import Link
from claimcheck.messaging.receiving import body_of

# A wrong key, or a role that is not assigned yet: it may be in minutes.
NO_ACCESS = (ServiceBusAuthenticationError, ServiceBusAuthorizationError)


@dataclass(frozen=True)
class Peeked:
    """A message that stays where it is; it may be leased to a worker."""

    body: bytes
    sequence_number: int
    enqueued_at: datetime
    """By the broker's clock; of a scheduled message, when it will come due or when it was sent."""
    scheduled: bool


class Peeker:
    """One link that only ever peeks; it is opened anew after any failure."""

    def __init__(self, client: ServiceBusClient, queue: str, timeout_s: float) -> None:
        self._queue, self._timeout_s = queue, timeout_s
        self._turn = asyncio.Lock()
        # It takes no message: the SDK grants credit when it receives, and nobody receives here.
        self._link: Link[ServiceBusReceiver] = Link(lambda: client.get_queue_receiver(queue, prefetch_count=0))

    async def ask(self) -> None:
        """One round trip. Raises QueueUnavailable unless the queue answers within the time limit."""
        await self.peek(1, 1)

    async def peek(self, from_number: int, limit: int) -> list[Peeked]:
        """Up to `limit` messages from a sequence number on, in their order. Raises QueueUnavailable."""
        try:
            async with asyncio.timeout(self._timeout_s), self._turn, self._link.discarded_on_error():
                link = await self._link.opened()
                found = await link.peek_messages(max_message_count=limit, sequence_number=from_number)
        except (AzureError, ValueError, OSError) as cause:
            why = "refuses access" if isinstance(cause, NO_ACCESS) else "does not answer"
            detail = f"the queue {self._queue} {why}: {type(cause).__name__}"
            raise QueueUnavailable(detail, refused=True) from cause
        return [
            Peeked(
                body=body_of(message),
                sequence_number=message.sequence_number,
                enqueued_at=message.enqueued_time_utc,
                scheduled=message.state == ServiceBusMessageState.SCHEDULED,
            )
            for message in found
            if message.sequence_number is not None and message.enqueued_time_utc is not None
        ]

    async def close(self) -> None:
        """Close the link and wait for it."""
        await self._link.close()
