"""One world for all runs: a link to Service Bus takes half a second to open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from claimcheck.commands.up.provision import provision
from tests.services.lifecycle.line import LOCK_S
from tests.services.lifecycle.world import World, opened
from tests.services.locks import lock_for
from tests.stack.names import NameStock
from tests.stack.services import Services


@pytest.fixture(scope="package")
def world(services: Services, name_stock: NameStock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The product's components on a queue of their own, whose leases are the longest that there are."""
    names = name_stock.take()
    lock_for(LOCK_S, names.queues["speech"], services=services)
    settings = services.settings(
        names,
        queue={"lease_s": LOCK_S, "renew_s": LOCK_S / 3, "senders": 1},
        worker={"scratch_dir": tmp_path_factory.mktemp("scratch")},
        # Nothing comes due before time passes: a retry by the clock would make runs differ. Without a budget none waits
        # for less than half of the longest time.
        job={"max_attempts": 3, "retry_budget": 0, "backoff_first_s": LOCK_S * 0.9, "backoff_max_s": LOCK_S * 0.9},
    )
    with asyncio.Runner() as loop:
        loop.run(provision(settings))
        closing = contextlib.AsyncExitStack()
        yield loop.run(closing.enter_async_context(opened(services, settings, loop)))
        loop.run(closing.aclose())
