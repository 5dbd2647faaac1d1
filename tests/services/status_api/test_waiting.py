"""`Prefer: wait`: an answer that comes when the job changes, instead of many polls."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest

from claimcheck import writes
from claimcheck.idempotency import job_id_for
from claimcheck.job import Job
from claimcheck.records import Records
from tests.conftest import RunSystem
from tests.services.status_api.conftest import WAITERS, store, stored_job
from tests.stack.client import Client
from tests.stack.stores import Stores
from tests.stack.waiting import eventually, until

LONG_S = 30  # Nothing here takes so long, unless it is waited in vain.
AT_ONCE_S = 15.0  # Far below what would be waited.
SOON_S = 20.0  # The longest pause between two reads and what a busy machine adds.
TTL_S = 3600
APPLIED = "preference-applied"


def wait(seconds: int) -> dict[str, str]:
    """The header."""
    return {"Prefer": f"wait={seconds}"}


async def cancelled(records: Records, job: Job) -> None:
    """End the job."""
    await records.write(job.tenant, job.job_id, writes.cancel(TTL_S, datetime.now(UTC)))


@pytest.fixture
async def job(records: Records) -> Job:
    """A queued job that nothing runs."""
    return await records.create_job(stored_job())


def test_poll_that_waits_gets_the_result_once_the_job_ends(client: Client) -> None:
    job_id = client.submit(options={"do": "read", "seconds": 1})
    began_at = time.monotonic()
    answer = client.status.get(f"/v1/jobs/{job_id}", headers=wait(LONG_S))
    assert (answer.status_code, answer.json()["result"]["text"]) == (200, "the upload")
    assert time.monotonic() - began_at < 1 + SOON_S
    assert answer.headers[APPLIED] == f"wait={LONG_S}"
    assert "prefer" in answer.headers["vary"].lower()


def test_result_that_is_waited_for_is_the_file(client: Client) -> None:
    job_id = client.submit(options={"do": "read", "seconds": 1})
    answer = client.status.get(f"/v1/jobs/{job_id}/result", headers=wait(LONG_S))
    assert (answer.status_code, answer.json()["text"]) == (200, "the upload")
    assert answer.headers[APPLIED] == f"wait={LONG_S}"
    assert "attachment" in answer.headers["content-disposition"]


async def test_wait_that_is_over_answers_with_the_job_as_it_is(asking: httpx.AsyncClient, job: Job) -> None:
    for path in (f"/v1/jobs/{job.job_id}", f"/v1/jobs/{job.job_id}/result"):
        began_at = time.monotonic()
        answer = await asking.get(path, headers=wait(1))
        assert 1 <= time.monotonic() - began_at < 1 + SOON_S
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        assert answer.headers[APPLIED] == "wait=1"
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("prefer", ["wait=soon", "wait=-5", "wait", "respond-async", "wait=0"])
async def test_preference_without_a_wait_is_answered_at_once(asking: httpx.AsyncClient, job: Job, prefer: str) -> None:
    began_at = time.monotonic()
    answer = await asking.get(f"/v1/jobs/{job.job_id}", headers={"Prefer": prefer})
    assert time.monotonic() - began_at < AT_ONCE_S
    assert answer.status_code == 202
    assert answer.headers.get(APPLIED) == (prefer if prefer == "wait=0" else None)
    assert "prefer" in answer.headers["vary"].lower()


async def test_more_than_a_minute_counts_as_a_minute(asking: httpx.AsyncClient, records: Records, job: Job) -> None:
    await cancelled(records, job)
    answer = await asking.get(f"/v1/jobs/{job.job_id}", headers=wait(3600))
    assert (answer.status_code, answer.headers[APPLIED]) == (200, "wait=60")


async def test_client_that_knows_the_state_waits_for_the_next_one(
    asking: httpx.AsyncClient, records: Records, job: Job
) -> None:
    path = f"/v1/jobs/{job.job_id}"
    known = {"If-None-Match": (await asking.get(path)).headers["etag"]}
    same = await asking.get(path, headers={**wait(1), **known})
    assert (same.status_code, same.content, same.headers[APPLIED]) == (304, b"", "wait=1")
    assert same.headers["etag"] == known["If-None-Match"]

    asked = asyncio.create_task(asking.get(path, headers={**wait(LONG_S), **known}))
    await records.write(job.tenant, job.job_id, writes.touch(datetime.now(UTC)))
    changed = await asyncio.wait_for(asked, SOON_S)
    assert (changed.status_code, changed.json()["status"]) == (202, "queued")
    assert changed.headers["etag"] != known["If-None-Match"]

    at_once = await asyncio.wait_for(asking.get(path, headers={**wait(LONG_S), **known}), AT_ONCE_S)
    assert at_once.headers["etag"] == changed.headers["etag"]


async def test_job_that_is_erased_while_waited_for_is_404(
    asking: httpx.AsyncClient, records: Records, job: Job
) -> None:
    asked = asyncio.create_task(asking.get(f"/v1/jobs/{job.job_id}", headers=wait(LONG_S)))
    await records.bury(job, datetime.now(UTC))
    answer = await asyncio.wait_for(asked, SOON_S)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:claimcheck:problem:job-not-found")


async def test_records_that_fail_end_a_wait_with_what_was_seen_last(
    asking: httpx.AsyncClient, stores: Stores, job: Job
) -> None:
    # The first read finds the job; the SDK asks again after a failure, so all that follow fail.
    with stores.records_fault(kind="read", action="fail", nth=2, times=100, error="503"):
        answer = await asyncio.wait_for(asking.get(f"/v1/jobs/{job.job_id}", headers=wait(LONG_S)), SOON_S)
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert APPLIED not in answer.headers


async def test_records_that_fail_at_once_are_a_503(asking: httpx.AsyncClient, stores: Stores, job: Job) -> None:
    with stores.records_fault(kind="read", action="fail", times=100, error="503"):
        answer = await asyncio.wait_for(asking.get(f"/v1/jobs/{job.job_id}", headers=wait(LONG_S)), SOON_S)
    assert answer.status_code == 503


@contextlib.asynccontextmanager
async def all_places_taken(
    asking: httpx.AsyncClient, jobs: list[Job]
) -> AsyncIterator[list[asyncio.Task[httpx.Response]]]:
    """As many requests as may wait, waiting for these jobs."""
    tasks = [asyncio.create_task(asking.get(f"/v1/jobs/{job.job_id}", headers=wait(LONG_S))) for job in jobs]

    async def next_one_is_turned_away() -> bool:
        # A wait of 0 s takes nobody's place.
        return APPLIED not in (await asking.get(f"/v1/jobs/{jobs[0].job_id}", headers=wait(0))).headers

    try:
        await eventually(next_one_is_turned_away, f"{WAITERS} requests wait")
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_beyond_the_limit_of_waiters_the_answer_comes_at_once(
    asking: httpx.AsyncClient, records: Records
) -> None:
    jobs = [stored_job() for _ in range(WAITERS)]
    await store(records, jobs)
    path = f"/v1/jobs/{jobs[0].job_id}"
    async with all_places_taken(asking, jobs) as tasks:
        began_at = time.monotonic()
        turned_away = await asking.get(path, headers=wait(LONG_S))
        assert time.monotonic() - began_at < AT_ONCE_S
        assert turned_away.status_code == 202
        for job in jobs:
            await cancelled(records, job)
        answers = [await asyncio.wait_for(task, SOON_S) for task in tasks]
        assert [(answer.status_code, answer.headers[APPLIED]) for answer in answers] == [
            (200, f"wait={LONG_S}")
        ] * WAITERS


async def test_client_that_goes_away_gives_its_place_back(asking: httpx.AsyncClient, records: Records) -> None:
    jobs = [stored_job() for _ in range(WAITERS)]
    await store(records, jobs)
    async with all_places_taken(asking, jobs) as tasks:
        for task in tasks:
            task.cancel()

        async def has_a_place() -> bool:
            return APPLIED in (await asking.get(f"/v1/jobs/{jobs[0].job_id}", headers=wait(0))).headers

        await eventually(has_a_place, "a place is free", deadline_s=SOON_S)


def turned_away(client: Client, job_id: str) -> bool:
    """Whether as many wait as may."""
    return APPLIED not in client.status.get(f"/v1/jobs/{job_id}", headers=wait(0)).headers


def test_server_that_stops_answers_those_who_wait_at_once(run_system: RunSystem) -> None:
    with (
        run_system(workers=0, env={"CLAIMCHECK_WEB__WAITERS": "1", "CLAIMCHECK_WEB__STOP_S": "60"}) as system,
        Client(system.process_url, system.status_url) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        job_id = client.submit()
        asked = thread.submit(client.status.get, f"/v1/jobs/{job_id}", headers=wait(LONG_S))
        until(lambda: turned_away(client, job_id), "the request waits")
        began_at = time.monotonic()
        assert system.stop("status-api") in (0, -signal.SIGTERM)
        answer = asked.result(timeout=SOON_S)
        assert time.monotonic() - began_at < SOON_S
        assert (answer.status_code, answer.json()["status"]) == (202, "queued")
        assert APPLIED not in answer.headers


def test_submission_that_waits_gets_the_result_at_once(client: Client) -> None:
    answer = client.post(options={"do": "read"}, headers=wait(LONG_S))
    assert (answer.status_code, answer.json()["result"]["text"]) == (200, "the upload")
    assert answer.headers[APPLIED] == f"wait={LONG_S}"
    assert answer.headers["location"] == answer.json()["status_url"]
    assert answer.headers["operation-location"] == answer.json()["operation_url"]
    assert "retry-after" not in answer.headers


def test_submission_that_waited_in_vain_is_202_with_where_to_poll(client: Client) -> None:
    answer = client.post(options={"seconds": 60}, headers=wait(1))
    client.cancel(answer.json()["id"])
    assert (answer.status_code, answer.headers[APPLIED]) == (202, "wait=1")
    assert answer.json()["status"] in ("queued", "running")
    assert answer.headers["location"] == answer.json()["status_url"]
    assert int(answer.headers["retry-after"]) >= 1


def test_submission_that_failed_in_time_is_200_with_the_error(client: Client) -> None:
    answer = client.post(options={"do": "refuse"}, headers=wait(LONG_S))
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert answer.json()["error"]["detail"] == "the probe was told to refuse"


def test_submission_that_is_erased_while_it_waits_was_accepted_all_the_same(client: Client) -> None:
    key = {"Idempotency-Key": "erased-while-waiting"}
    with ThreadPoolExecutor(1) as other:
        asked = other.submit(client.post, options={"seconds": 60}, headers={**key, **wait(60)})
        job_id = job_id_for("acme", "erased-while-waiting")
        client.until_status(job_id, "running")
        assert client.erase(job_id).status_code == 204
        answer = asked.result(timeout=SOON_S)
    assert (answer.status_code, answer.json()["id"]) == (202, job_id)
    assert APPLIED not in answer.headers


def test_submission_whose_result_cannot_be_read_is_accepted_all_the_same(client: Client, stores: Stores) -> None:
    submitted = client.submit(options={"do": "read"}, headers={"Idempotency-Key": "waited-for"})
    client.until_ended(submitted)

    # The repeated submission first reads the record that it finds; from then on all reads fail.
    def accepted() -> bool:
        with stores.records_fault(kind="read", action="fail", nth=2, times=100, error="503"):
            answer = client.post(options={"do": "read"}, headers={"Idempotency-Key": "waited-for", **wait(LONG_S)})
        assert answer.status_code in (202, 503)
        return answer.status_code == 202 and bool(answer.json()["id"] == submitted)

    until(accepted, "no other read comes between, and it is accepted")


def test_submission_that_is_repeated_after_the_end_is_202_unless_it_waits(client: Client) -> None:
    key = {"Idempotency-Key": "repeated"}
    submitted = client.submit(options={"do": "read"}, headers=key)
    client.until_ended(submitted)
    assert client.post(options={"do": "read"}, headers=key).status_code == 202
    waited = client.post(options={"do": "read"}, headers={**key, **wait(LONG_S)})
    assert (waited.status_code, waited.json()["id"], waited.json()["result"]["text"]) == (200, submitted, "the upload")
