"""Every process is restarted once, as an upgrade does it, while clients submit and poll: nobody is failed by it."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import httpx
import pytest

from tests.faults.conftest import RunScene, Scene
from tests.stack.names import LOCK_S
from tests.stack.waiting import until

ANSWER_S = 30.0
RECOVERS_S = 60.0
PAUSE_S = 0.1
PROCESSES = ("process-api", "status-api", "worker-1", "worker-2", "keeper-1")
SERVICES = ("service_bus", "cosmos", "azurite")
AT_LEAST = 40  # jobs, also where the machine has other things to do


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """Two of what may be several."""
    with run_scene(workers=2, keepers=1, env={"CLAIMCHECK_WORKER__SLOTS": "2"}) as scene:
        yield scene


@dataclass
class Load:
    """Clients that submit and poll until they are told to end. `restarting` is what is away, if anything is."""

    scene: Scene
    restarting: str = ""
    ending: threading.Event = field(default_factory=threading.Event)
    accepted: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Whatever no client should have met."""
    refusals: list[str] = field(default_factory=list)
    """What was refused as it must be: the process is away, or says that a dependency is."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def submit(self) -> None:
        """Submit one job after another, each again with its key until it is accepted, also the last."""
        while not self.ending.is_set():
            key, answer = f"rolling-{next(self._numbers)}", None
            gives_up_at = time.monotonic() + RECOVERS_S
            while answer is None and not (self.ending.is_set() and time.monotonic() > gives_up_at):
                answer = self._asked("process-api", partial(self._post, key))
                self.ending.wait(PAUSE_S)
            if answer is not None:
                self.accepted.append(answer.json()["id"])

    def poll(self) -> None:
        """Ask for one job after another."""
        while not self.ending.is_set():
            for job_id in self.accepted[-5:]:
                url = f"{self.scene.system.status_url}/v1/jobs/{job_id}"
                # A connection for each request: one that is kept may be closed in the moment that it is used.
                self._asked("status-api", partial(httpx.get, url, timeout=ANSWER_S))
            self.ending.wait(PAUSE_S)

    def until_accepted(self, count: int) -> None:
        """Wait until there are so many jobs."""
        until(lambda: len(self.accepted) >= count, f"{count} jobs are accepted", deadline_s=RECOVERS_S)

    def _post(self, key: str) -> httpx.Response:
        return httpx.post(
            f"{self.scene.system.process_url}/v1/jobs",
            data={"task": "probe", "options": '{"do": "read", "seconds": 0.2}'},
            files={"file": ("a.txt", b"the upload", "text/plain")},
            headers={"Idempotency-Key": key},
            timeout=ANSWER_S,
        )

    def _asked(self, api: str, ask: Callable[[], httpx.Response]) -> httpx.Response | None:
        """The answer, unless it was refused; whatever else it was is noted."""
        before = self.restarting
        try:
            answer = ask()
        except httpx.TransportError as error:
            away = {before, self.restarting}
            self._note(f"{api}, {away} away: {error!r}", excused=api in away)
            return None
        if answer.status_code in (httpx.codes.OK, httpx.codes.ACCEPTED):
            return answer
        away = {before, self.restarting}
        # A service is away, or the API itself ends and says so to whoever still reaches it.
        excused = bool(away & {*SERVICES, api}) and answer.status_code == 503 and "retry-after" in answer.headers
        self._note(f"{api}, {away} away: {answer.status_code} {answer.text[:200]}", excused=excused)
        return None

    def _note(self, what: str, *, excused: bool) -> None:
        (self.refusals if excused else self.failures).append(what)


def restart(scene: Scene, name: str) -> None:
    """End a process or service as an operator does, start it again, and wait until all is well."""
    if name in PROCESSES:
        assert scene.system.stop(name) == 0
        scene.system.restart(name)
        return
    service = getattr(scene.services, name)
    service.stop()
    service.start()
    until(lambda: not scene.system_degraded(), f"{name} is back for the APIs", deadline_s=RECOVERS_S)


@pytest.mark.timeout(300)
def test_nobody_is_failed_by_a_restart_of_everything_and_every_job_succeeds_at_its_first_attempt(
    scene: Scene,
) -> None:
    load = Load(scene)
    with ThreadPoolExecutor(3) as clients:
        working = [clients.submit(load.submit), clients.submit(load.submit), clients.submit(load.poll)]
        try:
            for name in (*PROCESSES, *SERVICES):
                accepted = len(load.accepted)
                load.restarting = name
                restart(scene, name)
                load.until_accepted(accepted + 2)
                load.restarting = ""
            load.until_accepted(AT_LEAST)
        finally:
            load.ending.set()
        for each in working:
            each.result()
    assert load.failures == []
    for job_id in load.accepted:
        job = scene.client.until_ended(job_id, deadline_s=4 * LOCK_S + 60)
        assert (job["status"], job["attempt"], job["result"]["text"]) == ("succeeded", 1, "the upload")
    # Whoever was refused asked again with the same key: no job was made beside those that were accepted.
    assert {item["job_id"] for item in scene.stores.items("job")} == set(load.accepted)
    assert Counter(item["job_id"] for item in scene.stores.items("result")) == Counter(load.accepted)
    scene.stores.until_empty(deadline_s=2 * LOCK_S + 10)
