"""What a worker puts back soon, and what waits long once it has put back too much."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from claimcheck import protocol
from claimcheck.job import Job
from claimcheck.settings import Settings
from services.worker.runner import Runner
from services.worker.worker import Worker
from tests.services.worker.conftest import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_S, LATE_S = 60.0, 600.0


def thrifty(settings: Settings) -> Settings:
    """The same with a budget of one retry."""
    changes = {"retry_budget": 1, "backoff_first_s": SOON_S, "backoff_max_s": LATE_S}
    return settings.model_copy(update={"job": settings.job.model_copy(update=changes)})


async def run(bench: Bench, runner: Runner, do: str) -> Job:
    """Run one delivery of a new job; its record afterwards. What was put back is taken away: it may be due at once."""
    job = await bench.job("probe", {"do": do})
    await bench.queues.send("speech", protocol.message_for(job))
    delivery = await bench.receiver.receive(10.0)
    assert delivery is not None
    await runner.run(delivery, bench.receiver)
    await bench.clear()
    return await bench.record(job)


def waits_s(job: Job) -> float:
    assert job.due_at is not None
    return (job.due_at - datetime.now(UTC)).total_seconds()


async def test_second_failure_of_other_jobs_waits_long_until_enough_has_succeeded(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker("speech", thrifty(bench.settings))
    runner = worker.runner()
    try:
        first, second = await run(bench, runner, "fail"), await run(bench, runner, "fail")
        assert (first.attempt, second.attempt) == (2, 2)
        assert waits_s(first) <= SOON_S
        assert LATE_S / 2 - SOON_S < waits_s(second) <= LATE_S
        for _ in range(5):
            assert (await run(bench, runner, "succeed")).ended
        assert waits_s(await run(bench, runner, "fail")) <= SOON_S
    finally:
        await worker.close()
    assert [name for name in caplog.messages if name.startswith("retries.")] == [
        "retries.delayed",
        "retries.allowed",
        "retries.delayed",
    ]
