"""What a job costs in request units: the table in `docs/architecture.md`, measured by what the emulator charges."""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from claimcheck.blobs import Blobs
from claimcheck.records import Records
from claimcheck.settings import KeeperSettings, Settings
from services.worker.keeper.sweeping import BlobSweep
from tests.services.costs.conftest import KEYS, Meter
from tests.stack.client import Client
from tests.stack.components import sample
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import eventually, until

KB = 1024
READ = 2.0  # Of up to 1 KB at Strong, found or not.
CREATE, PATCH, REFUSED = 5.71, 10.67, 1.24
TRANSCRIBE = {"task": "transcribe", "name": "interview-2026-03-14.wav", "media_type": "audio/wav"}
SWEPT = 40


@pytest.fixture(scope="module")
def recording() -> Path:
    """Eleven seconds of speech."""
    return sample("fmt_jfk.wav")


@pytest.fixture(scope="module")
def warm(clients: dict[str, Client], recording: Path) -> None:
    """The worker has loaded its model."""
    client = clients["default"]
    client.until_ended(client.submit(recording.read_bytes(), **TRANSCRIBE), deadline_s=60)


def until_told(running: System, event: str, job_id: str, *, by: str = "worker-1") -> None:
    """Wait for a line in a worker's log: asking the status API would cost something."""

    def told() -> bool:
        return any(f" {event} " in line and job_id in line for line in running.logs(by).splitlines())

    until(told, f"{event} of {job_id}", deadline_s=60)


def ended(client: Client, running: System, **how: Any) -> str:
    """Submit a job and wait for its end; its id."""
    job_id = client.submit(**how)
    until_told(running, "job.succeeded", job_id)
    return job_id


def size_bytes(item: dict[str, Any]) -> int:
    """Of an item as it is stored and charged for."""
    return len(json.dumps(item, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("tenant", KEYS)
def test_transcription_costs_a_create_and_two_writes_and_a_poll_two_units(
    clients: dict[str, Client], stores: Stores, running: System, meter: Meter, recording: Path, tenant: str
) -> None:
    client = clients[tenant]
    with meter() as used:
        job_id = ended(client, running, content=recording.read_bytes(), **TRANSCRIBE)
    (job,), (result,) = ([i for i in stores.items(kind) if i["job_id"] == job_id] for kind in ("job", "result"))
    # A job that takes longer than a third of a lock, as on a slow machine, is also read at each renewal.
    written = used.without("read")
    assert written.requests == {"create": 1, "patch": 1, "batch": 1}
    end = PATCH + CREATE + 0.45 * (size_bytes(result) / KB - 1)
    assert written.total == pytest.approx(CREATE + PATCH + end, abs=0.2)
    assert size_bytes(job) <= KB
    with meter() as last:
        assert client.get(job_id).json()["status"] == "succeeded"
    assert last.requests == {"read": 2}
    assert last.total == pytest.approx(2 * READ, abs=0.4)


@pytest.mark.parametrize("tenant", KEYS)
def test_poll_of_a_running_job_costs_two_units(clients: dict[str, Client], meter: Meter, tenant: str) -> None:
    client = clients[tenant]
    job_id = client.submit(options={"seconds": 30})
    client.until_running(job_id)
    with meter() as used:
        for _ in range(50):
            assert client.get(job_id).status_code == 202
    # Beside the polls at most some of the worker's own reads, once a renewal.
    assert 50 <= used.requests["read"] <= 60
    assert used.request_units["read"] == used.requests["read"] * READ
    with meter() as cancel:
        assert client.cancel(job_id).status_code == 200
    assert cancel.without("read").requests == {"patch": 1}
    assert cancel.without("read").total == PATCH


def test_list_costs_a_query_of_each_partition_and_grows_with_what_it_shows(
    client: Client, running: System, meter: Meter
) -> None:
    for _ in range(20):
        ended(client, running)
    for limit in (5, 20):
        with meter() as used:
            assert len(client.status.get("/v1/jobs", params={"limit": limit}).json()["jobs"]) == limit
        assert used.requests == {"query": 2}  # the emulator splits every tenant over two partitions
        bare = 2 * 2 * 2.79
        # Each partition gives up to one row more than the page shows: it says whether more follow.
        assert bare + 0.2 * limit <= used.total <= bare + 2 * 0.25 * (limit + 1)


def test_erase_costs_a_read_a_replace_a_query_and_a_delete_of_each_other_item(
    client: Client, running: System, meter: Meter
) -> None:
    job_id = ended(client, running)
    with meter() as used:
        assert client.erase(job_id).status_code == 204
    assert used.requests == {"read": 1, "replace": 1, "query": 1, "delete": 1}
    assert used.total == pytest.approx(READ + PATCH + 5.6 + CREATE, abs=0.2)


def test_request_that_is_sent_again_costs_a_refused_create_and_a_read(
    client: Client, running: System, meter: Meter
) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    job_id = ended(client, running, headers=key)
    with meter() as used:
        assert client.submit(headers=key) == job_id
    assert used.requests == {"create": 1, "read": 1}
    assert used.total == pytest.approx(REFUSED + READ)


def test_request_that_is_sent_again_while_its_job_is_queued_costs_a_patch_more(
    client: Client, running: System, meter: Meter
) -> None:
    busy = client.submit(options={"seconds": 30})
    until_told(running, "job.taken", busy)
    key = {"Idempotency-Key": secrets.token_hex(8)}
    job_id = client.submit(headers=key)
    with meter() as used:
        assert client.submit(headers=key) == job_id
    assert used.requests["create"] == used.requests["patch"] == 1
    assert used.without("read").total == pytest.approx(REFUSED + PATCH)
    for other in (job_id, busy):
        assert client.cancel(other).status_code == 200


@pytest.fixture
async def sweep(settings: Settings) -> AsyncIterator[BlobSweep]:
    """A sweep, and blobs for it to find."""
    records, blobs = Records(settings.records, timeout_s=10), Blobs(settings.blobs, timeout_s=10)
    names = [f"uploads/default/{uuid.uuid4()}/{secrets.token_hex(8)}" for _ in range(SWEPT)]
    await asyncio.gather(*(blobs.put(name, b"left", "text/plain") for name in names))

    async def old() -> bool:
        pages = [page async for page in blobs.pages("uploads/")]
        return all((pages[-1].at - blob.last_modified).total_seconds() >= 1 for blob in pages[-1].blobs)

    await eventually(old, "the blobs are a second old")
    yield BlobSweep(records, blobs, KeeperSettings(orphan_age_s=1, reads_per_s=2000), retention=timedelta(days=7))
    await records.close()
    await blobs.close()


async def test_sweep_costs_a_read_for_each_blob_that_it_looks_at(sweep: BlobSweep, meter: Meter) -> None:
    with meter() as first:
        await sweep.once()
    assert first.requests == {"read": SWEPT}
    assert first.total == SWEPT * READ
    with meter() as second:
        await sweep.once()
    assert second.requests == {}
