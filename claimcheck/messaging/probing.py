"""Ask a queue whether it is there, on a link of its own: a sender's link looks open long after its broker is gone."""

from __future__ import annotations

import asyncio

from azure.core.exceptions import AzureError
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from claimcheck.errors import QueueUnavailable
from claimcheck.messaging.link import Link


class Probe:
    """One link that only ever peeks; it is opened anew after any failure."""

    def __init__(self, client: ServiceBusClient, queue: str, timeout_s: float) -> None:
        self._queue, self._timeout_s = queue, timeout_s
        self._turn = asyncio.Lock()
        # It takes no message: the SDK grants credit when it receives, and nobody receives here.
        self._link: Link[ServiceBusReceiver] = Link(lambda: client.get_queue_receiver(queue, prefetch_count=0))

    async def ask(self) -> None:
        """One round trip. Raises QueueUnavailable unless the queue answers within the time limit."""
        try:
            async with asyncio.timeout(self._timeout_s), self._turn, self._link.discarded_on_error():
                await (await self._link.opened()).peek_messages(max_message_count=1, sequence_number=1)
        except (AzureError, ValueError, OSError) as cause:
            detail = f"the queue {self._queue} does not answer: {type(cause).__name__}"
            raise QueueUnavailable(detail, refused=True) from cause

    async def close(self) -> None:
        """Close the link and wait for it."""
        await self._link.close()
