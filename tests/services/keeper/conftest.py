"""A system with a keeper that has little patience, and the keeper's sweeps on their own."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claimcheck.blobs import Blobs, Page
from claimcheck.job import Job, Upload, new_job
from claimcheck.records import Records
from claimcheck.settings import KeeperSettings, Settings
from services.worker.keeper.second_erase import SecondErase
from services.worker.keeper.sweeping import BlobSweep
from tests.conftest import RunSystem
from tests.stack.client import Client
from tests.stack.names import Names, NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until

AT_ONCE = 8
LAST_JOB_ID = "ffffffff-ffff-4fff-bfff-ffffffffffff"
PATIENT = {
    "CLAIMCHECK_BLOBS__BLOCK_BYTES": str(64 * 1024),
    "CLAIMCHECK_WEB__DEPENDENCY_TIMEOUT_S": "10",
}
"""Of every program but the keeper: no test here is about an API that gives up."""
IMPATIENT = {
    "CLAIMCHECK_KEEPER__SWEEP_S": "0.3",
    "CLAIMCHECK_KEEPER__FULL_SWEEP_S": "0.3",
    "CLAIMCHECK_KEEPER__ORPHAN_AGE_S": "3",
    # `orphan_age_s` must exceed these, so they are tiny. No request is made under them: the APIs have PATIENT.
    "CLAIMCHECK_WEB__BLOCK_TIMEOUT_S": "0.1",
    "CLAIMCHECK_WEB__DEPENDENCY_TIMEOUT_S": "0.01",
    "CLAIMCHECK_KEEPER__ERASE_AGAIN_S": "5.5",  # the lease is 5 s
    "CLAIMCHECK_KEEPER__READS_PER_S": "2000",
}


@dataclass(frozen=True)
class Kept:
    """A system with a keeper, its client, and what it stores."""

    system: System
    client: Client
    stores: Stores

    def unswept(self) -> AbstractContextManager[None]:
        """Every keeper stands still inside: no upload gets old enough to be swept before its record is there."""
        return self.system.frozen(*(name for name in self.system.programs if name.startswith("keeper-")))

    def submit(self, **how: Any) -> str:
        """Submit a file; the job's id."""
        with self.unswept():
            return self.client.submit(**how)

    def until_swept(self) -> None:
        """Wait until a sweep has looked at everything that is here now: at the last of the names, left here now."""
        last = self.stores.leave_blob(f"results/zz/{LAST_JOB_ID}/{secrets.token_hex(8)}")
        until(lambda: not self.stores.blobs(last), "a sweep has passed", deadline_s=40)

    def assert_every_blob_is_named(self) -> None:
        """Fails if a blob is there that no record names, or the other way round."""
        jobs = self.stores.items("job")
        ends = [job["end"] for job in jobs if job["end"]]
        results = [end["result"]["blob"] for end in ends if "blob" in end.get("result", {})]
        assert {*self.stores.blobs("")} == {*(job["upload"]["blob"] for job in jobs), *results}


@pytest.fixture(scope="package")
def kept(run_system: RunSystem, services: Services, name_stock: NameStock) -> Iterator[Kept]:
    """Both APIs, a worker and a keeper whose every sweep is a full one; a test leaves every program running."""
    names = name_stock.take()
    with (
        run_system(keepers=1, names=names, env=PATIENT, keeper_env=IMPATIENT) as system,
        Client(system.process_url, system.status_url) as client,
    ):
        yield Kept(system, client, Stores(services, names))


class AgingBlobs(Blobs):
    """Blobs that can be made older than they are."""

    older_by: timedelta = timedelta()

    async def pages(self, prefix: str) -> AsyncIterator[Page]:
        """As if the storage were asked so much later."""
        async for page in super().pages(prefix):
            yield Page(page.at + self.older_by, page.blobs)


@dataclass(frozen=True)
class Bench:
    """Sweeps run one by one inside the test."""

    records: Records
    blobs: AgingBlobs
    settings: KeeperSettings
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    """Of many at once each would wait for the others, and its time limit runs meanwhile."""

    def sweep(self, *, retention: timedelta = timedelta(days=7), **settings: Any) -> BlobSweep:
        """As a keeper has it that has just started; with these of its settings changed."""
        changed = self.settings.model_copy(update=settings)
        return BlobSweep(self.records, self.blobs, changed, retention=retention)

    def second_erase(self) -> SecondErase:
        """The second erase of jobs that have been erased just now."""
        return SecondErase(self.records, self.blobs, self.settings)

    async def job(self, job_id: str = "") -> Job:
        """A queued job and its upload."""
        job_id, now = job_id or str(uuid.uuid4()), datetime.now(UTC)
        blob = await self.leave("uploads", job_id)
        fresh = new_job(
            tenant="default",
            job_id=job_id,
            task="probe",
            options={},
            upload=Upload(blob=blob, size_bytes=4, sha256=""),
            stage="whole",
            epoch=secrets.token_hex(4),
            now=now,
            deadline_at=now + timedelta(hours=1),
        )
        async with self._turns:
            return await self.records.create_job(fresh)

    async def leave(self, folder: str, job_id: str | None = None) -> str:
        """Store a blob; its name."""
        name = f"{folder}/default/{job_id or uuid.uuid4()}/{secrets.token_hex(8)}"
        async with self._turns:
            await self.blobs.put(name, b"left", "text/plain")
        return name

    async def names(self) -> set[str]:
        """Every blob there is."""
        return {blob.name async for page in self.blobs.pages("") for blob in page.blobs}

    def age(self) -> None:
        """Let every blob be old enough to be swept."""
        # The storage tells whole seconds.
        self.blobs.older_by += timedelta(seconds=self.settings.orphan_age_s + 1)


@pytest.fixture
def stores(services: Services, names: Names) -> Stores:
    """What the bench works on, for faults."""
    return Stores(services, names)


@pytest.fixture
async def bench(settings: Settings) -> AsyncIterator[Bench]:
    """The sweep of blobs, on records and blobs of its own."""
    records, blobs = Records(settings.records, timeout_s=10), AgingBlobs(settings.blobs, timeout_s=10)
    yield Bench(records, blobs, KeeperSettings(reads_per_s=2000, erase_again_s=0.001))
    await records.close()
    await blobs.close()
