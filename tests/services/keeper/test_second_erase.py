"""services/worker/keeper/second_erase.py, round by round: what is erased again, and what is not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from claimcheck.errors import BlobsUnavailable
from claimcheck.job import Job, Tombstone
from tests.services.keeper.conftest import Bench
from tests.stack.stores import Stores


async def erased(bench: Bench) -> tuple[Tombstone, str]:
    """The tombstone of a job that was erased, and the blob that was written into it meanwhile."""
    job = await bench.job()
    await bench.blobs.delete(job.upload.blob)
    buried = await bench.records.bury(job, datetime.now(UTC))
    return buried, await bench.leave("results", job.job_id)


async def swept(bench: Bench, buried: Tombstone) -> bool:
    """Whether the second erase has been."""
    record = await bench.records.read(buried.tenant, buried.job_id)
    assert isinstance(record, Tombstone)
    return record.swept


@pytest.mark.parametrize("place", range(3))
async def test_job_that_cannot_be_erased_keeps_no_other_from_it(
    bench: Bench, stores: Stores, caplog: pytest.LogCaptureFixture, place: int
) -> None:
    jobs = await asyncio.gather(*(erased(bench) for _ in range(3)))
    held_job, held = jobs[place]
    with stores.held_blob(held), pytest.raises(BlobsUnavailable):
        await bench.second_erase().once()
    assert await bench.names() == {held}
    assert [await swept(bench, buried) for buried, _ in jobs] == [buried != held_job for buried, _ in jobs]
    (failed,) = [vars(record) for record in caplog.records if record.message == "job.erase_failed"]
    assert failed["job_id"] == held_job.job_id
    await bench.second_erase().once()
    assert await bench.names() == set()
    assert await swept(bench, held_job)


async def test_job_whose_key_came_again_is_left_alone(bench: Bench, stores: Stores) -> None:
    buried, _ = await erased(bench)
    stores.delete_record(buried.job_id)  # as its TTL does, after it was listed and before it is its turn
    again = await bench.job(buried.job_id)
    there = await bench.names()
    await bench.second_erase().erase(buried)
    assert await bench.names() == there
    assert again.upload.blob in there
    assert isinstance(await bench.records.read(again.tenant, again.job_id), Job)
