"""Cancelling: queued and running jobs stop and stay cancelled; what has succeeded or failed stands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.services.http.conftest import Idle, nobody_works
from tests.services.http.test_refusals import refused
from tests.stack.client import Client
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until

STOPS_WITHIN_S = 20.0  # A third of a lock of 5 s, and what a busy machine needs.
NOBODYS = "61249d08-9a15-4a42-8dd2-c13e82ff4dd8"
UNKNOWN = [NOBODYS, NOBODYS.upper(), NOBODYS.replace("-", ""), "nonsense", "%2e%2e", "a'b", "é"]


def said(running: System, job_id: str, *events: str) -> bool:
    """Whether the worker has said one of these of the job."""
    lines = [line for line in running.logs("worker-1").splitlines() if job_id in line]
    return any(f"{event} " in line for event in events for line in lines)


def test_queued_job_is_cancelled_and_shown_so(idle: Idle) -> None:
    job_id = idle.client.submit()
    answer = idle.client.cancel(job_id)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["status"]) == (job_id, "cancelled")
    assert shown["ended_at"] < shown["expires_at"]
    polled = idle.client.get(job_id)
    assert (polled.status_code, polled.json()) == (200, shown)
    operation = idle.client.status.get(f"/v1/operations/{job_id}")
    assert operation.json()["status"] == "Canceled"
    refused(idle.client.status.get(f"/v1/jobs/{job_id}/result"), 409, "job-has-no-result", "cancelled")


def test_record_of_a_cancelled_job_expires_as_any_that_has_ended(idle: Idle) -> None:
    job_id = idle.client.submit()
    assert "ttl" not in idle.stores.record(job_id)
    idle.client.cancel(job_id)
    record = idle.stores.record(job_id)
    assert (record["ttl"], record["run"]) == (7 * 24 * 3600, None)


def test_message_of_a_job_that_was_cancelled_while_queued_is_dropped(client: Client, running: System) -> None:
    with nobody_works(running):
        others = [client.submit() for _ in range(2)]
        job_id = client.submit(options={"seconds": 60})
        assert client.cancel(job_id).status_code == 200
    until(lambda: said(running, job_id, "delivery.dropped"), "the worker drops the message", deadline_s=STOPS_WITHIN_S)
    assert client.job(job_id)["status"] == "cancelled"
    for other in others:
        assert client.until_ended(other)["status"] == "succeeded"


@pytest.mark.parametrize("task", ["probe", "fan"])
def test_running_job_stops_and_stays_cancelled(client: Client, stores: Stores, running: System, task: str) -> None:
    job_id = client.submit(task=task, options={"seconds": 60})
    client.until_running(job_id)
    assert client.cancel(job_id).json()["status"] == "cancelled"
    until(
        lambda: said(running, job_id, "delivery.begins_again", "delivery.dropped"),
        "the worker stops",
        deadline_s=STOPS_WITHIN_S,
    )
    stores.until_empty()
    assert stores.record(job_id)["status"] == "cancelled"
    assert stores.results_of(job_id) == []


def test_job_that_waits_for_its_retry_is_cancelled(client: Client) -> None:
    job_id = client.submit(options={"do": "fail"})
    until(lambda: "next_attempt_at" in client.job(job_id), "the job waits for its retry")
    assert client.cancel(job_id).json()["status"] == "cancelled"
    assert "next_attempt_at" not in client.job(job_id)


def test_cancelling_again_is_200_and_changes_nothing(idle: Idle) -> None:
    job_id = idle.client.submit()
    first, second = idle.client.cancel(job_id), idle.client.cancel(job_id)
    assert (second.status_code, second.json()) == (200, first.json())


@pytest.mark.parametrize(("do", "status"), [("succeed", "succeeded"), ("refuse", "failed")])
def test_job_that_has_ended_is_409_and_stays_as_it_ended(client: Client, do: str, status: str) -> None:
    job_id = client.submit(options={"do": do})
    before = client.until_ended(job_id)
    refused(client.cancel(job_id), 409, "job-has-ended", f"the job is {status}")
    assert client.job(job_id) == before


@pytest.mark.parametrize("job_id", UNKNOWN)
def test_job_that_nobody_has_is_the_same_404_as_the_status_api_gives(idle: Idle, job_id: str) -> None:
    unknown = refused(idle.client.cancel(job_id), 404, "job-not-found")
    assert idle.client.get(job_id).json() == unknown
    assert refused(idle.client.erase(job_id), 404, "job-not-found") == unknown


@pytest.mark.parametrize("error", ["drop", "503", "500"])
def test_cancel_whose_answer_is_lost_is_200_or_503_and_the_job_is_cancelled(idle: Idle, error: str) -> None:
    job_id = idle.client.submit()
    with idle.stores.records_fault(kind="patch", action="commit-then-fail", error=error):
        answer = idle.client.cancel(job_id)
    assert answer.status_code in (200, 503), answer.text
    assert idle.client.job(job_id)["status"] == "cancelled"
    assert idle.client.cancel(job_id).status_code == 200


def test_cancel_and_completion_at_once_have_one_winner(client: Client, stores: Stores) -> None:
    def race(seconds: float) -> tuple[str, int]:
        job_id = client.submit(options={"seconds": seconds})
        until(lambda: client.job(job_id)["status"] != "queued", "the job runs, or has ended already")
        return job_id, client.cancel(job_id).status_code

    with ThreadPoolExecutor(4) as pool:
        raced = list(pool.map(race, [0.05 + 0.02 * n for n in range(20)]))
    stores.until_empty(deadline_s=STOPS_WITHIN_S)
    for job_id, answered in raced:
        status = "cancelled" if answered == 200 else "succeeded"
        assert client.until_ended(job_id)["status"] == status
        assert len(stores.results_of(job_id)) == (status == "succeeded")
