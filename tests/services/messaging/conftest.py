"""A queue of the test's own whose leases outlast it, and what is left on it."""

from __future__ import annotations

import secrets
from datetime import timedelta

import httpx
import pytest

from claimcheck.commands.up.addresses import HOST
from claimcheck.settings import Settings
from tests.stack.by_hand import ByHand
from tests.stack.client import ANSWER_S
from tests.stack.names import Names
from tests.stack.services import Services
from tests.stack.stores import Stores

LEASE = timedelta(minutes=5)
DESCRIPTION = f"""<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">
<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">
<LockDuration>PT{LEASE.total_seconds():.0f}S</LockDuration><MaxDeliveryCount>10</MaxDeliveryCount>
</QueueDescription></content></entry>"""


def is_empty(stores: Stores) -> bool:
    """Whether every message of the queue has been completed."""
    counts = stores.counts()
    return not any(counts[state] for state in ("active", "locked", "scheduled", "dead_lettered"))


@pytest.fixture
def names(services: Services) -> Names:
    """One queue for every kind, with leases of five minutes."""
    name = f"messaging-{secrets.token_hex(4)}"
    address = f"http://{HOST}:{services.service_bus.ports['admin']}/{name}"
    made = httpx.put(address, content=DESCRIPTION, timeout=ANSWER_S)
    assert made.status_code == httpx.codes.CREATED, made.text
    return Names(container=name, queues=dict.fromkeys(("media", "speech", "language"), name))


@pytest.fixture
def settings(services: Services, names: Names) -> Settings:
    """Settings that lead to that queue; nothing else of them is there."""
    return services.settings(names)


@pytest.fixture
def stores(services: Services, names: Names) -> Stores:
    """What the queue holds."""
    return Stores(services, names)


@pytest.fixture
def by_hand(stores: Stores) -> ByHand:
    """Lets leases end."""
    return ByHand(stores)
