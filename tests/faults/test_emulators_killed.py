"""Service Bus or Cosmos DB dies with jobs queued and running: what it had acknowledged is there when it comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from azure_local_emulators.process import EmulatorProcess
from tests.faults.conftest import RunScene, Scene
from tests.stack.names import LOCK_S

ENDS_S = 60.0  # Leases that were lost, pauses before the next try, and what runs again.


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """A worker that runs two jobs at once."""
    with run_scene(env={"CLAIMCHECK_WORKER__SLOTS": "2"}) as scene:
        yield scene


def restart(emulator: EmulatorProcess) -> None:
    """Kill it and start it again on the same ports and data."""
    emulator.kill()
    emulator.start()


def test_every_job_ends_though_service_bus_is_killed(scene: Scene) -> None:
    jobs = [scene.client.submit(options={"seconds": 1}) for _ in range(6)]
    scene.until_taken(jobs[0])
    restart(scene.services.service_bus)
    for job_id in jobs:
        scene.succeeded_once(job_id, deadline_s=ENDS_S)
    scene.succeeded_once(scene.client.submit())


def test_every_job_ends_though_cosmos_is_killed(scene: Scene) -> None:
    jobs = [scene.client.submit(options={"seconds": 1}) for _ in range(6)]
    scene.until_taken(jobs[0])
    restart(scene.services.cosmos)
    for job_id in jobs:
        scene.succeeded_once(job_id, deadline_s=ENDS_S)
    scene.succeeded_once(scene.client.submit())


def test_fan_out_ends_though_both_are_killed(scene: Scene) -> None:
    job_id = scene.client.submit(task="fan", options={"parts": 6, "seconds": 0.5})
    scene.until_taken(job_id)
    restart(scene.services.service_bus)
    restart(scene.services.cosmos)
    job = scene.succeeded_once(job_id, deadline_s=ENDS_S)
    assert [part["part"] for part in job["result"]["parts"]] == list(range(6))


def test_long_job_outlives_a_broker_that_is_away_for_less_than_a_lease(scene: Scene) -> None:
    job_id = scene.client.submit(options={"seconds": LOCK_S + 2})
    scene.until_taken(job_id)
    restart(scene.services.service_bus)
    scene.succeeded_once(job_id, deadline_s=ENDS_S)
