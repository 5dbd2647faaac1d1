"""A job is cancelled or erased while a worker has it: the worker stops, and leaves nothing that it wrote meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from claimcheck import protocol, writes
from claimcheck.erasing import erase_content
from claimcheck.job import Job, Parts, Status, Tombstone
from tests.services.worker.conftest import Bench
from tests.stack.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

End = Callable[[Bench, Job], Awaitable[None]]
LARGE_RESULT = {"result_bytes": 300_000}  # More than a record takes, so a blob.
RETENTION_S = 3600


async def cancel(bench: Bench, job: Job) -> None:
    """What the route does."""
    await bench.records.write(job.tenant, job.job_id, writes.cancel(RETENTION_S, datetime.now(UTC)))


async def erase(bench: Bench, job: Job) -> None:
    """What the route does."""
    await bench.records.bury(await bench.record(job), datetime.now(UTC))
    await erase_content(bench.records, bench.blobs, job.tenant, job.job_id)


async def names(bench: Bench, prefix: str) -> list[str]:
    """Of the blobs that begin so."""
    return [blob.name async for page in bench.blobs.pages(prefix) for blob in page.blobs]


async def is_left(bench: Bench, job: Job) -> list[str]:
    """The blobs and items of the job, but for its record and its upload."""
    blobs = await names(bench, f"results/{job.tenant}/{job.job_id}/")
    parts = await bench.records.parts(job, "piece")
    return blobs + [item.id for item in parts]


async def status(bench: Bench, job: Job) -> str:
    """The status in the record, or what is in its place."""
    record = await bench.records.read(job.tenant, job.job_id)
    assert record is not None
    return "erased" if isinstance(record, Tombstone) else record.status


async def reads(bench: Bench) -> int:
    """How many items the Cosmos DB emulator has been asked for so far."""
    async with httpx.AsyncClient() as client:
        counts = (await client.get(f"{bench.settings.records.endpoint}/_emulator/counts")).json()
    return int(counts.get("read", 0))


async def ended_while_running(bench: Bench, job: Job, end: End) -> asyncio.Task[Any]:
    """Run the job's next delivery, and end the job once it runs."""
    await bench.queues.send("speech", protocol.message_for(job))
    running = asyncio.create_task(bench.run_next())

    async def taken() -> bool:
        return await status(bench, job) == Status.RUNNING

    await eventually(taken, "the job is running")
    await end(bench, job)
    return running


@pytest.mark.parametrize(("end", "becomes"), [(cancel, "cancelled"), (erase, "erased")])
async def test_running_job_stops_at_the_next_renewal(bench: Bench, end: End, becomes: str) -> None:
    job = await bench.job("probe", {"seconds": 60})
    running = await ended_while_running(bench, job, end)
    async with asyncio.timeout(2 * bench.settings.queue.renew_s + 3):
        await running
    assert await status(bench, job) == becomes
    assert await bench.waiting() == []


@pytest.mark.parametrize("result", [{}, LARGE_RESULT], ids=["item", "blob"])
@pytest.mark.parametrize(("end", "becomes"), [(cancel, "cancelled"), (erase, "erased")])
async def test_result_of_a_job_that_ended_before_the_next_renewal_is_not_kept(
    bench: Bench, end: End, becomes: str, result: dict[str, Any]
) -> None:
    job = await bench.job("probe", {"seconds": bench.settings.queue.renew_s / 3, **result})
    await (await ended_while_running(bench, job, end))
    assert await status(bench, job) == becomes
    assert await is_left(bench, job) == []
    assert await bench.waiting() == []


@pytest.mark.parametrize("do", ["refuse", "fail", "crash"])
@pytest.mark.parametrize(("end", "becomes"), [(cancel, "cancelled"), (erase, "erased")])
async def test_failure_of_a_job_that_has_ended_changes_and_queues_nothing(
    bench: Bench, end: End, becomes: str, do: str
) -> None:
    job = await bench.job("probe", {"seconds": bench.settings.queue.renew_s / 3, "do": do})
    await (await ended_while_running(bench, job, end))
    assert await status(bench, job) == becomes
    assert await bench.waiting() == []


@pytest.mark.parametrize(("end", "becomes"), [(cancel, "cancelled"), (erase, "erased")])
async def test_part_of_a_job_that_has_ended_is_not_kept_and_passes_nothing_on(
    bench: Bench, end: End, becomes: str
) -> None:
    seconds = bench.settings.queue.renew_s / 3
    job = await bench.job(
        "fan", {"parts": 3, "seconds": seconds}, status=Status.RUNNING, stage="piece", parts=Parts(total=3)
    )
    await bench.queues.send("speech", protocol.message_for(job).model_copy(update={"part": 0}))
    before = await reads(bench)
    running = asyncio.create_task(bench.run_next())

    async def begun() -> bool:
        return await reads(bench) >= before + 2  # the record, and whether the part is done

    await eventually(begun, "the part is being run")
    await end(bench, job)
    await running
    assert await status(bench, job) == becomes
    assert await is_left(bench, job) == []
    assert await bench.waiting() == []


async def test_message_of_an_erased_job_is_completed_unrun(bench: Bench) -> None:
    job = await bench.job("probe", {"do": "die"})
    await erase(bench, job)
    await bench.deliver(protocol.message_for(job))
    assert await status(bench, job) == "erased"
    assert await bench.waiting() == []


async def test_erasing_takes_every_blob_and_item_of_the_job_and_of_no_other(bench: Bench) -> None:
    job, other = await bench.job("fan", {"parts": 2}), await bench.job("fan", {"parts": 2})
    for each in (job, other):
        await bench.deliver(protocol.message_for(each))
        await bench.drain_queue()
        for folder in ("parts", "results"):
            await bench.blobs.put(f"{folder}/{each.tenant}/{each.job_id}/left", b"left", "text/plain")
    assert len(await is_left(bench, job)) == 3
    await erase(bench, job)
    assert await is_left(bench, job) == []
    assert [name for name in await names(bench, "") if job.job_id in name] == []
    assert len(await is_left(bench, other)) == 3
    assert (await bench.result(other))["parts"]
