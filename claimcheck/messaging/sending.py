"""Send through one link, one message at a time; anything that goes wrong costs the link."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

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
from claimcheck.messaging.link import closed

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
        self._client, self._queue, self._timeout_s = client, queue, timeout_s
        self._turn = asyncio.Lock()
        self._link: ServiceBusSender | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, message: ServiceBusMessage) -> None:
        """Raises QueueUnavailable."""
        handed_over = lost = False
        try:
            async with asyncio.timeout(self._timeout_s), self._turn, self._discarded_on_error():
                if handed_over := self._link is not None:
                    lost = not await self._sent_through_idle(message)
                if lost or not handed_over:
                    link = await self._opened()
                    handed_over = True
                    await link.send_messages(message)
        except REFUSALS as cause:
            detail = f"the queue {self._queue} refused: {cause.message}"
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
            await (await self._opened()).send_messages(message)
        except (ServiceBusConnectionError, ServiceBusCommunicationError):
            self.discard()
            return False
        return True

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
            closing = asyncio.create_task(closed(self._link))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            self._link = None

    async def close(self) -> None:
        """Close the link and wait for it."""
        self.discard()
        await asyncio.gather(*self._closing)
