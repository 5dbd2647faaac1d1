"""The bare SDKs: the calls alone, by one process; what Claimcheck's own cost is measured against.

Default options include that aiohttp looks for proxies and a ~/.netrc before each request, which Claimcheck does once
(`claimcheck.transport`); so a ratio may exceed 1. With `--tuned-bare` the bare clients do it once as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from claimcheck.settings import Settings
from claimcheck.transport import http_transport

# A sender that coroutines share without a lock drops from 4,300 to 12 sends a second.
SENDERS = 2


@dataclass
class Tuning:
    """How the bare clients are made."""

    tuned: bool = False

    def options(self) -> dict[str, Any]:
        """Options of a client; a transport belongs to one client."""
        return {"transport": http_transport()} if self.tuned else {}


TUNING = Tuning()


class Senders:
    """Senders that each send one message at a time."""

    def __init__(self, links: list[ServiceBusSender]) -> None:
        self._links = [(link, asyncio.Lock()) for link in links]
        self._next = itertools.count()

    async def send(self, body: bytes, message_id: str) -> None:
        """Send one message."""
        link, turn = self._links[next(self._next) % len(self._links)]
        async with turn:
            await link.send_messages(ServiceBusMessage(body, message_id=message_id, content_type="application/json"))


@dataclass(frozen=True)
class Bare:
    """Open clients of the three services."""

    blobs: ContainerClient
    records: ContainerProxy
    senders: Senders


@contextlib.asynccontextmanager
async def bare_clients(settings: Settings) -> AsyncIterator[Bare]:
    """Clients of what `settings` names, open inside."""
    assert settings.blobs.connection_string is not None
    async with contextlib.AsyncExitStack() as opened:
        blobs = BlobServiceClient.from_connection_string(
            settings.blobs.connection_string.get_secret_value(),
            max_single_put_size=64 * 1024 * 1024,
            **TUNING.options(),
        )
        await opened.enter_async_context(blobs)
        records = await opened.enter_async_context(bare_records(settings))
        bus = await opened.enter_async_context(bare_bus(settings))
        links = [bus.get_queue_sender(settings.queue.speech) for _ in range(SENDERS)]
        for link in links:
            await opened.enter_async_context(link)
        yield Bare(blobs.get_container_client(settings.blobs.container), records, Senders(links))


@contextlib.asynccontextmanager
async def bare_records(settings: Settings) -> AsyncIterator[ContainerProxy]:
    """The container of jobs."""
    assert settings.records.key is not None
    key = settings.records.key.get_secret_value()
    async with CosmosClient(settings.records.endpoint, key, **TUNING.options()) as client:
        yield client.get_database_client(settings.records.database).get_container_client(settings.records.container)


@contextlib.asynccontextmanager
async def bare_bus(settings: Settings) -> AsyncIterator[ServiceBusClient]:
    """The namespace."""
    assert settings.queue.connection_string is not None
    async with ServiceBusClient.from_connection_string(settings.queue.connection_string.get_secret_value()) as bus:
        yield bus


def item_of(record: dict[str, Any], job_id: str) -> dict[str, Any]:
    """A job item like `record` for another job."""
    return {**record, "job_id": job_id}
