"""Jobs of several stages, failures, retries and hand-backs, delivery by delivery."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from claimcheck import protocol
from claimcheck.job import Parts, Status
from services.worker.drain import Drain
from tests.services.worker.conftest import Bench
from tests.stack.client import ANSWER_S
from tests.stack.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_fan_out_runs_every_part_once_and_joins(bench: Bench) -> None:
    job = await bench.job("fan", {"parts": 5})
    await bench.queues.send("speech", protocol.message_for(job))
    ran = await bench.drain_queue()
    assert ran == 1 + 5 + 1
    assert (await bench.result(job))["parts"] == [{"part": k, "attempt": 1} for k in range(5)]


async def test_fan_out_without_parts_joins_at_once(bench: Bench) -> None:
    job = await bench.job("fan", {"parts": 0})
    await bench.queues.send("speech", protocol.message_for(job))
    assert await bench.drain_queue() == 2
    assert (await bench.record(job)).status == Status.SUCCEEDED


async def test_part_that_cannot_be_read_becomes_a_warning(bench: Bench) -> None:
    job = await bench.job("fan", {"parts": 3, "refuse": [1]})
    await bench.queues.send("speech", protocol.message_for(job))
    await bench.drain_queue()
    after = await bench.record(job)
    assert after.status == Status.SUCCEEDED
    assert after.end is not None
    assert after.end.warnings == 1
    assert [w["part"] for w in (await bench.result(job))["warnings"]] == [1]


async def test_part_that_fails_once_is_put_back_with_a_due_time_and_leaves_the_job_running(bench: Bench) -> None:
    job = await bench.job("fan", {"parts": 1, "fail_once": [0]})
    await bench.queues.send("speech", protocol.message_for(job))
    await bench.run_next()
    await bench.run_next()
    (copy,) = await bench.messages()
    assert (copy.part, copy.attempt) == (0, 2)
    during = await bench.record(job)
    assert (during.status, during.attempt) == (Status.RUNNING, 1)
    assert during.due_at is not None
    await _run_when_due(bench)
    await bench.drain_queue()
    assert (await bench.result(job))["parts"] == [{"part": 0, "attempt": 2}]


async def test_retryable_failure_is_queued_for_the_next_attempt(bench: Bench) -> None:
    job = await bench.job("probe", {"do": "fail-once"})
    await bench.deliver(protocol.message_for(job))
    waiting = await bench.record(job)
    assert (waiting.status, waiting.attempt, waiting.run) == (Status.QUEUED, 2, None)
    assert waiting.due_at is not None
    await _run_when_due(bench)
    assert (await bench.result(job))["attempt"] == 2


@pytest.mark.parametrize("how", ["fail", "crash"])
async def test_last_attempt_fails_the_job_and_tells_why(bench: Bench, how: str) -> None:
    job = await bench.job("probe", {"do": how}, attempt=3)
    await bench.deliver(protocol.message_for(job))
    after = await bench.record(job)
    assert after.status == Status.FAILED
    assert after.end is not None
    error = after.end.error or {}
    assert error["type"] == "urn:claimcheck:problem:attempts-exhausted"
    assert error["last"]["type"].endswith("dependency-failure" if how == "fail" else "unexpected-error")


async def test_permanent_failure_fails_the_job_at_once(bench: Bench) -> None:
    job = await bench.job("probe", {"do": "refuse"})
    await bench.deliver(protocol.message_for(job))
    after = await bench.record(job)
    assert (after.status, after.attempt) == (Status.FAILED, 1)
    assert await bench.waiting() == []


async def test_upload_that_is_gone_fails_the_job(bench: Bench) -> None:
    job = await bench.job("probe", {"do": "read"})
    await bench.blobs.delete(job.upload.blob)
    await bench.deliver(protocol.message_for(job))
    end = (await bench.record(job)).end
    assert end is not None
    assert (end.error or {})["type"] == "urn:claimcheck:problem:upload-missing"


async def test_large_result_is_kept_as_a_blob(bench: Bench) -> None:
    job = await bench.job("probe", {"result_bytes": 300_000})
    await bench.deliver(protocol.message_for(job))
    end = (await bench.record(job)).end
    assert end is not None
    assert end.result is not None
    assert end.result.item is None
    content = b"".join([chunk async for chunk in bench.blobs.read(end.result.blob or "")])
    assert len(content) > 300_000


async def test_drain_hands_back_without_spending_an_attempt(bench: Bench) -> None:
    job = await bench.job("probe", {"seconds": 60})
    bench.worker.drain = Drain(1.0)
    await bench.queues.send("speech", protocol.message_for(job))
    running = asyncio.create_task(bench.run_next())

    async def taken() -> bool:
        return (await bench.record(job)).status == Status.RUNNING

    await eventually(taken, "the job is running")
    bench.worker.drain.begin()
    await running
    after = await bench.record(job)
    assert (after.status, after.attempt, after.turn, after.run) == (Status.QUEUED, 1, 1, None)
    assert [(m.attempt, m.turn) for m in await bench.messages()] == [(1, 1)]


@pytest.mark.parametrize("unknown", [{"task": "of-tomorrow"}, {"stage": "of-tomorrow"}])
async def test_job_of_a_task_or_stage_that_this_worker_does_not_know_waits_for_one_that_does(
    bench: Bench, unknown: dict[str, Any]
) -> None:
    job = await bench.job("probe", **unknown)
    await bench.deliver(protocol.message_for(job))
    after = await bench.record(job)
    assert (after.status, after.attempt, after.turn) == (Status.QUEUED, 1, 1)
    (copy,) = await bench.waiting()
    assert copy.due_at is not None
    assert after.due_at is not None
    assert after.due_at > datetime.now(UTC)


async def test_outdated_message_of_an_unknown_task_is_put_aside_whole(bench: Bench) -> None:
    job = await bench.job("probe", task="of-tomorrow", turn=1)
    old = protocol.message_for(job).model_copy(update={"turn": 0})
    await bench.deliver(old)
    (copy,) = await bench.waiting()
    assert (copy.body, copy.due_at is not None) == (old.encode(), True)
    assert copy.message_id.startswith(old.message_id + ":")


async def test_result_that_is_no_json_fails_the_job_in_the_end_and_hangs_nothing(bench: Bench) -> None:
    job = await bench.job("probe", {"do": "nan"}, attempt=3)
    await bench.deliver(protocol.message_for(job))
    end = (await bench.record(job)).end
    assert end is not None
    assert (end.error or {})["last"]["detail"].startswith("the result cannot be kept: the result is no JSON")


async def test_part_too_large_to_be_kept_is_skipped_in_the_end_and_hangs_nothing(bench: Bench) -> None:
    job = await bench.job(
        "fan", {"parts": 2, "result_bytes": 3_000_000}, status=Status.RUNNING, stage="piece", parts=Parts(total=2)
    )
    await bench.deliver(protocol.message_for(job).model_copy(update={"part": 0, "attempt": 3}))
    (item,) = await bench.records.parts(job, "piece")
    assert item.warning is not None
    assert "the limit is 1,048,576" in item.warning["last"]["detail"]


async def _run_when_due(bench: Bench) -> None:
    async def due() -> bool:
        return any(m.due_at is None or m.due_at <= datetime.now(UTC) for m in await bench.waiting())

    await eventually(due, "the retry is due")
    await bench.run_next()


async def test_short_job_costs_two_requests_of_the_records_after_its_create(bench: Bench) -> None:
    job = await bench.job("probe")
    before = await _requests(bench)
    await bench.deliver(protocol.message_for(job))
    assert await _requests(bench) - before == Counter({"patch": 1, "batch": 1})


async def _requests(bench: Bench) -> Counter[str]:
    """How many requests for items the Cosmos DB emulator has had so far, by kind."""
    async with httpx.AsyncClient(timeout=ANSWER_S) as client:
        counts = (await client.get(f"{bench.settings.records.endpoint}/_emulator/counts")).json()
    kinds = ("create", "read", "upsert", "replace", "patch", "delete", "batch", "query")
    return Counter({kind: counts.get(kind, 0) for kind in kinds})
