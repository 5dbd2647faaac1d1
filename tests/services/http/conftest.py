"""One system for every test of the contract: small blocks and a small upload limit, so that limits are soon reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import RunSystem
from tests.stack.client import Client
from tests.stack.components import sample
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System

BLOCK_BYTES = 64 * 1024  # the smallest that the settings take
LIMIT_BYTES = 2 * 1024 * 1024
ORIGIN = "https://page.example"


@pytest.fixture(scope="package")
def stores(services: Services, name_stock: NameStock) -> Stores:
    """What the system has stored."""
    return Stores(services, name_stock.take())


@pytest.fixture(scope="package")
def running(run_system: RunSystem, stores: Stores) -> Iterator[System]:
    """Both APIs and workers, without any endpoint of a model; no test ends one of them."""
    env = {
        "CLAIMCHECK_BLOBS__BLOCK_BYTES": str(BLOCK_BYTES),
        "CLAIMCHECK_WEB__MAX_UPLOAD_BYTES": str(LIMIT_BYTES),
        "CLAIMCHECK_WEB__ORIGINS": f'["{ORIGIN}"]',
        "CLAIMCHECK_WORKER__SLOTS": "4",
    }
    with run_system(names=stores.names, language_workers=1, env=env) as system:
        yield system


def nobody_works(system: System) -> AbstractContextManager[None]:
    """Inside, the worker stands still: what is handed in stays queued."""
    return system.frozen("worker-1")


@pytest.fixture(scope="package")
def client(running: System) -> Iterator[Client]:
    """A client of it."""
    with Client(running.process_url, running.status_url) as client:
        yield client


@pytest.fixture(scope="package")
def recording() -> Path:
    """Eleven seconds of speech."""
    return sample("fmt_jfk.wav")


@dataclass(frozen=True)
class Idle:
    """A system whose jobs stay queued, its client and its stores."""

    system: System
    client: Client
    stores: Stores


@pytest.fixture(scope="package")
def idle(run_system: RunSystem, services: Services, name_stock: NameStock) -> Iterator[Idle]:
    """Both APIs without a worker."""
    names = name_stock.take()
    with run_system(names=names, workers=0) as system, Client(system.process_url, system.status_url) as client:
        yield Idle(system, client, Stores(services, names))
