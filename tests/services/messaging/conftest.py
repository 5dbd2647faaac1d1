"""A queue of the test's own whose leases outlast it, and what is left on it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from claimcheck.settings import Settings
from tests.services.locks import lock_for
from tests.stack.by_hand import ByHand
from tests.stack.names import Names, NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores

LEASE = timedelta(minutes=5)


def is_empty(stores: Stores) -> bool:
    """Whether every message of the queue has been completed."""
    counts = stores.counts()
    return not any(counts[state] for state in ("active", "locked", "scheduled", "dead_lettered"))


@pytest.fixture
def names(services: Services, name_stock: NameStock) -> Names:
    """Those of the test; its queue `speech` has such leases."""
    names = name_stock.take()
    lock_for(LEASE.total_seconds(), names.queues["speech"], services=services)
    return names


@pytest.fixture
def settings(services: Services, names: Names) -> Settings:
    """Settings that lead to that queue; neither containers nor a database are there."""
    return services.settings(names)


@pytest.fixture
def stores(services: Services, names: Names) -> Stores:
    """What the queue holds."""
    return Stores(services, names)


@pytest.fixture
def by_hand(stores: Stores) -> ByHand:
    """Lets leases end."""
    return ByHand(stores)
