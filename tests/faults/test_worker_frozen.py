"""A worker that freezes beyond its lease and wakes up later: somebody else has its job, and it may no longer write."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.conftest import RunScene, Scene
from tests.stack.waiting import until

FROZEN, OTHER = "worker-1", "worker-2"
RUNS_S = 5.0  # It is frozen before it ends, and awake before the other one ends.
RESULT_BYTES = {"result in the record": 0, "result in a blob": 300 * 1024}


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """Two workers, each with a slot for each job."""
    with run_scene(workers=2, env={"CLAIMCHECK_WORKER__SLOTS": str(len(RESULT_BYTES))}) as scene:
        yield scene


def taken(scene: Scene, job_ids: list[str], *, times: int) -> bool:
    """Whether each has been taken so often."""
    return all(scene.taken(job_id) == times for job_id in job_ids)


def test_worker_that_wakes_up_after_its_lease_leaves_its_jobs_to_the_one_that_has_them(scene: Scene) -> None:
    scene.system.kill(OTHER)
    options = [{"seconds": RUNS_S, "result_bytes": size} for size in RESULT_BYTES.values()]
    job_ids = [scene.client.submit(options=each) for each in options]
    until(lambda: taken(scene, job_ids, times=1), "the worker takes both")
    with scene.system.frozen(FROZEN):
        scene.system.restart(OTHER)
        until(lambda: taken(scene, job_ids, times=2), "the other worker takes both over")
    # Both run them now, and the frozen one is ahead.
    for job_id in job_ids:
        scene.succeeded_once(job_id)
    scene.succeeded_once(scene.client.submit())
    scene.stores.until_empty()
    for job_id in job_ids:
        assert len(scene.stores.results_of(job_id)) == 1
