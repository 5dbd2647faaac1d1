"""A worker that freezes beyond its lease and wakes up later: somebody else has its job, and it may no longer write."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.faults.conftest import RunScene, Scene
from tests.stack.names import LOCK_S
from tests.stack.waiting import until


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """Two workers."""
    with run_scene(workers=2) as scene:
        yield scene


def worker_of(scene: Scene, job_id: str) -> str:
    """The worker that took the job."""

    def named() -> list[str]:
        lines = {name: scene.system.logs(name).splitlines() for name in ("worker-1", "worker-2")}
        return [name for name in lines if any("job.taken " in line and job_id in line for line in lines[name])]

    (name,) = until(named, "a worker takes the job")
    return name


@pytest.mark.parametrize("result_bytes", [0, 300 * 1024], ids=["result in the record", "result in a blob"])
def test_worker_that_wakes_up_after_its_lease_leaves_the_job_to_the_one_that_has_it(
    scene: Scene, result_bytes: int
) -> None:
    job_id = scene.client.submit(options={"seconds": 1.5, "result_bytes": result_bytes})
    frozen = worker_of(scene, job_id)
    scene.system.programs[frozen].send(signal.SIGSTOP)
    try:
        until(lambda: scene.taken(job_id) == 2, "the other worker takes it over", deadline_s=LOCK_S + 10)
    finally:
        scene.system.programs[frozen].send(signal.SIGCONT)
    # Both run it now, and the frozen one is ahead.
    scene.succeeded_once(job_id)
    scene.succeeded_once(scene.client.submit())
    scene.stores.until_empty(deadline_s=2 * LOCK_S + 5)
    assert len(scene.stores.results_of(job_id)) == 1
