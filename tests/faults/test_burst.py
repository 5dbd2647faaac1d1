"""A burst of submissions while each process and each emulator dies once: every 202 ends, once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.faults.conftest import RunScene, Scene
from tests.stack.names import LOCK_S


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """A worker that runs four jobs at once."""
    with run_scene(env={"CLAIMCHECK_WORKER__SLOTS": "4"}) as scene:
        yield scene


def calamities(scene: Scene) -> list[Callable[[], None]]:
    """Each kills one process and starts it again."""

    def again(name: str) -> Callable[[], None]:
        def kill_and_restart() -> None:
            scene.system.kill(name)
            scene.system.restart(name)

        return kill_and_restart

    def service_bus() -> None:
        scene.services.service_bus.kill()
        scene.services.service_bus.start()

    def cosmos() -> None:
        scene.services.cosmos.kill()
        scene.services.cosmos.start()

    return [again("worker-1"), service_bus, again("status-api"), cosmos, again("process-api")]


def submit(scene: Scene, number: int) -> str | None:
    """The job's id if it was accepted; otherwise the client was told, or not answered."""
    try:
        answer = scene.client.post(b"%d" % number, options={"do": "read", "seconds": 0.2})
    except httpx.TransportError:
        return None
    assert answer.status_code in (202, 503), answer.text
    return str(answer.json()["id"]) if answer.status_code == 202 else None


@pytest.mark.timeout(180)
def test_every_accepted_job_of_a_burst_succeeds_once_whatever_dies(scene: Scene) -> None:
    accepted: dict[str, int] = {}
    numbers = itertools.count()

    def submit_some() -> None:
        for number in itertools.islice(numbers, 6):
            if (job_id := submit(scene, number)) is not None:
                accepted[job_id] = number

    with ThreadPoolExecutor(1) as fate:
        for calamity in calamities(scene):
            submit_some()
            struck = fate.submit(calamity)
            submit_some()
            struck.result(timeout=60)
    assert next(numbers) == 60
    assert len(accepted) >= 30  # six before each calamity
    for job_id, number in accepted.items():
        job = scene.succeeded_once(job_id, deadline_s=4 * LOCK_S + 40)
        assert job["result"]["text"] == str(number)
    scene.stores.until_empty(deadline_s=2 * LOCK_S + 10)
