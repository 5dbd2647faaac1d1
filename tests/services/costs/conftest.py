"""A system with an ordinary tenant and the one with the longest name, a model that it asks, and what requests cost."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from claimcheck.commands.up.addresses import blob_connection_string, records_endpoint
from claimcheck.web.access import key_hash
from tests.conftest import RunSystem
from tests.faults.crash_points.crashing import blob_kind
from tests.services.locks import LONG_LOCK_S, lock_for
from tests.stack.client import ANSWER_S, Client
from tests.stack.counting_proxy import CountingProxy, LoopThread
from tests.stack.endpoints import RunEndpoint, variables
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System

LONGEST = "t" * 40
KEYS = {tenant: f"cck_key-of-{tenant}" for tenant in ("default", LONGEST)}
ITEM_KINDS = ("create", "read", "upsert", "replace", "patch", "delete", "batch", "query")


@dataclass
class Used:
    """Requests for items and their request units, by kind."""

    requests: dict[str, int] = field(default_factory=dict)
    request_units: dict[str, float] = field(default_factory=dict)

    def without(self, *kinds: str) -> Used:
        """The rest of it."""
        requests, request_units = (
            {kind: n for kind, n in column.items() if kind not in kinds}
            for column in (self.requests, self.request_units)
        )
        return Used(requests, request_units)  # type: ignore[arg-type]  # of two types, and each goes where it came from

    @property
    def total(self) -> float:
        """Request units of everything."""
        return round(math.fsum(self.request_units.values()), 2)


@dataclass(frozen=True)
class Meter:
    """Reads what the Cosmos DB emulator has charged."""

    endpoint: str

    @contextlib.contextmanager
    def __call__(self) -> Iterator[Used]:
        """What happens inside the context, once it is over. Pings of the container and the SDK's own reads of its
        partitions, which it caches, are left out."""
        used, before = Used(), self._report()
        yield used
        for kind, now in self._report().items():
            then = before.get(kind, {"requests": 0, "request_units": 0.0})
            if kind in ITEM_KINDS and now["requests"] > then["requests"]:
                used.requests[kind] = int(now["requests"] - then["requests"])
                used.request_units[kind] = round(now["request_units"] - then["request_units"], 2)

    def _report(self) -> dict[str, dict[str, float]]:
        report: dict[str, dict[str, float]] = httpx.get(
            f"{self.endpoint}/_emulator/charges", verify=False, timeout=ANSWER_S
        ).json()
        return report


@pytest.fixture
def meter(services: Services, stores: Stores) -> Meter:
    """What requests cost, once the worker has nothing left of an earlier test."""
    stores.until_empty(deadline_s=30)
    return Meter(records_endpoint(services.cosmos.ports["http"]))


@pytest.fixture(scope="package")
def stores(services: Services, name_stock: NameStock) -> Stores:
    """What the system has stored."""
    stores = Stores(services, name_stock.take())
    lock_for(LONG_LOCK_S, *stores.names.queues.values(), services=services)
    return stores


@pytest.fixture(scope="package")
def blobs_asked(services: Services) -> Iterator[CountingProxy]:
    """What the system asks of Blob Storage."""
    with LoopThread() as loop:
        proxy = CountingProxy(services.azurite.port, blob_kind)
        loop.run(proxy.open())
        yield proxy
        loop.run(proxy.close())


@pytest.fixture(scope="package")
def running(
    run_system: RunSystem, run_endpoint: RunEndpoint, stores: Stores, blobs_asked: CountingProxy
) -> Iterator[System]:
    """Both APIs and two workers that write a heartbeat as seldom as in production."""
    with run_endpoint() as endpoint:
        env = {
            "CLAIMCHECK_WEB__KEYS": json.dumps({key_hash(key): tenant for tenant, key in KEYS.items()}),
            "CLAIMCHECK_WEB__DEPENDENCY_TIMEOUT_S": "10",
            "CLAIMCHECK_QUEUE__LEASE_S": str(LONG_LOCK_S),
            "CLAIMCHECK_BLOBS__CONNECTION_STRING": blob_connection_string(blobs_asked.port),
            **variables(endpoint.endpoint_settings("scripted")),
        }
        with run_system(names=stores.names, language_workers=1, env=env) as system:
            yield system


@pytest.fixture(scope="package")
def clients(running: System) -> Iterator[dict[str, Client]]:
    """A client of each tenant."""
    with contextlib.ExitStack() as stack:
        made = {}
        for tenant, key in KEYS.items():
            made[tenant] = stack.enter_context(Client(running.process_url, running.status_url))
            for api in (made[tenant].process, made[tenant].status):
                api.headers["X-API-Key"] = key
        yield made


@pytest.fixture
def client(clients: dict[str, Client]) -> Client:
    """A client of the tenant `default`."""
    return clients["default"]
