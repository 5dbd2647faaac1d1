"""One system with tenants for all tests here, and records written behind its back."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from claimcheck.job import Job, Upload, new_job
from claimcheck.records import Records
from claimcheck.web.access import key_hash
from tests.conftest import RunSystem
from tests.stack.client import Client
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System

WAITERS = 2
KEYS = {tenant: f"cck_key-of-{tenant}" for tenant in ("default", "acme", "rival")}
OPERATOR_KEY = "cck_key-of-the-operator"
WRITERS = 20
TIMEOUT_S = 75  # Beyond what any test here waits.
ENDPOINTS: list[dict[str, Any]] = [
    {"name": "local", "url": "http://SECRET.example/v1", "model": "toy", "priority": 9, "demonstration": True},
    {
        **{"name": "east", "kind": "azure", "url": "https://SECRET.example", "key": "SECRET", "deployment": "SECRET"},
        **{"model": "sees", "model_version": "2024-11-20", "capabilities": ["chat", "vision", "json"]},
    },
]


@pytest.fixture(scope="package")
def stores(services: Services, name_stock: NameStock) -> Stores:
    """What the system has stored."""
    return Stores(services, name_stock.take())


@pytest.fixture(scope="package")
def running(run_system: RunSystem, stores: Stores) -> Iterator[System]:
    """Both APIs and a worker, with keys; no test ends one of them."""
    env = {
        "CLAIMCHECK_WEB__KEYS": json.dumps({key_hash(key): tenant for tenant, key in KEYS.items()}),
        "CLAIMCHECK_WEB__OPERATOR_KEYS": json.dumps([key_hash(OPERATOR_KEY)]),
        "CLAIMCHECK_WEB__WAITERS": str(WAITERS),
        "CLAIMCHECK_WORKER__SLOTS": "4",
        "CLAIMCHECK_LANGUAGE__ENDPOINTS": json.dumps(ENDPOINTS),
    }
    with run_system(names=stores.names, env=env) as system:
        yield system


def with_key(client: Client, key: str) -> Client:
    """The client, sending this key with every request."""
    for api in (client.process, client.status):
        api.headers["X-API-Key"] = key
        api.timeout = httpx.Timeout(TIMEOUT_S)
    return client


@pytest.fixture(scope="package")
def client(running: System) -> Iterator[Client]:
    """A client of the tenant `acme`."""
    with Client(running.process_url, running.status_url) as client:
        yield with_key(client, KEYS["acme"])


@pytest.fixture(scope="package")
def rival(running: System) -> Iterator[Client]:
    """A client of another tenant."""
    with Client(running.process_url, running.status_url) as client:
        yield with_key(client, KEYS["rival"])


@pytest.fixture
async def asking(running: System) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the tenant `acme` at the status API that can ask several things at once."""
    headers = {"X-API-Key": KEYS["acme"]}
    async with httpx.AsyncClient(base_url=running.status_url, headers=headers, timeout=TIMEOUT_S) as client:
        yield client


@pytest.fixture
async def records(services: Services, stores: Stores) -> AsyncIterator[Records]:
    """The system's records."""
    records = Records(services.settings(stores.names).records, timeout_s=10)
    yield records
    await records.close()


def stored_job(tenant: str = "acme", *, created_at: datetime | None = None, **changes: Any) -> Job:
    """A job that no message announces: it stays as it is."""
    now, job_id = created_at or datetime.now(UTC), str(uuid.uuid4())
    job = new_job(
        tenant=tenant,
        job_id=job_id,
        task="probe",
        options={},
        upload=Upload(blob=f"uploads/{tenant}/{job_id}/0", name="a.txt", size_bytes=1, sha256="0" * 64),
        stage="probe",
        epoch="0123abcd",
        now=now,
        deadline_at=now + timedelta(days=1),
    )
    return job.model_copy(update=changes)


async def store(records: Records, jobs: Sequence[Job]) -> None:
    """Create the records of so many jobs, some at once."""

    async def create(some: Sequence[Job]) -> None:
        for job in some:
            await records.create_job(job)

    await asyncio.gather(*(create(jobs[n::WRITERS]) for n in range(WRITERS)))
