"""Jobs that fail: what is tried again, when, how often, and what the client reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.faults.conftest import RunScene, Scene
from tests.stack.client import Body
from tests.stack.waiting import until

SCRATCH_BYTES = 1024 * 1024  # the least that the settings take


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """Two attempts, little scratch space, and a back-off long enough to be seen."""
    env = {
        "CLAIMCHECK_JOB__MAX_ATTEMPTS": "2",
        "CLAIMCHECK_JOB__BACKOFF_FIRST_S": "2",
        "CLAIMCHECK_JOB__BACKOFF_MAX_S": "2",
        "CLAIMCHECK_WORKER__SCRATCH_MAX_BYTES": str(SCRATCH_BYTES),
        "CLAIMCHECK_QUEUE__RENEW_S": "0.5",  # How soon a job that runs notices that it is cancelled.
    }
    with run_scene(env=env) as scene:
        yield scene


def failed(scene: Scene, job_id: str, slug: str) -> Body:
    """Wait for the end; check that it is this failure, and return the problem."""
    job = scene.client.until_ended(job_id)
    assert job["status"] == "failed", job
    problem: Body = job["error"]
    assert problem["type"] == f"urn:claimcheck:problem:{slug}"
    assert scene.stores.results_of(job_id) == []
    return problem


def test_job_that_fails_once_waits_and_succeeds_on_its_second_attempt(scene: Scene) -> None:
    jobs: list[str] = []

    def waits() -> Body | None:
        # One more at each look: those from before may have been tried again unseen.
        jobs.append(scene.client.submit(options={"do": "fail-once"}))
        shown = [scene.client.get(job_id) for job_id in jobs]
        found = [answer for answer in shown if "next_attempt_at" in answer.json()]
        return {"answer": found[0]} if found else None

    answer = until(waits, "a job waits for its second attempt")["answer"]
    job = answer.json()
    assert (answer.status_code, job["status"], job["attempt"]) == (202, "queued", 2)
    assert (datetime.fromisoformat(job["next_attempt_at"]) - datetime.now(UTC)).total_seconds() <= 2
    for job_id in jobs:
        again = scene.succeeded_once(job_id, attempt=2)
        assert again["result"]["attempt"] == 2
        assert "next_attempt_at" not in again


@pytest.mark.parametrize(("do", "last"), [("fail", "dependency-failure"), ("crash", "unexpected-error")])
def test_job_that_fails_every_time_fails_with_its_last_problem(scene: Scene, do: str, last: str) -> None:
    job_id = scene.client.submit(options={"do": do})
    problem = failed(scene, job_id, "attempts-exhausted")
    assert "attempt 2 of 2" in problem["detail"]
    assert problem["last"]["type"] == f"urn:claimcheck:problem:{last}"
    assert "Error" not in problem["last"]["detail"] or do == "crash"
    assert scene.taken(job_id) == 2


def test_job_that_cannot_succeed_is_not_tried_again(scene: Scene) -> None:
    job_id = scene.client.submit(options={"do": "refuse"})
    failed(scene, job_id, "media-unreadable")
    assert scene.taken(job_id) == 1


def test_job_whose_upload_is_gone_fails_and_says_so(scene: Scene) -> None:
    with scene.busy():
        job_id = scene.client.submit(options={"do": "read"})
        scene.stores.delete_blob(scene.stores.record(job_id)["upload"]["blob"])
    failed(scene, job_id, "upload-missing")


def test_upload_larger_than_the_scratch_space_fails_and_the_next_job_runs(scene: Scene) -> None:
    job_id = scene.client.submit(b"x" * (SCRATCH_BYTES + 1), options={"do": "read"})
    problem = failed(scene, job_id, "attempts-exhausted")
    assert problem["last"]["type"] == "urn:claimcheck:problem:scratch-full"
    for words in (f"{SCRATCH_BYTES + 1:,}", f"{SCRATCH_BYTES:,}"):
        assert words in problem["last"]["detail"]
    scene.succeeded_once(scene.client.submit(b"x" * SCRATCH_BYTES, options={"do": "read"}))


def test_frozen_storage_delays_a_job_and_loses_none(scene: Scene) -> None:
    try:
        with scene.busy():
            job_id = scene.client.submit(options={"do": "read"})
            scene.services.azurite.pause()
        scene.client.until_running(job_id)
    finally:
        scene.services.azurite.resume()
    scene.succeeded_once(job_id)
