"""One emulator for the session, and the SDK in both flavours."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from .harness import Namespace, Sdk

_FLAVOURS = ("aio", "sync")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the SDK leak the sockets of connections that broke.

    It forgets them without closing (azure-servicebus 7.15, `_pyamqp`), and the warning comes in whatever test is
    running when they are collected.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"))


@pytest.fixture(scope="module", autouse=True)
def leaked_sockets_are_collected_here() -> Iterator[None]:
    """Keep the leaks of this folder from surfacing in another one's tests."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def namespace() -> Iterator[Namespace]:
    """An emulator in memory, without queues; tests make their own."""
    running = Namespace()
    yield running
    running.process.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sdks(namespace: Namespace) -> AsyncIterator[dict[str, Sdk]]:
    """Both flavours; their links are closed when all tests are over."""
    # The SDK's sync links block a thread each while they open and close.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64))
    both = {flavour: Sdk(flavour) for flavour in _FLAVOURS}
    both["aio"].twin = both["sync"]
    yield both
    await asyncio.gather(*(sdk.close() for sdk in both.values()))


@pytest_asyncio.fixture(loop_scope="session", params=_FLAVOURS)
async def sdk(request: pytest.FixtureRequest, sdks: dict[str, Sdk]) -> AsyncIterator[Any]:
    """The SDK, once in each flavour."""
    yield sdks[request.param]
    sdks[request.param].close_soon()


@pytest_asyncio.fixture(loop_scope="session")
async def aio(sdks: dict[str, Sdk]) -> AsyncIterator[Sdk]:
    """The asyncio flavour alone, for what does not depend on the flavour."""
    yield sdks["aio"]
    sdks["aio"].close_soon()
