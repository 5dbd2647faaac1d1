"""Erasing: nothing of the job is left but a tombstone without content, whatever state it was in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.services.http.conftest import Idle, nobody_works
from tests.services.http.test_cancel import STOPS_WITHIN_S, said
from tests.services.http.test_refusals import refused
from tests.stack.client import Client
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until

LARGE_RESULT = {"result_bytes": 300_000}  # More than a record takes, so a blob.
KEPT_S = 24 * 3600


def content_of(stores: Stores, job_id: str) -> list[str]:
    """Every blob and every item of the job but its record."""
    items = [item["id"] for kind in ("result", "part") for item in stores.items(kind) if item["job_id"] == job_id]
    return items + [name for name in stores.blobs("") if job_id in name]


def erased(client: Client, stores: Stores, job_id: str) -> None:
    """Check that whoever asks finds nothing, and that nothing is stored but the tombstone."""
    unknown = refused(client.get(job_id), 404, "job-not-found")
    for answer in (
        client.status.get(f"/v1/jobs/{job_id}/result"),
        client.status.get(f"/v1/operations/{job_id}"),
        client.status.get(f"/api/status/{job_id}"),
        client.cancel(job_id),
    ):
        assert refused(answer, 404, "job-not-found") == unknown
    assert content_of(stores, job_id) == []
    tombstone = {name: value for name, value in stores.record(job_id).items() if not name.startswith("_")}
    assert set(tombstone) == {"id", "v", "kind", "tenant", "job_id", "erased_at", "swept", "ttl"}
    assert (tombstone["kind"], tombstone["swept"]) == ("tombstone", False)
    # A day after the deadline, which is a day after the submission.
    assert 2 * KEPT_S - 600 < tombstone["ttl"] <= 2 * KEPT_S


def test_queued_job_is_erased(idle: Idle) -> None:
    job_id = idle.client.submit()
    assert content_of(idle.stores, job_id) != []
    answer = idle.client.erase(job_id)
    assert (answer.status_code, answer.content) == (204, b"")
    erased(idle.client, idle.stores, job_id)


def test_message_of_an_erased_job_is_dropped(client: Client, stores: Stores, running: System) -> None:
    with nobody_works(running):
        others = [client.submit() for _ in range(2)]
        job_id = client.submit()
        assert client.erase(job_id).status_code == 204
    until(lambda: said(running, job_id, "delivery.dropped"), "the worker drops the message", deadline_s=STOPS_WITHIN_S)
    erased(client, stores, job_id)
    for other in others:
        assert client.until_ended(other)["status"] == "succeeded"


@pytest.mark.parametrize("task", ["probe", "fan"])
def test_running_job_is_erased_and_its_worker_stops(client: Client, stores: Stores, running: System, task: str) -> None:
    job_id = client.submit(task=task, options={"seconds": 60})
    client.until_running(job_id)
    assert client.erase(job_id).status_code == 204
    erased(client, stores, job_id)
    until(
        lambda: said(running, job_id, "delivery.begins_again", "delivery.dropped"),
        "the worker stops",
        deadline_s=STOPS_WITHIN_S,
    )
    stores.until_empty()
    erased(client, stores, job_id)


@pytest.mark.parametrize(
    ("task", "options", "status"),
    [
        ("probe", {}, "succeeded"),
        ("probe", LARGE_RESULT, "succeeded"),
        ("probe", {"do": "refuse"}, "failed"),
        ("fan", {"parts": 3}, "succeeded"),
    ],
    ids=["item", "blob", "failed", "parts"],
)
def test_job_that_has_ended_is_erased_with_all_it_left(
    client: Client, stores: Stores, task: str, options: dict[str, Any], status: str
) -> None:
    job_id = client.submit(task=task, options=options)
    assert client.until_ended(job_id)["status"] == status
    assert len(content_of(stores, job_id)) >= (2 if status == "succeeded" else 1)
    assert client.erase(job_id).status_code == 204
    erased(client, stores, job_id)


def test_cancelled_job_is_erased(idle: Idle) -> None:
    job_id = idle.client.submit()
    idle.client.cancel(job_id)
    assert idle.client.erase(job_id).status_code == 204
    erased(idle.client, idle.stores, job_id)


def test_erasing_leaves_other_jobs_alone(idle: Idle) -> None:
    others = [idle.client.submit() for _ in range(2)]
    assert idle.client.erase(idle.client.submit()).status_code == 204
    for other in others:
        assert idle.client.job(other)["status"] == "queued"
        assert len(content_of(idle.stores, other)) == 1


def test_erased_job_is_in_no_list(idle: Idle) -> None:
    kept, gone = idle.client.submit(), idle.client.submit()
    idle.client.erase(gone)
    listed = {job["id"] for job in idle.client.status.get("/v1/jobs").json()["jobs"]}
    assert kept in listed
    assert gone not in listed


def test_erasing_again_is_404_and_wipes_again(idle: Idle) -> None:
    job_id = idle.client.submit()
    idle.client.erase(job_id)
    tombstone = idle.stores.record(job_id)
    left = idle.stores.leave_blob(f"results/default/{job_id}/left-by-a-worker-that-died")
    assert left in idle.stores.blobs("")
    refused(idle.client.erase(job_id), 404, "job-not-found")
    erased(idle.client, idle.stores, job_id)
    assert idle.stores.record(job_id) == tombstone


def test_job_that_two_erase_at_once_is_erased(idle: Idle) -> None:
    for _ in range(5):
        job_id = idle.client.submit()
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(idle.client.erase, [job_id] * 2))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses in ([204, 204], [204, 404])
        erased(idle.client, idle.stores, job_id)


@pytest.mark.parametrize("options", [{}, LARGE_RESULT], ids=["item", "blob"])
def test_job_that_is_erased_while_its_worker_writes_leaves_nothing(
    client: Client, stores: Stores, options: dict[str, Any]
) -> None:
    def race(seconds: float) -> str:
        job_id = client.submit(options={"seconds": seconds, **options})
        until(lambda: client.job(job_id)["status"] != "queued", "the job runs, or has ended already")
        assert client.erase(job_id).status_code == 204
        return job_id

    with ThreadPoolExecutor(4) as pool:
        raced = list(pool.map(race, [0.05 + 0.02 * n for n in range(16)]))
    stores.until_empty(deadline_s=STOPS_WITHIN_S)
    for job_id in raced:
        # The worker's blob goes once its write was refused; its message is completed after that.
        erased(client, stores, job_id)


@pytest.mark.parametrize("error", ["drop", "503", "500"])
def test_tombstone_whose_answer_is_lost_is_204_or_503_and_erases(idle: Idle, error: str) -> None:
    job_id = idle.client.submit()
    with idle.stores.records_fault(kind="replace", action="commit-then-fail", error=error):
        answer = idle.client.erase(job_id)
    assert answer.status_code in (204, 503), answer.text
    if answer.status_code == 503:
        assert idle.client.erase(job_id).status_code == 404
    erased(idle.client, idle.stores, job_id)


def test_wipe_that_fails_is_503_and_erasing_again_ends_it(client: Client, stores: Stores) -> None:
    job_id = client.submit(task="fan", options={"parts": 2})
    client.until_ended(job_id)
    with stores.records_fault(kind="query", action="fail", error="503", times=100):
        refused(client.erase(job_id), 503, "records-unavailable")
    refused(client.get(job_id), 404, "job-not-found")
    assert content_of(stores, job_id) != []
    refused(client.erase(job_id), 404, "job-not-found")
    erased(client, stores, job_id)
