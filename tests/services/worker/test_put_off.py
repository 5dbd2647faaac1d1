"""No endpoint is ready: the job waits on the queue for its time, without a lease, and no attempt is spent."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from claimcheck import protocol
from claimcheck.health import Health
from claimcheck.job import Job, Parts, Status
from services.worker.clock import ClockWatch
from services.worker.consumer import Consumer
from services.worker.drain import Drain
from tests.plugin.claimcheck_probe import REST_S
from tests.services.worker.conftest import Bench
from tests.stack.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOTS = 3


def lateness_s(due_at: datetime | None, since: datetime) -> float:
    """Seconds from `since` to the due time."""
    assert due_at is not None
    return (due_at - since).total_seconds()


@pytest.mark.parametrize("turn", [0, 999])
async def test_job_is_put_back_for_when_an_endpoint_is_ready(bench: Bench, turn: int) -> None:
    job = await bench.job("probe", {"do": "cool"}, turn=turn, attempt=3)
    before = datetime.now(UTC)
    await bench.deliver(protocol.message_for(job))
    after = await bench.record(job)
    assert (after.status, after.attempt, after.turn, after.run) == (Status.QUEUED, 3, turn + 1, None)
    assert lateness_s(after.due_at, before) >= REST_S
    assert lateness_s(after.due_at, datetime.now(UTC)) <= 1.5 * REST_S
    (copy,) = await bench.waiting()
    assert copy.message_id.endswith(f":3:{turn + 1}")
    assert lateness_s(copy.due_at, before) >= REST_S


async def test_part_is_put_back_likewise_and_its_job_goes_on(bench: Bench) -> None:
    job = await bench.job("fan", {"parts": 1, "cool": [0]}, stage="piece", status=Status.RUNNING, parts=Parts(total=1))
    part = protocol.message_for(job).model_copy(update={"part": 0})
    before = datetime.now(UTC)
    await bench.deliver(part)
    after = await bench.record(job)
    assert (after.status, after.attempt, after.turn) == (Status.RUNNING, 1, 0)
    assert lateness_s(after.due_at, before) >= REST_S
    (copy,) = await bench.messages()
    assert (copy.part, copy.attempt, copy.turn) == (0, 1, 1)


async def test_part_that_is_put_back_lowers_no_due_time(bench: Bench) -> None:
    late = datetime.now(UTC) + timedelta(hours=1)
    job = await bench.job("fan", {"parts": 2, "cool": [0]}, **_in_parts(due_at=late))
    await bench.deliver(protocol.message_for(job).model_copy(update={"part": 0}))
    assert lateness_s((await bench.record(job)).due_at, late) == pytest.approx(0, abs=0.001)


def _in_parts(**more: Any) -> dict[str, Any]:
    return {"stage": "piece", "status": Status.RUNNING, "parts": Parts(total=2), **more}


class Endpoints:
    """As far as a consumer knows them: when one is ready, and how often that was asked."""

    def __init__(self) -> None:
        self.wait_s, self.asked = 60.0, 0

    def ready_in_s(self) -> float:
        """Seconds."""
        self.asked += 1
        return self.wait_s


class Desk:
    """A consumer at work."""

    def __init__(self, bench: Bench, health: Health) -> None:
        self.endpoints, self.drain = Endpoints(), Drain(25.0)
        self.consumer = Consumer(
            kind="speech",
            queues=bench.queues,
            runner=bench.worker.runner(),
            slots=SLOTS,
            drain=self.drain,
            health=health,
            clock=ClockWatch(bench.settings.queue.lease_s),
            ready_in_s=self.endpoints.ready_in_s,
        )
        self.running = asyncio.create_task(self.consumer.run())

    async def asked_again(self) -> None:
        """Return once every slot has asked twice more."""
        target = self.endpoints.asked + 2 * SLOTS

        async def asked() -> bool:
            return self.endpoints.asked >= target

        await eventually(asked, "the slots ask whether an endpoint is ready")


@pytest_asyncio.fixture(loop_scope="module")
async def desk(bench: Bench) -> AsyncIterator[Desk]:
    """A consumer whose endpoints rest."""
    health = Health({"queue": lambda: bench.queues.ping("speech")})
    async with health.watching():
        desk = Desk(bench, health)
        yield desk
        desk.drain.begin()
        await desk.running


async def test_nothing_is_taken_while_every_endpoint_rests_and_all_once_one_is_ready(bench: Bench, desk: Desk) -> None:
    jobs = [await bench.job("probe") for _ in range(SLOTS + 1)]
    for job in jobs:
        await bench.queues.send("speech", protocol.message_for(job))
    await desk.asked_again()
    assert {(await bench.record(job)).status for job in jobs} == {Status.QUEUED}
    desk.endpoints.wait_s = 0.0
    for job in jobs:
        await eventually(functools.partial(_succeeded, bench, job), "the jobs run")


async def _succeeded(bench: Bench, job: Job) -> bool:
    return (await bench.record(job)).status == Status.SUCCEEDED


async def test_drain_waits_for_no_endpoint(desk: Desk) -> None:
    await desk.asked_again()
    desk.drain.begin()
    async with asyncio.timeout(desk.endpoints.wait_s / 2):
        await desk.running
