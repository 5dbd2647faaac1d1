"""One world for all runs: a link to Service Bus takes half a second to open."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator

import httpx
import pytest

from claimcheck.commands.up.addresses import HOST
from claimcheck.commands.up.provision import provision
from tests.services.lifecycle.line import LOCK_S, MAX_DELIVERIES
from tests.services.lifecycle.world import World, opened
from tests.stack.names import Names
from tests.stack.services import Services

DESCRIPTION = f"""<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">
<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">
<LockDuration>PT{LOCK_S:.0f}S</LockDuration><MaxDeliveryCount>{MAX_DELIVERIES}</MaxDeliveryCount>
<DefaultMessageTimeToLive>P2D</DefaultMessageTimeToLive>
<DeadLetteringOnMessageExpiration>true</DeadLetteringOnMessageExpiration>
<RequiresDuplicateDetection>true</RequiresDuplicateDetection>
<DuplicateDetectionHistoryTimeWindow>PT10M</DuplicateDetectionHistoryTimeWindow>
</QueueDescription></content></entry>"""


@pytest.fixture(scope="package")
def world(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The product's components on a queue of their own, whose leases are the longest that there are."""
    name = f"lifecycle-{secrets.token_hex(4)}"  # A worker of pytest-xdist may make this fixture more than once.
    made = httpx.put(f"http://{HOST}:{services.service_bus.ports['admin']}/{name}", content=DESCRIPTION)
    assert made.status_code == httpx.codes.CREATED, made.text
    names = Names(container=name, queues=dict.fromkeys(("media", "speech", "language"), name))
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
