"""A worker that is told to stop finishes what ends in time and hands back the rest."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.faults.conftest import WORKER, RunScene, Scene
from tests.stack.waiting import until

DRAIN_S = 14
RUNS_S = 4.0  # Much longer than it takes to send SIGTERM, and much shorter than what may still run then.
SLACK_S = 10.0  # Of a loaded machine, for the end of a process whose time is over.
LIMIT_S = 25.0  # As the settings have it: after so long a worker gives up, with status 1.
BEFORE_KILL_S = 4.0  # The slack that there is for that one: after 30 s Azure kills.


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """A worker that gives what runs 9 of its 14 s, keeps the others for putting back, and loses no lease."""
    with run_scene(env={"CLAIMCHECK_WORKER__DRAIN_S": str(DRAIN_S), "CLAIMCHECK_QUEUE__LEASE_S": "60"}) as scene:
        yield scene


@contextlib.contextmanager
def restarting(scene: Scene, job_id: str) -> Iterator[None]:
    """The worker may end inside. It runs after the context, where the job ends at once if it is run again."""
    try:
        yield
    finally:
        if scene.system.programs[WORKER].process is not None:
            scene.system.kill(WORKER)
        scene.stores.change_record(job_id, options={})
        scene.system.restart(WORKER)


def deliveries_spent(scene: Scene) -> list[int | None]:
    """The delivery counts of the messages on the queue, leased ones too."""
    return [message.delivery_count for message in scene.stores.peek()]


def test_job_that_would_not_end_in_time_is_handed_back_and_finished_by_another_worker(scene: Scene) -> None:
    job_id = scene.client.submit(options={"seconds": 3600})
    with restarting(scene, job_id):
        scene.until_taken(job_id)
        assert scene.system.stop(WORKER) == 0
        record = scene.stores.record(job_id)
        assert (record["status"], record["attempt"], record["turn"], record["run"]) == ("queued", 1, 1, None)
        assert scene.stores.counts()["active"] == 1
        assert deliveries_spent(scene) == [0]
    assert scene.succeeded_once(job_id)["result"]["attempt"] == 1
    assert scene.stores.record(job_id)["turn"] == 1
    assert scene.taken(job_id) == 2


def test_job_that_ends_in_time_is_finished_and_no_further_one_is_taken(scene: Scene) -> None:
    first = scene.client.submit(options={"seconds": RUNS_S})
    with restarting(scene, first):
        scene.until_taken(first)
        program = scene.system.programs[WORKER]
        assert program.process is not None
        program.process.send_signal(signal.SIGTERM)
        second = scene.client.submit()
        assert scene.system.stop(WORKER) == 0
        assert scene.stores.record(first)["status"] == "succeeded"
        assert scene.stores.record(second)["status"] == "queued"
        assert deliveries_spent(scene) == [0]
        assert "Traceback" not in scene.logs()
    scene.succeeded_once(second)
    assert scene.taken(first) == 1


def test_worker_whose_broker_does_not_answer_ends_in_time_all_the_same_and_loses_nothing(scene: Scene) -> None:
    job_id = scene.client.submit(options={"seconds": 3600})
    with restarting(scene, job_id):
        scene.until_taken(job_id)
        os.kill(scene.services.service_bus.pid, signal.SIGSTOP)
        began_at = time.monotonic()
        try:
            assert scene.system.stop(WORKER) == 1
        finally:
            os.kill(scene.services.service_bus.pid, signal.SIGCONT)
        assert time.monotonic() - began_at < DRAIN_S + SLACK_S
        assert "worker.drain_cut_short" in scene.logs()
    scene.succeeded_once(job_id, deadline_s=60)


def test_worker_in_mid_job_of_an_hour_ends_within_25_s_and_spends_neither_attempt_nor_delivery(
    run_scene: RunScene,
) -> None:
    with run_scene(workers=2) as scene:
        job_id = scene.client.submit(options={"seconds": 3600})
        scene.client.until_running(job_id)
        first = until(lambda: takers(scene, job_id), "a worker takes it")[0]
        began_at = time.monotonic()
        assert scene.system.stop(first) == 0
        assert time.monotonic() - began_at < LIMIT_S + BEFORE_KILL_S
        until(lambda: len(takers(scene, job_id)) == 2, "the other worker takes it")
        record = scene.stores.record(job_id)
        assert (record["status"], record["attempt"], record["turn"]) == ("running", 1, 1)
        assert deliveries_spent(scene) == [0]
        assert scene.taken(job_id) == 2


def takers(scene: Scene, job_id: str) -> list[str]:
    """The workers that have taken the job."""
    logs = {name: scene.system.logs(name).splitlines() for name in ("worker-1", "worker-2")}
    return [name for name, lines in logs.items() if any("job.taken " in line and job_id in line for line in lines)]


@pytest.mark.parametrize("name", ["process-api", "status-api"])
def test_api_stops_cleanly_also_while_it_starts(scene: Scene, name: str) -> None:
    assert scene.system.stop(name) == 0
    starts = scene.system.logs(name).count("api.started")
    scene.system.programs[name].start()
    until(lambda: scene.system.logs(name).count("api.started") > starts, f"{name} begins to start")
    assert scene.system.stop(name) == 0
    assert "Traceback" not in scene.system.logs(name)
    scene.system.restart(name)
