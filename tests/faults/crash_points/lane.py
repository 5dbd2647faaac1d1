"""A lane: a system of its own, on which one crash after another is played while other lanes play others."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import httpx

from claimcheck.commands.up.addresses import HOST
from claimcheck.commands.up.provision import provision
from claimcheck.job import timestamp
from tests.faults.crash_points.crashing import CrashPoint, Watch
from tests.stack.by_hand import ByHand
from tests.stack.client import ANSWER_S, Body, Client
from tests.stack.counting_proxy import LoopThread
from tests.stack.fault_hook import Fault, FaultHook
from tests.stack.forking import Forked, ForkServer
from tests.stack.names import Names
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import Running, System

API, WORKER, KEEPER = "process-api", "worker-1", "keeper-1"
LOOK_S = 0.2
DEADLINE_S = 60.0
LONG_S = 3600.0  # Beyond the rescuer's patience.

QUICK = {
    "CLAIMCHECK_JOB__BACKOFF_FIRST_S": "0.3",
    "CLAIMCHECK_WORKER__DRAIN_S": "3",  # Half of it for what runs, half for putting back.
    "CLAIMCHECK_QUEUE__RENEW_S": "2",
    "CLAIMCHECK_BLOBS__BLOCK_BYTES": str(64 * 1024),
    "CLAIMCHECK_WEB__DEPENDENCY_TIMEOUT_S": "10",  # No promise is tested here that a busy machine would break.
}

T = TypeVar("T")


class Died(Exception):
    """The victim is dead, so what is waited for will not happen before it has a successor."""


class Lane:
    """One system. `victim` is the program that is watched and killed; used by one thread at a time."""

    def __init__(
        self, *, services: Services, names: Names, folder: Path, server: ForkServer, loop: LoopThread, plugins: Path
    ) -> None:
        self.stores = Stores(services, names)
        self.by_hand = ByHand(self.stores)
        self._server = server
        broker = f"http://{HOST}:{services.service_bus.ports['admin']}/_emulator"
        self._broker = httpx.Client(base_url=broker, verify=False, timeout=ANSWER_S)
        self._faults = FaultHook(services.service_bus, "admin")
        variables = {**services.variables(names), **QUICK, "PYTHONPATH": str(plugins)}
        asyncio.run(provision(services.settings(names)))
        self.system = System(folder, variables, workers=1, keepers=1, spawn=server.spawn)
        self.client = Client(self.system.process_url, self.system.status_url)
        self._watches = {name: Watch(services, self.stores.queue, loop) for name in (API, WORKER, KEEPER)}
        for name, watch in self._watches.items():
            self.system.programs[name].variables |= watch.variables
        self.system.start(API, "status-api")
        self.victim = API
        self.ending: dict[str, str] = {}
        """Every job whose id a client knows -> the status that it ended with."""

    def close(self) -> None:
        """End every program, and arm nothing any more."""
        self.system.close()
        self._faults.close()
        for connection in (self.client.process, self.client.status, self._broker):
            connection.close()
        for watch in self._watches.values():
            watch.close()

    @property
    def watch(self) -> Watch:
        """What the victim asks of the services."""
        return self._watches[self.victim]

    @property
    def victim_runs(self) -> bool:
        """Whether the victim lives."""
        process = self.system.programs[self.victim].process
        return process is not None and process.poll() is None

    def cast(self, victim: str) -> None:
        """Say who will be watched. An API begins anew, so that what it asks does not depend on what it has asked."""
        self.victim = victim
        if victim == API:
            self.end(API)
            self.system.start(API)

    def raise_curtain(self, point: CrashPoint | None) -> None:
        """Begin to watch the victim, and to lie in wait for it. One that acts by itself starts now."""
        program = self.system.programs[self.victim]
        if isinstance(program.process, Forked):
            self.watch.begin(program.process, point)
            return
        program.spawn = functools.partial(self._server.spawn, held=lambda process: self.watch.begin(process, point))
        program.start()
        program.spawn = self._server.spawn

    def bury_victim(self) -> None:
        """See to it that the victim is dead. Its successor is left in peace."""
        self.end(self.victim)
        self.watch.end()

    def start(self, name: str) -> None:
        """Start a program unless it runs; an API is ready then."""
        if self.system.programs[name].process is not None:
            return
        if name == API:
            self.system.start(name)
        else:
            self.system.programs[name].start()

    def end(self, *names: str) -> None:
        """Kill programs, those that run."""
        for name in names:
            if self.system.programs[name].process is not None:
                self.system.kill(name)

    def until(self, look: Callable[[], T | None], what: str) -> T:
        """Wait for something, at most until the victim dies. Raises Died."""
        process = self.system.programs[self.victim].process
        assert process is not None
        ends_at = time.monotonic() + DEADLINE_S
        while not (seen := look()):
            assert time.monotonic() < ends_at, f"not within {DEADLINE_S:g} s: {what}"
            if ended_within(process, LOOK_S):
                if seen := look():  # A victim that ends by itself may have done it.
                    break
                raise Died(what)
        return seen

    def age(self, seconds: float) -> None:
        """Let so much time have passed for the queue and its locks."""
        self._broker.post("age", json={"entity": self.stores.queue, "seconds": seconds}).raise_for_status()

    def make_older(self, job_id: str, seconds: float) -> None:
        """Let a job have moved so much earlier. Nobody may write it meanwhile."""
        moved_at = datetime.fromisoformat(self.stores.record(job_id)["moved_at"]) - timedelta(seconds=seconds)
        self.stores.change_record(job_id, moved_at=timestamp(moved_at))

    def fail_sends(self, *, times: int, error: str) -> None:
        """Let the next messages to the queue fail before they are stored."""
        self._faults.arm(kind="send", action="fail", error=error, times=times, match={"entity": self.stores.queue})

    def disarm(self) -> None:
        """Let no message fail that is sent from now on."""
        self._faults.disarm()

    def faults(self) -> list[Fault]:
        """What is armed for this queue, whoever armed it."""
        every = self._faults.everyones()
        return [fault for fault in every if fault["match"].get("entity", "").startswith(self.stores.queue)]

    def counts(self) -> Body:
        """What the queue holds."""
        counts: Body = self._broker.get("queues").json()[self.stores.queue]
        return counts

    def is_empty(self) -> bool:
        """Whether the queue holds no message at all."""
        counts = self.counts()
        return not any(counts[state] for state in ("active", "locked", "scheduled", "dead_lettered"))

    def job(self, job_id: str) -> Body:
        """The job as a client sees it."""
        return self.client.job(job_id)

    def ends(self, job_id: str, status: str) -> Body:
        """Let a worker run what is left; the job as it ended. Checks that it stays so and that no message is left."""
        self.ending[job_id] = status
        self.start(WORKER)
        self.until(lambda: "ended_at" in self.job(job_id), f"job {job_id} ends")
        job = self.job(job_id)
        assert job["status"] == status, job
        self.until(self.is_empty, f"no message is left of job {job_id}")
        assert self.job(job_id) == job
        return job


def ended_within(process: Running, seconds: float) -> bool:
    """Whether the process has ended or does so in so many seconds."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
        return True
    return False
