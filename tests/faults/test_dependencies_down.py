"""Each dependency gone or frozen, and every route that needs it: 503 in time, and the same request works afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from tests.faults.conftest import LIMIT_S, PROMPT, SLACK_S, RunScene, Scene
from tests.stack.client import Client
from tests.stack.services import Services
from tests.stack.waiting import until

BLOCK_S = 5.0  # of a block of a large upload
RECOVERS_S = 60.0
IN_A_BLOB = 400_000  # bytes of a result too large for a record

Ask = Callable[[], httpx.Response]


@dataclass(frozen=True)
class Dependency:
    """One service, and what the APIs say without it."""

    slug: str
    pid: Callable[[Services], int]
    stop: Callable[[Services], None]
    start: Callable[[Services], None]
    spared: frozenset[str]
    """Routes that do without it."""


STORAGE = Dependency(
    "storage-unavailable",
    lambda services: services.azurite.pid,
    lambda services: services.azurite.stop(),
    lambda services: services.azurite.start(),
    frozenset({"get of a queued job", "list", "operation", "cancel"}),
)
RECORDS = Dependency(
    "records-unavailable",
    lambda services: services.cosmos.pid,
    lambda services: services.cosmos.kill(),
    lambda services: services.cosmos.start(),
    frozenset(),
)
QUEUE = Dependency(
    "queue-unavailable",
    lambda services: services.service_bus.pid,
    lambda services: services.service_bus.kill(),
    lambda services: services.service_bus.start(),
    frozenset({"get", "get of a queued job", "list", "result", "operation", "reference poll", "cancel", "erase"}),
)
DEPENDENCIES = {"storage": STORAGE, "records": RECORDS, "queue": QUEUE}


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """A system with the time limit that it comes with; that of a block is shorter."""
    env = {"CLAIMCHECK_WEB__BLOCK_TIMEOUT_S": str(BLOCK_S), "CLAIMCHECK_WORKER__SLOTS": "2"}
    with run_scene(env={**PROMPT, **env}) as scene:
        yield scene


@pytest.fixture
def doomed(scene: Scene) -> Iterator[str]:
    """A job of an hour, which does not outlive the test; its id."""
    job_id = scene.client.submit(options={"seconds": 3600})
    yield job_id
    until(lambda: scene.client.cancel(job_id).is_success, "it is cancelled", deadline_s=RECOVERS_S)


@contextlib.contextmanager
def gone(dependency: Dependency, services: Services) -> Iterator[None]:
    """Connections are refused."""
    dependency.stop(services)
    try:
        yield
    finally:
        dependency.start(services)


@contextlib.contextmanager
def frozen(dependency: Dependency, services: Services) -> Iterator[None]:
    """Connections are accepted, and nothing is answered."""
    os.kill(dependency.pid(services), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(dependency.pid(services), signal.SIGCONT)


def requests(scene: Scene, doomed: str) -> dict[str, tuple[Ask, set[int]]]:
    """One request per route, to jobs of their own, and what each answers when all is well."""
    client = scene.client
    ended = client.submit(options={"result_bytes": IN_A_BLOB})
    erased = client.submit()
    for job_id in (ended, erased):
        scene.succeeded_once(job_id, deadline_s=RECOVERS_S)
    plain, file = {"Content-Type": "text/plain"}, {"file": ("a.txt", b"the upload", "text/plain")}
    return {
        "upload": (client.post, {202}),
        "large upload": (lambda: large(client), {202}),
        "raw upload": (lambda: client.process.post("/v1/jobs?task=probe", content=b"the upload", headers=plain), {202}),
        "reference upload": (lambda: client.process.post("/api/process", data={"task": "probe"}, files=file), {202}),
        "get": (lambda: client.get(ended), {200}),
        "get of a queued job": (lambda: client.get(doomed), {200, 202}),
        "list": (lambda: client.status.get("/v1/jobs"), {200}),
        "result": (lambda: client.status.get(f"/v1/jobs/{ended}/result"), {200}),
        "operation": (lambda: client.status.get(f"/v1/operations/{ended}"), {200}),
        "reference poll": (lambda: client.status.get(f"/api/status/{ended}"), {200}),
        "cancel": (lambda: client.cancel(doomed), {200}),
        # The first try may have put the tombstone; the next one finishes its work and finds no job.
        "erase": (lambda: client.erase(erased), {204, 404}),
    }


def large(client: Client) -> httpx.Response:
    """An upload of some blocks."""
    plain = {"Content-Type": "text/plain"}
    content = b"x" * 9 * 1024 * 1024
    return client.process.post("/v1/jobs?task=probe", content=content, headers=plain, timeout=RECOVERS_S)


def timed(ask: Ask) -> tuple[httpx.Response, float]:
    """The answer, and after how many seconds it came."""
    began_at = time.monotonic()
    return ask(), time.monotonic() - began_at


def complaint(answer: httpx.Response, after_s: float, slug: str, *, limit_s: float) -> str:
    """What is wrong with this 503; empty if nothing."""
    if answer.status_code != 503 or answer.headers["content-type"] != "application/problem+json":
        return f"answers {answer.status_code}: {answer.text[:200]}"
    if answer.json()["type"] != f"urn:claimcheck:problem:{slug}":
        return f"says {answer.json()}"
    if int(answer.headers.get("retry-after", "0")) < 1:
        return "says not when to come back"
    return f"takes {after_s:.1f} s" if after_s > limit_s + SLACK_S else ""


@pytest.mark.parametrize("outage", [gone, frozen])
@pytest.mark.parametrize("name", DEPENDENCIES)
def test_every_route_that_needs_it_says_503_in_time_and_all_work_afterwards(
    scene: Scene,
    doomed: str,
    name: str,
    outage: Callable[[Dependency, Services], contextlib.AbstractContextManager[None]],
) -> None:
    dependency, asked = DEPENDENCIES[name], requests(scene, doomed)
    # All at once: one after the other, each would take its three seconds.
    with outage(dependency, scene.services), ThreadPoolExecutor(len(asked)) as threads:
        answers = dict(zip(asked, threads.map(timed, (ask for ask, _ in asked.values())), strict=True))
    complaints = {
        route: _unexpected(answer, asked[route][1])
        if route in dependency.spared
        else complaint(answer, after_s, dependency.slug, limit_s=_limit_s(route, dependency))
        for route, (answer, after_s) in answers.items()
    }
    assert {route: text for route, text in complaints.items() if text} == {}

    until(lambda: not scene.system_degraded(), "nothing is degraded any more", deadline_s=RECOVERS_S)
    afterwards = {route: _unexpected(ask(), well) for route, (ask, well) in asked.items()}
    assert {route: text for route, text in afterwards.items() if text} == {}


def _limit_s(route: str, dependency: Dependency) -> float:
    return BLOCK_S if route == "large upload" and dependency is STORAGE else LIMIT_S


def _unexpected(answer: httpx.Response, well: set[int]) -> str:
    return "" if answer.status_code in well else f"answers {answer.status_code}: {answer.text[:200]}"
