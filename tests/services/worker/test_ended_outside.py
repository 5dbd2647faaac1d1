"""A job is cancelled or erased while a worker has it: the worker stops, and leaves nothing that it wrote meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from claimcheck import protocol, writes
from claimcheck.announcing import Announcer
from claimcheck.commands.up.addresses import HOST
from claimcheck.erasing import erase_content
from claimcheck.job import Job, Parts, Status, Tombstone
from claimcheck.messages import Message
from claimcheck.pipeline import MoveOn
from claimcheck.tasks import catalogue
from services.worker.begin import Beginner
from services.worker.drain import Drain
from services.worker.engines import Engines
from services.worker.handling import Handling, load_handlers
from services.worker.runner import Runner
from services.worker.scratch import Scratch
from services.worker.settle import Settler
from services.worker.stage import Handler, StageRun
from tests.services.worker.conftest import Bench
from tests.stack.client import ANSWER_S
from tests.stack.services import Services
from tests.stack.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

End = Callable[[Bench, Job], Awaitable[None]]
LARGE_RESULT = {"result_bytes": 300_000}  # More than a record takes, so a blob.
RETENTION_S = 3600
RENEW_S = 0.5
STOPPED_S = 30.0


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


class Stages:
    """A worker whose stages begin, and then wait until they may go on."""

    def __init__(self, bench: Bench, *, renew_s: float | None = None) -> None:
        """`renew_s`: age of a lease at which it is renewed; without it none is in these tests."""
        self._bench, self._begun, self._may_go_on = bench, asyncio.Event(), asyncio.Event()
        settings = bench.settings
        lease_settings = settings.queue.model_copy(update={"renew_s": renew_s} if renew_s else {})
        records, blobs, queues, drain = bench.records, bench.blobs, bench.queues, Drain(25.0)
        announcer = Announcer(records, queues)
        self._scratch = Scratch(settings.worker.scratch_dir, settings.worker.scratch_max_bytes)
        self._engines = Engines.of(settings)
        handling = Handling(
            handlers={place: self._held(handler) for place, handler in load_handlers(catalogue(), "speech").items()},
            records=records,
            blobs=blobs,
            scratch=self._scratch,
            engines=self._engines,
            drain=drain,
            heartbeat_s=settings.queue.lease_s,
            settings=settings.job,
        )
        settler = Settler(
            kind="speech", records=records, blobs=blobs, queues=queues, announcer=announcer, settings=settings.job
        )
        self._runner = Runner(
            kind="speech",
            queues=queues,
            beginner=Beginner(records, announcer, settings.job),
            handling=handling,
            settler=settler,
            lease_settings=lease_settings,
            settings=settings.job,
            drain=drain,
        )

    def _held(self, handler: Handler) -> Handler:
        async def held(run: StageRun) -> dict[str, Any] | MoveOn:
            self._begun.set()
            await self._may_go_on.wait()
            return await handler(run)

        return held

    async def _next(self) -> None:
        delivery = await self._bench.receiver.receive(10.0)
        assert delivery is not None
        await self._runner.run(delivery, self._bench.receiver)

    @contextlib.asynccontextmanager
    async def begun(self, message: Message) -> AsyncIterator[asyncio.Task[None]]:
        """The message's delivery, inside its stage; the stage goes on after, and the delivery ends."""
        await self._bench.queues.send("speech", message)
        running = asyncio.create_task(self._next())

        async def has_begun() -> bool:
            if running.done():
                await running  # Raises what ended it.
            return self._begun.is_set()

        try:
            await eventually(has_begun, "the stage begins")
            yield running
            self._may_go_on.set()
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self._scratch.close()
            await self._engines.close()


async def renewals(services: Services) -> int:
    """How many leases the Service Bus emulator has renewed so far."""
    async with httpx.AsyncClient(verify=False, timeout=ANSWER_S) as client:
        counts = (await client.get(f"http://{HOST}:{services.service_bus.ports['admin']}/_emulator/counts")).json()
    return int(counts.get("renew-lock", 0))


@pytest.mark.parametrize(("end", "becomes"), [(cancel, "cancelled"), (erase, "erased")])
async def test_running_job_stops_at_the_next_renewal(bench: Bench, services: Services, end: End, becomes: str) -> None:
    job = await bench.job("probe")
    async with Stages(bench, renew_s=RENEW_S).begun(protocol.message_for(job)) as running:
        await end(bench, job)
        before = await renewals(services)
        async with asyncio.timeout(STOPPED_S):
            await running
        # The one that tells, and the one with which the delivery begins again.
        assert await renewals(services) - before <= 2
    assert await status(bench, job) == becomes
    assert await bench.waiting() == []


@pytest.mark.parametrize("result", [{}, LARGE_RESULT], ids=["item", "blob"])
@pytest.mark.parametrize(("end", "becomes"), [(cancel, "cancelled"), (erase, "erased")])
async def test_result_of_a_job_that_ended_before_the_next_renewal_is_not_kept(
    bench: Bench, end: End, becomes: str, result: dict[str, Any]
) -> None:
    job = await bench.job("probe", result)
    async with Stages(bench).begun(protocol.message_for(job)):
        await end(bench, job)
    assert await status(bench, job) == becomes
    assert await is_left(bench, job) == []
    assert await bench.waiting() == []


@pytest.mark.parametrize("do", ["refuse", "fail", "crash"])
@pytest.mark.parametrize(("end", "becomes"), [(cancel, "cancelled"), (erase, "erased")])
async def test_failure_of_a_job_that_has_ended_changes_and_queues_nothing(
    bench: Bench, end: End, becomes: str, do: str
) -> None:
    job = await bench.job("probe", {"do": do})
    async with Stages(bench).begun(protocol.message_for(job)):
        await end(bench, job)
    assert await status(bench, job) == becomes
    assert await bench.waiting() == []


@pytest.mark.parametrize(("end", "becomes"), [(cancel, "cancelled"), (erase, "erased")])
async def test_part_of_a_job_that_has_ended_is_not_kept_and_passes_nothing_on(
    bench: Bench, end: End, becomes: str
) -> None:
    job = await bench.job("fan", {"parts": 3}, status=Status.RUNNING, stage="piece", parts=Parts(total=3))
    async with Stages(bench).begun(protocol.message_for(job).model_copy(update={"part": 0})):
        await end(bench, job)
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
