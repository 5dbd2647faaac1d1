"""A worker's link to Service Bus goes quiet: dropped, half open, or frozen. A job submitted afterwards runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from claimcheck.commands.up.addresses import queue_connection_string
from tests.faults.conftest import WORKER, RunScene, Scene
from tests.stack.gate import Gate
from tests.stack.names import LOCK_S
from tests.stack.services import Services
from tests.stack.waiting import until

QUIET_S = 3
SOON_S = 60.0  # Time limits of what is under way, a pause, a lock that was left behind, a new link.


@pytest.fixture(scope="module")
def gated(run_scene: RunScene, services: Services) -> Iterator[tuple[Scene, Gate]]:
    """A worker that reaches Service Bus through a gate; the APIs go straight there."""
    with (
        Gate(to=services.service_bus.ports["amqp"]) as gate,
        run_scene(env={"CLAIMCHECK_QUEUE__QUIET_S": str(QUIET_S)}) as scene,
    ):
        scene.system.stop(WORKER)
        through = {"CLAIMCHECK_QUEUE__CONNECTION_STRING": queue_connection_string(gate.port)}
        scene.system.programs[WORKER].variables.update(through)
        scene.system.restart(WORKER)
        yield scene, gate


def test_job_runs_though_the_worker_s_connections_went_dead_while_it_was_idle(gated: tuple[Scene, Gate]) -> None:
    scene, gate = gated
    scene.succeeded_once(scene.client.submit())
    assert gate.go_dead() >= 1
    scene.succeeded_once(scene.client.submit(), deadline_s=SOON_S)


def test_job_ends_once_though_the_worker_s_connections_go_dead_while_it_runs(gated: tuple[Scene, Gate]) -> None:
    scene, gate = gated
    job_id = scene.client.submit(options={"seconds": LOCK_S + 2})
    scene.client.until_running(job_id)
    gate.go_dead()
    scene.succeeded_once(job_id, deadline_s=SOON_S)
    scene.stores.until_empty(deadline_s=3 * LOCK_S + 10)


def test_job_runs_after_connections_were_dropped(gated: tuple[Scene, Gate]) -> None:
    scene, _ = gated
    scene.stores.drop_connections()
    # Whoever sends through a link that was dropped sends again; the worker is told at once.
    scene.succeeded_once(scene.client.submit(), deadline_s=SOON_S)


def test_job_runs_after_the_broker_was_frozen_for_longer_than_the_worker_waits_for_it(
    gated: tuple[Scene, Gate],
) -> None:
    scene, _ = gated
    failures = scene.logs().count("queue.unavailable")
    os.kill(scene.services.service_bus.pid, signal.SIGSTOP)
    began_at = time.monotonic()
    try:
        until(
            lambda: scene.logs().count("queue.unavailable") > failures,
            "the worker has noticed",
            deadline_s=SOON_S,
        )
    finally:
        os.kill(scene.services.service_bus.pid, signal.SIGCONT)
    assert time.monotonic() - began_at > QUIET_S
    until(lambda: not scene.system_degraded(), "the APIs have their queue again", deadline_s=SOON_S)
    scene.succeeded_once(scene.client.submit(), deadline_s=SOON_S)
