"""A job past its deadline fails, whatever it is about to do: queued, running, or waiting for its retry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from claimcheck.job import timestamp
from tests.faults.conftest import WORKER, RunScene, Scene
from tests.stack.waiting import until

KEEPER = "keeper-1"
SOON_S = 60.0


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """A keeper that looks often, and a worker with one slot."""
    with run_scene(keepers=1, env={"CLAIMCHECK_KEEPER__DEADLINE_CHECK_S": "0.3"}) as scene:
        yield scene


def pass_deadline(scene: Scene, *jobs: str) -> None:
    """Let the deadlines of these jobs have passed a minute ago."""
    for job_id in jobs:
        scene.stores.change_record(job_id, deadline_at=timestamp(datetime.now(UTC) - timedelta(minutes=1)))


def assert_exceeded(scene: Scene, job_id: str) -> None:
    """Wait for the end; fails unless the job failed because of its deadline."""
    job = scene.client.until_ended(job_id, deadline_s=SOON_S)
    assert (job["status"], job["error"]["type"]) == ("failed", "urn:claimcheck:problem:deadline-exceeded")
    assert job["error"]["detail"].startswith("the job had to end by ")


def test_running_queued_and_retried_jobs_fail_at_their_deadline_and_the_worker_goes_on(scene: Scene) -> None:
    retried = scene.client.submit(options={"do": "fail"})
    until(lambda: scene.stores.record(retried)["attempt"] >= 2, "it waits for its retry", deadline_s=SOON_S)
    runs = scene.client.submit(options={"seconds": 3600})
    scene.until_taken(runs)
    queued, in_time = scene.client.submit(), scene.client.submit()
    # Not before its own deadline does a job end. The slot is free again once the one that runs has ended.
    for jobs in ((retried, queued), (runs,)):
        pass_deadline(scene, *jobs)
        for job_id in jobs:
            assert_exceeded(scene, job_id)
    # The worker notices at its next renewal, and takes the next: nothing that has ended is run.
    assert scene.succeeded_once(in_time, deadline_s=SOON_S)
    scene.stores.until_empty()
    assert scene.taken(runs) == 1
    assert scene.taken(queued) == 0
    record = scene.stores.record(runs)
    assert record["ttl"] == 7 * 24 * 3600
    assert record["run"] is None
    assert scene.stores.results_of(runs) == []


def test_keeper_that_is_killed_after_it_has_ended_a_job_is_followed_by_one_that_ends_the_next(scene: Scene) -> None:
    assert scene.system.stop(WORKER) == 0  # it writes records too
    process = scene.system.programs[KEEPER].process
    assert process is not None
    first, second = scene.client.submit(), scene.client.submit()
    with scene.stores.records_fault(kind="patch", action="kill-after", pid=process.pid):
        pass_deadline(scene, first)
        until(lambda: process.poll() is not None, "the keeper is killed", deadline_s=SOON_S)
    scene.system.kill(KEEPER)
    assert_exceeded(scene, first)
    pass_deadline(scene, second)
    scene.system.restart(KEEPER)
    assert_exceeded(scene, second)
    scene.system.restart(WORKER)
    scene.stores.until_empty()
    assert scene.taken(first) == scene.taken(second) == 0
