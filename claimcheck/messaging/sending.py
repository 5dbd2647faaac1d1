"""Send through one link, one message at a time; anything that goes wrong costs the link."""

from __future__ import annotations

import asyncio
import logging

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusCommunicationError,
    ServiceBusConnectionError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from claimcheck.errors import QueueUnavailable
from claimcheck.messaging.link import Link

log = logging.getLogger(__name__)

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


class Sender:
    """One link that sends one message at a time, and is opened anew after any failure."""

    def __init__(self, client: ServiceBusClient, queue: str, timeout_s: float) -> None:
        self._queue, self._timeout_s = queue, timeout_s
        self._turn = asyncio.Lock()
        self._link: Link[ServiceBusSender] = Link(lambda: client.get_queue_sender(queue))

    async def send(self, message: ServiceBusMessage) -> None:
        """Raises QueueUnavailable."""
        handed_over = lost = False
        try:
            async with asyncio.timeout(self._timeout_s), self._turn, self._link.discarded_on_error():
                if handed_over := self._link.is_open:
                    lost = not await self._sent_through_idle(message)
                if lost or not handed_over:
                    link = await self._link.opened()
                    handed_over = True
                    await link.send_messages(message)
        except REFUSALS as cause:
            # The broker's words name the namespace and its tracking id: for the operator, not for the client.
            log.warning("queue.refused", extra={"queue": self._queue, "detail": cause.message})
            detail = f"the queue {self._queue} refused: {type(cause).__name__}"
            raise QueueUnavailable(detail, refused=not lost) from cause
        except (AzureError, ValueError, OSError) as cause:  # OSError: TimeoutError and what the socket raises
            what = "did not answer in time" if isinstance(cause, TimeoutError) else f"failed: {type(cause).__name__}"
            raise QueueUnavailable(f"the queue {self._queue} {what}", refused=not handed_over) from cause

    async def _sent_through_idle(self, message: ServiceBusMessage) -> bool:
        """Send through the link that is open; False if it turns out to be gone, which nobody notices while it is idle.

        The message may have arrived all the same. It is then sent twice: the broker drops the second as a duplicate,
        or whoever takes the copy completes it unrun.
        """
        try:
            await (await self._link.opened()).send_messages(message)
        except (ServiceBusConnectionError, ServiceBusCommunicationError):
            self._link.discard()
            return False
        return True

    async def open(self) -> None:
        """Raises QueueUnavailable unless the link is open or can be opened."""
        if self._link.is_open:
            return
        try:
            async with asyncio.timeout(self._timeout_s), self._turn, self._link.discarded_on_error():
                await self._link.opened()
        except (AzureError, ValueError, OSError) as cause:
            detail = f"the queue {self._queue} cannot be reached: {type(cause).__name__}"
            raise QueueUnavailable(detail, refused=True) from cause

    async def close(self) -> None:
        """Close the link and wait for it."""
        await self._link.close()
