"""`GET /v1/jobs`: a tenant's jobs, newest first, page by page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from azure.cosmos.aio import CosmosClient

from claimcheck.commands.up.addresses import RECORDS_KEY, records_endpoint
from claimcheck.job import End, Job, Status, timestamp
from claimcheck.listing import JobListView, Wanted
from claimcheck.records import Records
from tests.services.status_api.conftest import KEYS, OPERATOR_KEY, store, stored_job
from tests.stack.client import ANSWER_S, Client
from tests.stack.stores import Stores
from tests.stack.system import System

JOBS = 500
PAGE = 7
NEXT = re.compile(r'<([^>]+)>; rel="next"')


def newest_first(jobs: list[Job]) -> list[str]:
    """Their ids in list order."""
    return [job.job_id for job in sorted(jobs, key=lambda job: (timestamp(job.created_at), job.job_id), reverse=True)]


async def in_each_range(stores: Stores, tenant: str) -> list[int]:
    """How many of the tenant's jobs each physical partition holds."""
    counts: list[Any] = []
    endpoint = records_endpoint(stores.services.cosmos.ports["http"])
    async with CosmosClient(endpoint, RECORDS_KEY) as client:
        container = client.get_database_client(stores.names.container).get_container_client("jobs")
        text = "SELECT VALUE COUNT(1) FROM c WHERE c.tenant = @tenant AND c.kind = 'job'"
        parameters: list[dict[str, object]] = [{"name": "@tenant", "value": tenant}]
        async for feed_range in container.read_feed_ranges():
            counts += [n async for n in container.query_items(text, parameters=parameters, feed_range=feed_range)]
    return counts


async def test_every_job_of_a_split_tenant_is_listed_once_newest_first_while_others_arrive(
    running: System, stores: Stores, records: Records
) -> None:
    began_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    # Three jobs share each millisecond, so that pages end between jobs of the same age.
    jobs = [stored_job("default", created_at=began_at - timedelta(milliseconds=n // 3)) for n in range(JOBS)]
    await store(records, jobs)
    assert min(await in_each_range(stores, "default")) > JOBS // 4

    seen: list[list[str]] = []
    arrived: list[Job] = []
    url: str | None = f"{running.status_url}/v1/jobs?limit={PAGE}"
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEYS['default']}"}, timeout=ANSWER_S) as asking:
        while url is not None:
            answer = await asking.get(url)
            assert answer.status_code == 200, answer.text
            page = JobListView.model_validate(answer.json())
            seen.append([job.id for job in page.jobs])
            url = page.next_url
            linked = NEXT.fullmatch(answer.headers.get("link", ""))
            assert (linked.group(1) if linked else None) == url
            arrived.append(await records.create_job(stored_job("default")))
        newest = await asking.get(f"{running.status_url}/v1/jobs", params={"limit": len(arrived)})

    assert [job_id for page_ids in seen for job_id in page_ids] == newest_first(jobs)
    assert {len(page_ids) for page_ids in seen[:-1]} == {PAGE}
    assert [job["id"] for job in newest.json()["jobs"]] == newest_first(arrived)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(("tenant", "ranges"), [("default", 2), ("acme", 1)])
async def test_only_the_partitions_of_the_tenant_are_asked(
    stores: Stores, records: Records, tenant: str, ranges: int
) -> None:
    async with httpx.AsyncClient(
        base_url=records_endpoint(stores.services.cosmos.ports["http"]), timeout=ANSWER_S
    ) as emulator:

        async def queries() -> int:
            counts: dict[str, int] = (await emulator.get("/_emulator/counts")).json()
            return counts.get("query", 0)

        before = await queries()
        await records.lists.jobs(tenant, Wanted(), limit=1, after=None)
        assert await queries() - before == ranges


def test_listed_job_is_what_its_poll_says_without_the_result(client: Client) -> None:
    job_id = client.submit(options={"do": "read"})
    polled = client.until_ended(job_id)
    assert polled.pop("result")["text"] == "the upload"
    (newest,) = client.status.get("/v1/jobs", params={"limit": 1}).json()["jobs"]
    assert newest == polled


async def test_list_is_filtered_by_status_and_task(client: Client, records: Records) -> None:
    end = End(at=datetime.now(UTC), error={"type": "urn:claimcheck:problem:worker-died"})
    some = {
        "failed fan": stored_job(task="fan", status=Status.FAILED, end=end),
        "queued fan": stored_job(task="fan"),
        "failed probe": stored_job(task="probe", status=Status.FAILED, end=end),
    }
    await store(records, list(some.values()))
    names = {job.job_id: name for name, job in some.items()}

    def found(**wanted: str) -> set[str]:
        listed = client.status.get("/v1/jobs", params={"limit": "100", **wanted}).json()["jobs"]
        return {names[job["id"]] for job in listed if job["id"] in names}

    assert found() == {*some}
    assert found(status="failed") == {"failed fan", "failed probe"}
    assert found(task="fan") == {"failed fan", "queued fan"}
    assert found(status="failed", task="fan") == {"failed fan"}
    assert found(status="cancelled", task="fan") == set()


async def test_filter_holds_on_every_page(client: Client, records: Records) -> None:
    wanted = [stored_job(task="transcribe", created_at=datetime.now(UTC)) for _ in range(5)]
    await store(records, [*wanted, *(stored_job() for _ in range(5))])
    url, seen = "/v1/jobs?task=transcribe&status=queued&limit=2", []
    while url:
        page = client.status.get(url).json()
        seen += [job["id"] for job in page["jobs"]]
        url = page.get("next_url", "")
    assert seen == newest_first(wanted)


async def test_jobs_of_other_tenants_and_erased_ones_never_appear(
    client: Client, rival: Client, records: Records
) -> None:
    ours, erased, theirs = stored_job("acme"), stored_job("acme"), stored_job("rival")
    await store(records, [ours, theirs])
    await records.bury(await records.create_job(erased), datetime.now(UTC))

    def listed(who: Client) -> set[str]:
        return {job["id"] for job in who.status.get("/v1/jobs", params={"limit": 100}).json()["jobs"]}

    assert {ours.job_id, erased.job_id, theirs.job_id} & listed(client) == {ours.job_id}
    assert {ours.job_id, erased.job_id, theirs.job_id} & listed(rival) == {theirs.job_id}
    after = client.status.get("/v1/jobs", params={"limit": 1}).json()["next_url"].rpartition("after=")[2]
    foreign = rival.status.get("/v1/jobs", params={"after": after, "limit": 100}).json()["jobs"]
    assert ours.job_id not in {job["id"] for job in foreign}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("stauts=failed", "status, task, limit, after"),
        ("limit=7&limit=8", "more than once"),
        ("limit=0", "1 to 100"),
        ("limit=101", "1 to 100"),
        ("limit=", "1 to 100"),
        ("limit=%00", "1 to 100"),
        ("status=done", "queued, running, succeeded, failed, cancelled"),
        ("task=transcirbe", "transcribe"),
        ("after=AAAA", "next_url of an earlier page"),
        ("after=", "next_url of an earlier page"),
    ],
)
def test_query_that_breaks_the_contract_is_400(client: Client, query: str, said: str) -> None:
    answer = client.status.get(f"/v1/jobs?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("key", ["", "cck_nobody", OPERATOR_KEY])
def test_list_needs_a_tenants_key_before_it_reads_the_query(running: System, key: str) -> None:
    answer = httpx.get(f"{running.status_url}/v1/jobs?limit=0", headers={"X-API-Key": key}, timeout=ANSWER_S)
    assert answer.status_code == 401


def test_list_while_records_are_down_is_503(client: Client, stores: Stores) -> None:
    fault: dict[str, Any] = {"kind": "query", "action": "fail", "error": "503", "times": 20}
    with stores.records_fault(**fault):
        answer = client.status.get("/v1/jobs")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:claimcheck:problem:records-unavailable")
    assert int(answer.headers["retry-after"]) > 0


def test_description_shows_the_parameters_and_the_page(client: Client) -> None:
    described = client.status.get("/openapi.json").json()["paths"]["/v1/jobs"]["get"]
    assert [parameter["name"] for parameter in described["parameters"]] == ["status", "task", "limit", "after"]
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["$ref"].endswith("/JobListView")
