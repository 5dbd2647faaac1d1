"""A worker that is told to stop finishes what ends in time and hands back the rest."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.faults.conftest import WORKER, RunScene, Scene
from tests.stack.waiting import until


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """A worker that gives what runs half of its 3 s, and keeps the other half for putting back."""
    with run_scene(env={"CLAIMCHECK_WORKER__DRAIN_S": "3"}) as scene:
        yield scene


def test_job_that_would_not_end_in_time_is_handed_back_and_finished_by_another_worker(scene: Scene) -> None:
    job_id = scene.client.submit(options={"seconds": 2.5})
    scene.client.until_running(job_id)
    assert scene.system.stop(WORKER) == 0
    record = scene.stores.record(job_id)
    assert (record["status"], record["attempt"], record["turn"], record["run"]) == ("queued", 1, 1, None)
    assert scene.stores.counts()["active"] == 1
    scene.system.restart(WORKER)
    assert scene.succeeded_once(job_id)["result"]["attempt"] == 1
    assert scene.stores.record(job_id)["turn"] == 1
    assert scene.taken(job_id) == 2


def test_job_that_ends_in_time_is_finished_and_no_further_one_is_taken(scene: Scene) -> None:
    first = scene.client.submit(options={"seconds": 0.8})
    scene.client.until_running(first)
    program = scene.system.programs[WORKER]
    assert program.process is not None
    program.process.send_signal(signal.SIGTERM)
    second = scene.client.submit()
    assert scene.system.stop(WORKER) == 0
    assert scene.stores.record(first)["status"] == "succeeded"
    assert scene.stores.record(second)["status"] == "queued"
    assert "Traceback" not in scene.logs()
    scene.system.restart(WORKER)
    scene.succeeded_once(second)
    assert scene.taken(first) == 1


@pytest.mark.parametrize("name", ["process-api", "status-api"])
def test_api_stops_cleanly_also_while_it_starts(scene: Scene, name: str) -> None:
    assert scene.system.stop(name) == 0
    starts = scene.system.logs(name).count("api.started")
    scene.system.programs[name].start()
    until(lambda: scene.system.logs(name).count("api.started") > starts, f"{name} begins to start")
    assert scene.system.stop(name) == 0
    assert "Traceback" not in scene.system.logs(name)
    scene.system.restart(name)
