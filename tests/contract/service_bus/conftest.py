"""One emulator for the session, and the SDK in both flavours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from .harness import Namespace, Sdk

_FLAVOURS = ("aio", "sync")


@pytest.fixture(scope="session")
def namespace() -> Iterator[Namespace]:
    """An emulator in memory, without queues; tests make their own."""
    running = Namespace()
    yield running
    running.process.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sdks(namespace: Namespace) -> AsyncIterator[dict[str, Sdk]]:
    """Both flavours; their links are closed when all tests are over."""
    both = {flavour: Sdk(flavour) for flavour in _FLAVOURS}
    yield both
    for sdk in both.values():
        await sdk.close()


@pytest.fixture(params=_FLAVOURS)
def sdk(request: pytest.FixtureRequest, sdks: dict[str, Sdk]) -> Any:
    """The SDK, once in each flavour."""
    return sdks[request.param]


@pytest.fixture
def aio(sdks: dict[str, Sdk]) -> Sdk:
    """The asyncio flavour alone, for what does not depend on the flavour."""
    return sdks["aio"]
