"""A link of the Service Bus SDK: opened when it is first needed, thrown away after anything that went wrong on it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from azure.core.exceptions import AzureError
from azure.servicebus.aio import ServiceBusReceiver, ServiceBusSender

log = logging.getLogger(__name__)

CLOSE_S = 2.0  # The SDK sleeps 1 s while it closes a link.

SdkLink = TypeVar("SdkLink", ServiceBusSender, ServiceBusReceiver)


class Link(Generic[SdkLink]):
    """The link that `make` makes, one at a time. Knows no lock: whoever uses it sees to it that one does at a time."""

    def __init__(self, make: Callable[[], SdkLink]) -> None:
        self._make: Callable[[], SdkLink] = make
        self._link: SdkLink | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether there is a link; it may have broken since its last use."""
        return self._link is not None

    async def opened(self) -> SdkLink:
        """The link, opened if there is none. Raises what the SDK raises."""
        if self._link is None:
            self._link = self._make()
            await self._link.__aenter__()
        return self._link

    @contextlib.asynccontextmanager
    async def discarded_on_error(self) -> AsyncIterator[None]:
        """A link that failed or was left in the middle of a call is in an unknown state: never use it again."""
        try:
            yield
        except BaseException:
            self.discard()
            raise

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


async def closed(link: ServiceBusSender | ServiceBusReceiver) -> None:
    """Close a link that may be broken: within a time limit, and without caring how."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await link.close()
    except (AzureError, ValueError, OSError, AttributeError) as cause:  # AttributeError: a link that never opened
        log.debug("link.close_failed", extra={"cause": type(cause).__name__})
