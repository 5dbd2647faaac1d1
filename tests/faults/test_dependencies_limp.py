"""Dependencies that throttle, fail or are slow, seen by both sides: the APIs say so in time, and no job pays for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from claimcheck.commands.up.addresses import blob_connection_string, queue_connection_string, records_endpoint
from tests.faults.conftest import LIMIT_S, PROMPT, SLACK_S, WORKER, RunScene, Scene
from tests.stack.client import ANSWER_S
from tests.stack.gate import Gate
from tests.stack.services import Services
from tests.stack.waiting import until

RECOVERS_S = 60.0
SLOW_S = 0.1  # Opening a link to Service Bus takes a dozen answers.


@dataclass(frozen=True)
class Limping:
    """A system whose every answer of a dependency comes through a gate."""

    scene: Scene
    records: Gate
    storage: Gate
    queue: Gate


@pytest.fixture(scope="module")
def limping(run_scene: RunScene, services: Services) -> Iterator[Limping]:
    """Everything passes at first."""
    with contextlib.ExitStack() as opened:
        ports = (services.cosmos.ports["http"], services.azurite.port, services.service_bus.ports["amqp"])
        records, storage, queue = (opened.enter_context(Gate(to=port)) for port in ports)
        env = {
            **PROMPT,
            "CLAIMCHECK_RECORDS__ENDPOINT": records_endpoint(records.port),
            "CLAIMCHECK_BLOBS__CONNECTION_STRING": blob_connection_string(storage.port),
            "CLAIMCHECK_QUEUE__CONNECTION_STRING": queue_connection_string(queue.port),
        }
        yield Limping(opened.enter_context(run_scene(env=env)), records, storage, queue)


@contextlib.contextmanager
def answering(gate: Gate, status: int, *headers: str) -> Iterator[None]:
    """The dependency answers everything with this status."""
    before = gate.refused
    gate.answer_by_itself(status, *headers)
    try:
        yield
    finally:
        gate.let_through()
    assert gate.refused > before


def refused_in_time(ask: Callable[[], httpx.Response], slug: str) -> None:
    """Check that the request is answered 503 within the limit, whatever the dependency asked us to wait for."""
    began_at = time.monotonic()
    answer = ask()
    assert time.monotonic() - began_at < LIMIT_S + SLACK_S
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
    assert answer.json()["type"] == f"urn:claimcheck:problem:{slug}"
    assert int(answer.headers["retry-after"]) >= 1


def degraded(scene: Scene) -> dict[str, list[str]]:
    """What each program's /readyz misses. Fails unless all are ready all the same."""
    answers = {name: httpx.get(program.ready_url, timeout=ANSWER_S) for name, program in scene.system.programs.items()}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {name: answer.json()["degraded"] for name, answer in answers.items()}


@pytest.mark.parametrize(
    ("status", "headers"),
    [(429, ("x-ms-retry-after-ms: 8000",)), (503, ()), (401, ())],
    ids=["throttled", "failing", "refusing access"],
)
def test_records_that_limp_are_a_503_in_time_and_cost_no_job_an_attempt(
    limping: Limping, status: int, headers: tuple[str, ...]
) -> None:
    scene = limping.scene
    running, queued = scene.client.submit(options={"seconds": 2}), scene.client.submit(options={"do": "read"})
    scene.until_taken(running)
    with answering(limping.records, status, *headers):
        all_say_so = {name: ["records"] for name in scene.system.programs}
        until(lambda: degraded(scene) == all_say_so, "every program says so", deadline_s=RECOVERS_S)
        refused_in_time(scene.client.post, "records-unavailable")
        refused_in_time(lambda: scene.client.get(queued), "records-unavailable")
        refused_in_time(lambda: scene.client.cancel(queued), "records-unavailable")
    for job_id in (running, queued):
        scene.succeeded_once(job_id, deadline_s=RECOVERS_S)
    until(lambda: not any(degraded(scene).values()), "all is well", deadline_s=RECOVERS_S)


@pytest.mark.parametrize(("status", "headers"), [(503, ("Retry-After: 4",)), (403, ())], ids=["busy", "refusing"])
def test_storage_that_limps_is_a_503_in_time_and_costs_no_job_an_attempt(
    limping: Limping, status: int, headers: tuple[str, ...]
) -> None:
    scene = limping.scene
    # The first reads its upload when nobody gives it; the second is not even taken.
    running, queued = (scene.client.submit(options={"do": "read", "seconds": seconds}) for seconds in (5, 0))
    retries = scene.logs().count("dependency.retry")
    scene.until_taken(running)
    with answering(limping.storage, status, *headers):
        refused_in_time(scene.client.post, "storage-unavailable")
        until(lambda: scene.logs().count("dependency.retry") > retries, "the worker asks again", deadline_s=RECOVERS_S)
        until(lambda: all(degraded(scene).values()), "every program says so", deadline_s=RECOVERS_S)
        assert scene.client.get(queued).status_code == httpx.codes.ACCEPTED
        assert scene.taken(queued) == 0
    for job_id in (running, queued):
        scene.succeeded_once(job_id, deadline_s=RECOVERS_S)
    assert scene.taken(running) == scene.taken(queued) == 1
    until(lambda: not any(degraded(scene).values()), "all is well", deadline_s=RECOVERS_S)


def test_jobs_are_accepted_and_run_through_services_that_are_slow(limping: Limping) -> None:
    scene, gates = limping.scene, (limping.records, limping.storage, limping.queue)
    for gate in gates:
        gate.delay_s = SLOW_S
    try:
        for job_id in [scene.client.submit(options={"do": "read"}) for _ in range(2)]:
            scene.succeeded_once(job_id, deadline_s=RECOVERS_S)
        until(lambda: degraded(scene)[WORKER] == [], "the worker is well", deadline_s=RECOVERS_S)
    finally:
        for gate in gates:
            gate.delay_s = 0.0
