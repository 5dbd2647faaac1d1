"""Cosmos DB answers with errors, or not at all, while a job runs: it succeeds once, on its first attempt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conftest import RunScene, Scene
from tests.stack.names import LOCK_S

FAULTS: list[dict[str, Any]] = [
    {"error": "429", "retry_after_s": 0.05},
    {"error": "449"},
    {"error": "503"},
    {"error": "drop"},
]
TAKE, HEARTBEAT = 1, 2  # of the patches of one job


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """One worker, whose leases outlast a renewal that fails and a process that stands still."""
    with run_scene(env={"CLAIMCHECK_QUEUE__RENEW_S": "0.5"}) as scene:
        yield scene


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault["error"]))
@pytest.mark.parametrize("action", ["fail", "commit-then-fail"])
def test_take_that_fails_is_repeated(scene: Scene, action: str, fault: dict[str, Any]) -> None:
    with scene.stores.records_fault(kind="patch", action=action, nth=TAKE, **fault):
        scene.succeeded_once(scene.client.submit())


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault["error"]))
@pytest.mark.parametrize("action", ["fail", "commit-then-fail"])
def test_end_that_fails_is_repeated_and_there_is_one_result(scene: Scene, action: str, fault: dict[str, Any]) -> None:
    with scene.stores.records_fault(kind="batch", action=action, **fault):
        job = scene.succeeded_once(scene.client.submit(options={"do": "read"}))
    assert job["result"]["text"] == "the upload"


@pytest.mark.parametrize("action", ["fail", "commit-then-fail"])
def test_end_in_a_blob_that_fails_is_repeated_and_the_result_is_kept(scene: Scene, action: str) -> None:
    with scene.stores.records_fault(kind="patch", action=action, nth=TAKE + 1, error="503"):
        job_id = scene.client.submit(options={"result_bytes": 300 * 1024})
        job = scene.succeeded_once(job_id)
    assert len(job["result"]["filler"]) == 300 * 1024
    assert scene.stores.results_of(job_id) == [scene.stores.record(job_id)["end"]["result"]["blob"]]


def test_cosmos_that_fails_for_a_while_delays_the_end(scene: Scene) -> None:
    with scene.stores.records_fault(kind="batch", action="fail", error="503", times=4):
        scene.succeeded_once(scene.client.submit())


@pytest.mark.parametrize("error", ["drop", "com.microsoft:server-busy"])
def test_completion_whose_answer_is_lost_runs_nothing_twice(scene: Scene, error: str) -> None:
    scene.stores.until_empty()  # An earlier job may still have to be completed.
    with scene.stores.queue_fault(kind="complete", action="commit-then-fail", error=error):
        job_id = scene.client.submit()
        scene.succeeded_once(job_id)
        scene.succeeded_once(scene.client.submit())
    assert scene.taken(job_id) == 1


def test_message_that_is_completed_too_late_is_dropped_unrun(scene: Scene) -> None:
    scene.stores.until_empty()
    with scene.stores.queue_fault(kind="complete", action="fail", error="drop"):
        job_id = scene.client.submit()
        scene.succeeded_once(job_id)
        scene.stores.until_empty(deadline_s=2 * LOCK_S + 5)
    assert scene.taken(job_id) == 1


def test_renewal_and_heartbeats_that_fail_cost_neither_lease_nor_job(scene: Scene) -> None:
    with (
        scene.stores.queue_fault(kind="renew-lock", action="fail", error="com.microsoft:server-busy"),
        scene.stores.records_fault(kind="patch", action="fail", nth=HEARTBEAT, times=3, error="503"),
    ):
        job_id = scene.client.submit(options={"seconds": LOCK_S + 1.5})
        scene.succeeded_once(job_id)
    assert scene.taken(job_id) == 1
