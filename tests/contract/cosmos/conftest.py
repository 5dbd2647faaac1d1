"""Emulators to test, and the unmodified SDK in front of them: sync and aio, behind one set of coroutines."""

from __future__ import annotations

import asyncio
import base64
import hmac
import inspect
import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AioCosmosClient
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from azure_local_emulators.cosmos.authorization import WELL_KNOWN_KEY
from azure_local_emulators.process import EmulatorProcess

MODULE = "azure_local_emulators.cosmos"
STALENESS_S = 0.4
LONG_STALENESS_S = 3600.0
DEADLINE_S = 30.0
TENANT = "default"
DATABASE = "contract"
_NUMBERS = itertools.count(1)


class Box:
    """One container, through either SDK. Every method is a coroutine and answers plain values."""

    def __init__(self, container: Any) -> None:
        self.container = container

    async def create(self, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        return dict(await _done(self.container.create_item(body, **options)))

    async def upsert(self, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        return dict(await _done(self.container.upsert_item(body, **options)))

    async def replace(self, item: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        return dict(await _done(self.container.replace_item(item, body, **options)))

    async def patch(self, item: str, key: Any, operations: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        return dict(await _done(self.container.patch_item(item, key, operations, **options)))

    async def read(self, item: str, key: Any, **options: Any) -> dict[str, Any]:
        return dict(await _done(self.container.read_item(item, key, **options)))

    async def delete(self, item: str, key: Any, **options: Any) -> None:
        await _done(self.container.delete_item(item, key, **options))

    async def batch(self, operations: Sequence[Any], key: Any) -> list[dict[str, Any]]:
        return list(await _done(self.container.execute_item_batch(operations, key)))

    async def query(self, text: str, **options: Any) -> list[Any]:
        if (
            not inspect.iscoroutinefunction(self.container.read)
            and not {"partition_key", "feed_range"} & options.keys()
        ):
            options.setdefault("enable_cross_partition_query", True)  # the aio SDK always sends it
        return await _listed(self.container.query_items(text, **options))

    async def feed_ranges(self) -> list[dict[str, Any]]:
        return await _listed(self.container.read_feed_ranges())

    async def all_items(self) -> list[dict[str, Any]]:
        return await _listed(self.container.read_all_items())

    async def charge_of(self, operation: Awaitable[Any]) -> float:
        """Request units of one operation."""
        await operation
        return float(self.container.client_connection.last_response_headers["x-ms-request-charge"])


class Desk:
    """A client of one emulated account, and what it made there."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def database(self) -> Any:
        return await _done(self.client.create_database_if_not_exists(DATABASE))

    async def box(self, key: Any = ("/tenant", "/job_id"), **properties: Any) -> Box:
        """A fresh container."""
        definition = PartitionKey(list(key)) if isinstance(key, tuple) else PartitionKey(key)
        database = await self.database()
        name = f"box-{next(_NUMBERS)}-{uuid.uuid4().hex[:8]}"
        return Box(await _done(database.create_container(name, definition, **properties)))


async def _done(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


async def _listed(result: Any) -> list[Any]:
    return [row async for row in result] if hasattr(result, "__aiter__") else list(result)


async def done(result: Any) -> Any:
    """The result of a call to either SDK."""
    return await _done(result)


def endpoint(emulator: EmulatorProcess) -> str:
    """Where an emulator listens."""
    return f"http://127.0.0.1:{emulator.ports['http']}"


Opener = Callable[..., Awaitable[Desk]]


@pytest.fixture(params=["sync", "aio"])
def sdk(request: pytest.FixtureRequest) -> str:
    """Each test that opens a client runs with both."""
    return str(request.param)


@pytest.fixture
async def open_desk(sdk: str) -> AsyncIterator[Opener]:
    """Open clients, closed after the test."""
    async with AsyncExitStack() as opened:

        async def open_(emulator: EmulatorProcess, key: str = WELL_KNOWN_KEY, **options: Any) -> Desk:
            if sdk == "aio":
                client = AioCosmosClient(endpoint(emulator), key, **options)
                opened.push_async_callback(client.close)  # `async with` would leak the session if opening fails
                return Desk(await client.__aenter__())
            return Desk(opened.enter_context(CosmosClient(endpoint(emulator), key, **options)))

        yield open_


@pytest.fixture
def start() -> Iterator[Callable[..., EmulatorProcess]]:
    """Start emulators of one's own, ended after the test."""
    started: list[EmulatorProcess] = []

    def start_(*arguments: str) -> EmulatorProcess:
        emulator = EmulatorProcess(MODULE, ["--port", "0", *arguments])
        started.append(emulator)
        emulator.start()
        return emulator

    yield start_
    for emulator in started:
        emulator.kill()


def _running(*arguments: str) -> Iterator[EmulatorProcess]:
    emulator = EmulatorProcess(MODULE, ["--port", "0", *arguments])
    emulator.start()
    yield emulator
    emulator.stop()


@pytest.fixture(scope="session")
def strong() -> Iterator[EmulatorProcess]:
    """An account with Strong consistency."""
    yield from _running("--consistency", "Strong")


@pytest.fixture(scope="session")
def lagging() -> Iterator[EmulatorProcess]:
    """An account with Session consistency whose replicas lag, and catch up while a test waits."""
    yield from _running("--consistency", "Session", "--staleness-ms", str(STALENESS_S * 1000))


@pytest.fixture(scope="session")
def far_behind() -> Iterator[EmulatorProcess]:
    """An account with Session consistency whose replicas show nothing of what is written during a test."""
    yield from _running("--consistency", "Session", "--staleness-ms", str(LONG_STALENESS_S * 1000))


@pytest.fixture
async def desk(strong: EmulatorProcess, open_desk: Opener, raw: Raw) -> AsyncIterator[Desk]:
    """A client of the Strong account; no test leaves a fault behind, nor finds another one's counts."""
    raw.control("DELETE", "faults")
    yield await open_desk(strong)
    raw.control("DELETE", "faults")


@pytest.fixture
async def box(desk: Desk) -> Box:
    """A fresh container with a hierarchical key and item TTLs."""
    return await desk.box(default_ttl=-1)


class Raw:
    """Signed requests without the SDK, for what no SDK would send."""

    def __init__(self, emulator: EmulatorProcess) -> None:
        self.endpoint = endpoint(emulator)
        self._client = httpx.Client(
            base_url=self.endpoint, timeout=10, verify=False
        )  # loading certificates takes 30 ms

    def send(
        self, method: str, path: str, *, content: bytes | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """`path` has neither a slash in front nor escapes."""
        segments = path.split("/") if path else []
        kind, link = (
            (segments[-1], segments[:-1]) if len(segments) % 2 else (segments[-2] if segments else "", segments)
        )
        date = "thu, 01 jan 2026 00:00:00 gmt"
        text = f"{method.lower()}\n{kind}\n{'/'.join(link)}\n{date}\n\n".encode()
        signature = base64.b64encode(hmac.digest(base64.b64decode(WELL_KNOWN_KEY), text, "sha256")).decode()
        signed = {
            "x-ms-date": date,
            "authorization": quote(f"type=master&ver=1.0&sig={signature}", safe=""),
            **(headers or {}),
        }
        return self._client.request(method, f"/{quote(path)}", content=content, headers=signed)

    def docs(self, box: Box) -> str:
        """The path of a container's items."""
        return f"dbs/{DATABASE}/colls/{box.container.id}/docs"

    def control(self, method: str, what: str, body: Any = None) -> Any:
        """A request to /_emulator."""
        answer = self._client.request(method, f"/_emulator/{what}", json=body)
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="session")
def raw(strong: EmulatorProcess) -> Iterator[Raw]:
    """Signed requests to the Strong account."""
    raw_ = Raw(strong)
    yield raw_
    raw_.close()


Refused = Callable[[Awaitable[Any]], Awaitable[tuple[int, int]]]


@pytest.fixture
def refused() -> Refused:
    """Run an operation that must fail; its status and sub-status."""

    async def refused_(operation: Awaitable[Any]) -> tuple[int, int]:
        with pytest.raises((CosmosHttpResponseError, CosmosBatchOperationError)) as raised:
            await operation
        return int(raised.value.status_code or 0), int(getattr(raised.value, "sub_status", 0) or 0)

    return refused_


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Awaitable[bool]], float], Awaitable[None]]:
    """Wait for a condition, with a deadline in seconds."""

    async def wait(condition: Callable[[], Awaitable[bool]], deadline_s: float = DEADLINE_S) -> None:
        until = time.monotonic() + deadline_s
        while not await condition():
            assert time.monotonic() < until, f"not so within {deadline_s:g} s"
            await asyncio.sleep(0.01)

    return wait


def encoded(value: Any) -> bytes:
    """JSON."""
    return json.dumps(value).encode()
