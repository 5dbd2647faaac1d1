"""Two releases side by side: what the next one wrote, and the one before, is worked on all the same."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy, CosmosClient

from claimcheck import protocol
from claimcheck.job import JOB_ITEM_ID, Job, Status
from tests.services.worker.conftest import TENANT, Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

OF_TOMORROW: dict[str, Any] = {"priority": {"class": "gold"}, "labels": ["a", "b"]}
LATELY = ("options", "due_at", "parts", "retry_of", "ttl")
"""Fields that a record need not have: an earlier release did not write them, or they say nothing."""


@contextlib.asynccontextmanager
async def container(bench: Bench) -> AsyncIterator[ContainerProxy]:
    """The records, as any other release could write them."""
    records = bench.settings.records
    assert records.key is not None
    async with CosmosClient(records.endpoint, records.key.get_secret_value()) as client:
        yield client.get_database_client(records.database).get_container_client(records.container)


async def rewrite(bench: Bench, job: Job, **fields: Any) -> None:
    """Put fields into the job item that this release would not write."""
    async with container(bench) as records:
        item = await records.read_item(JOB_ITEM_ID, partition_key=[TENANT, job.job_id])
        await records.replace_item(JOB_ITEM_ID, {**item, **fields})


async def stored(bench: Bench, job: Job) -> dict[str, Any]:
    """The job item as it is stored."""
    async with container(bench) as records:
        return dict(await records.read_item(JOB_ITEM_ID, partition_key=[TENANT, job.job_id]))


@pytest.mark.parametrize(("do", "status"), [("succeed", "succeeded"), ("refuse", "failed")])
async def test_job_that_the_next_release_accepted_ends_and_keeps_what_this_one_does_not_know(
    bench: Bench, do: str, status: str
) -> None:
    job = await bench.job("probe", {"do": do})
    await rewrite(bench, job, v=2, **OF_TOMORROW)
    await bench.deliver(protocol.message_for(job))
    after = await stored(bench, job)
    expected = {"status": status, "v": 2, **OF_TOMORROW}
    assert {name: after[name] for name in expected} == expected


async def test_message_with_a_field_of_the_next_release_is_run(bench: Bench) -> None:
    job = await bench.job("probe")
    message = protocol.message_for(job)
    body = json.dumps({**json.loads(message.encode()), **OF_TOMORROW}).encode()
    await bench.queues.send_copy("speech", body, message_id=message.message_id, due_at=None)
    await bench.run_next()
    assert (await bench.record(job)).status == Status.SUCCEEDED


@pytest.mark.parametrize(("task", "deliveries"), [("probe", 1), ("fan", 5)])
async def test_record_without_the_fields_that_came_last_is_run_to_its_end(
    bench: Bench, task: str, deliveries: int
) -> None:
    job = await bench.job(task)
    assert not set(LATELY) & set(await stored(bench, job)), "a fresh record is written without them"
    await bench.queues.send("speech", protocol.message_for(job))
    assert await bench.drain_queue() == deliveries
    assert (await bench.record(job)).status == Status.SUCCEEDED
