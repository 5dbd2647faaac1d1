"""A burst of submissions while each process and each emulator dies once: every one becomes one job, which ends once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from claimcheck.client import Client, Retry
from tests.faults.conftest import RunScene, Scene

AT_ONCE = 4
ENDS_S = 60.0  # Leases that were lost, pauses before the next try, and all that is ahead in the line.


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


@pytest.mark.timeout(240)
def test_every_submission_of_a_burst_becomes_one_job_that_succeeds_once_whatever_dies(scene: Scene) -> None:
    made: dict[int, str] = {}
    with (
        Client(scene.system.process_url, scene.system.status_url, retry=Retry(attempts=20)) as client,
        ThreadPoolExecutor(AT_ONCE) as clients,
        ThreadPoolExecutor(1) as fate,
    ):

        def submit(number: int) -> str:
            return client.submit(b"%d" % number, task="probe", options={"do": "read", "seconds": 0.2}).id

        def submit_some() -> None:
            numbers = range(len(made), len(made) + AT_ONCE)
            made.update(zip(numbers, clients.map(submit, numbers), strict=True))

        for calamity in calamities(scene):
            struck = fate.submit(calamity)
            submit_some()
            while not struck.done():
                submit_some()
            struck.result()
            submit_some()
    for number, job_id in made.items():
        job = scene.succeeded_once(job_id, deadline_s=ENDS_S)
        assert job["result"]["text"] == str(number)
    # Whoever was not answered submitted again, with the same key: no job was made that nobody asked for.
    assert {item["job_id"] for item in scene.stores.items("job")} == set(made.values())
    assert len(made) == len(set(made.values())) >= 2 * AT_ONCE * len(calamities(scene))
    scene.stores.until_empty(deadline_s=ENDS_S)
