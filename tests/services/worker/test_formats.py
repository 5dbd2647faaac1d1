"""What the running system really writes is what `docs/schema.md` says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.cosmos.aio import CosmosClient
from jsonschema import Draft202012Validator

from claimcheck import protocol, representation
from claimcheck.job import Job
from claimcheck.representation import Urls
from claimcheck.schemas import SCHEMAS
from tests.services.worker.conftest import TENANT, Bench
from tests.unit.claimcheck.samples import NOW

pytestmark = pytest.mark.asyncio(loop_scope="module")

SYSTEM_FIELDS = ("_rid", "_self", "_etag", "_ts", "_attachments")


def check(title: str, document: dict[str, Any]) -> None:
    """Fails if the document breaks the schema, or has a field that the schema does not know."""
    schema = next(s for s in SCHEMAS if s.title == title).model.model_json_schema(mode="serialization")
    own = {name: value for name, value in document.items() if name not in SYSTEM_FIELDS}
    Draft202012Validator({**schema, "additionalProperties": False}).validate(own)


async def items(bench: Bench, job: Job) -> dict[str, dict[str, Any]]:
    """Every item of the job as Cosmos DB has it, by kind."""
    records = bench.settings.records
    assert records.key is not None
    async with CosmosClient(records.endpoint, records.key.get_secret_value()) as client:
        container = client.get_database_client(records.database).get_container_client(records.container)
        rows = container.query_items("SELECT * FROM c", partition_key=[TENANT, job.job_id])
        return {row["kind"]: row async for row in rows}


async def test_items_of_a_job_with_parts_and_a_result(bench: Bench) -> None:
    job = await bench.job("fan", {"parts": 2, "refuse": [1]})
    await bench.queues.send("speech", protocol.message_for(job))
    await bench.drain_queue()
    written = await items(bench, job)
    assert set(written) == {"job", "part", "result"}
    check("Job item", written["job"])
    check("Part item", written["part"])
    check("Result item", written["result"])


@pytest.mark.parametrize("do", ["succeed", "refuse", "fail"])
async def test_job_item_at_each_end_and_while_it_waits(bench: Bench, do: str) -> None:
    job = await bench.job("probe", {"do": do})
    check("Job item", (await items(bench, job))["job"])
    await bench.deliver(protocol.message_for(job))
    after = (await items(bench, job))["job"]
    check("Job item", after)
    assert ("ttl" in after) == (do != "fail"), "the end sets the item's time to live, and nothing before it does"


async def test_message_on_the_queue(bench: Bench) -> None:
    job = await bench.job("probe")
    await bench.queues.send("speech", protocol.message_for(job))
    (waiting,) = await bench.waiting()
    check("Message", json.loads(waiting.body))
    assert waiting.message_id == protocol.message_for(job).message_id


async def test_job_item_of_a_short_job_is_under_1_kb_so_that_a_poll_costs_2_request_units(bench: Bench) -> None:
    job = await bench.job("probe")
    await bench.deliver(protocol.message_for(job))
    stored = (await items(bench, job))["job"]
    assert len(json.dumps(stored, separators=(",", ":"))) <= 1024


@pytest.mark.parametrize("do", ["succeed", "refuse", "fail"])
async def test_job_over_http(bench: Bench, do: str) -> None:
    job = await bench.job("probe", {"do": do})
    await bench.deliver(protocol.message_for(job))
    urls = Urls(status="http://s")
    after = await bench.record(job)
    check("Job over HTTP", representation.view(after, task=None, urls=urls, now=NOW))
