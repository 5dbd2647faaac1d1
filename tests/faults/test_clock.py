"""A worker or keeper whose clock is not Azure's: it refuses to start, and a job waits for one whose clock is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from claimcheck.commands.up.addresses import records_endpoint
from tests.faults.conftest import WORKER, RunScene, Scene
from tests.stack.gate import Gate
from tests.stack.services import Services
from tests.stack.waiting import until

DATE = re.compile(rb"(?<=\r\nDate: )[^\r]{29}(?=\r\n)")
ENDPOINT = "CLAIMCHECK_RECORDS__ENDPOINT"
KEEPER = "keeper-1"
STARTS_S = 60.0


class Watchmaker:
    """Cosmos DB with a clock that is so much ahead of this machine's."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def rewrite(self, answer: bytes) -> bytes:
        told = format_datetime(datetime.now(UTC) + timedelta(seconds=self.ahead_s), usegmt=True)
        return DATE.sub(told.encode(), answer)


@pytest.fixture(scope="module")
def gated(run_scene: RunScene, services: Services) -> Iterator[tuple[Scene, Watchmaker]]:
    """A worker and a keeper, which do not run, and what stands between them and Cosmos DB."""
    watchmaker = Watchmaker()
    with (
        Gate(to=services.cosmos.ports["http"], rewrite=watchmaker.rewrite) as gate,
        run_scene(keepers=1) as scene,
    ):
        for name in (WORKER, KEEPER):
            scene.system.kill(name)
            scene.system.programs[name].variables[ENDPOINT] = records_endpoint(gate.port)
        yield scene, watchmaker


def lines_since(scene: Scene, name: str, before: int, event: str) -> list[str]:
    """What the program has said of this event since."""
    return [line for line in scene.system.logs(name)[before:].splitlines() if event in line]


@pytest.mark.parametrize(("name", "ahead_s", "how"), [(WORKER, 90, "slow"), (KEEPER, -90, "fast")])
def test_program_whose_clock_is_off_refuses_to_start(
    gated: tuple[Scene, Watchmaker], name: str, ahead_s: float, how: str
) -> None:
    scene, watchmaker = gated
    watchmaker.ahead_s = ahead_s
    job_id = scene.client.submit()
    before = len(scene.system.logs(name))
    scene.system.programs[name].start()
    process = scene.system.programs[name].process
    assert process is not None
    assert process.wait(timeout=STARTS_S) == 1
    (line,) = lines_since(scene, name, before, "clock.off")
    assert "ERROR" in line
    assert f"s {how}; the limit is 60 s" in line
    assert scene.taken(job_id) == 0


def test_worker_waits_until_it_can_ask_for_the_time_and_works_with_a_clock_that_is_less_than_a_minute_off(
    gated: tuple[Scene, Watchmaker],
) -> None:
    scene, watchmaker = gated
    watchmaker.ahead_s = 30
    job_id = scene.client.submit()
    before = len(scene.system.logs(WORKER))
    scene.services.cosmos.kill()
    try:
        scene.system.programs[WORKER].start()
        until(lambda: lines_since(scene, WORKER, before, "clock.unknown"), "it misses the time", deadline_s=STARTS_S)
    finally:
        scene.services.cosmos.start()
    scene.system.wait_ready(WORKER)
    scene.succeeded_once(job_id)
