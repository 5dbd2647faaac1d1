"""A system whose processes and services a test may end. Whoever ends a shared service starts it again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import httpx
import pytest

from tests.conftest import RunSystem
from tests.stack.client import Body, Client
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until

WORKER = "worker-1"
LIMIT_S = 3.0
"""Of each dependency, as the settings have it: for tests of the promise that an API answers in time."""
SLACK_S = 7.0  # For a machine with other things to do; the SDKs alone would go on for 11 s and more.
PROMPT = {"CLAIMCHECK_WEB__DEPENDENCY_TIMEOUT_S": str(LIMIT_S)}
QUICK = {
    "CLAIMCHECK_JOB__BACKOFF_FIRST_S": "1",
    # Neither is tested but where a test says so: a busy machine would break an API's promise, and lose a lease.
    "CLAIMCHECK_WEB__DEPENDENCY_TIMEOUT_S": "10",
    "CLAIMCHECK_QUEUE__RENEW_S": "1",
}


@dataclass(frozen=True)
class Scene:
    """A system, its client, and what it stores."""

    system: System
    client: Client
    stores: Stores
    services: Services

    def taken(self, job_id: str) -> int:
        """How often a worker took the job, over all lives of all workers."""
        return self._said("job.taken ", job_id)

    def until_taken(self, job_id: str) -> None:
        """Wait until a worker has taken the job. A short one may have ended by the time that anybody looks."""
        until(lambda: self.taken(job_id), f"job {job_id} is taken")

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """With the worker's only slot taken, for as long as the context lasts."""
        job_id = self.client.submit(options={"seconds": 3600})
        try:
            self.client.until_running(job_id)
            yield
        finally:
            assert self.client.cancel(job_id).status_code == httpx.codes.OK

    def succeeded_once(self, job_id: str, *, attempt: int = 1, deadline_s: float = 30.0) -> Body:
        """Wait for the end; check that it is a success, that there is one result, and on which attempt."""
        job = self.client.until_ended(job_id, deadline_s=deadline_s)
        assert job["status"] == "succeeded", job
        assert job["attempt"] == attempt
        # A writer that lost its fence sees so only after its blob is there, and then deletes it.
        until(lambda: len(self.stores.results_of(job_id)) == 1, f"job {job_id} has one result")
        return job

    def until_recorded(self, job_id: str, status: str) -> None:
        """Wait until the record has this status, asking no API."""
        until(lambda: self.stores.record(job_id)["status"] == status, f"job {job_id} is recorded as {status}")

    def logs(self) -> str:
        """What all workers have said."""
        return "".join(self.system.logs(name) for name in self.system.programs if name.startswith("worker"))

    def system_degraded(self) -> bool:
        """Whether an API misses a dependency."""
        answers = [api.get("/readyz").json() for api in (self.client.process, self.client.status)]
        return any(answer["degraded"] for answer in answers)

    def _said(self, event: str, job_id: str) -> int:
        return sum(event in line and job_id in line for line in self.logs().splitlines())


class RunScene(Protocol):
    """`with run_scene(workers=2, env={...}) as scene:`"""

    def __call__(
        self, *, workers: int = 1, keepers: int = 0, env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Scene]:
        """A system that is ready inside and gone after."""


@pytest.fixture(scope="session")
def run_scene(run_system: RunSystem, services: Services, name_stock: NameStock) -> RunScene:
    """Run a system with its client and stores."""

    @contextlib.contextmanager
    def run(*, workers: int = 1, keepers: int = 0, env: Mapping[str, str] | None = None) -> Iterator[Scene]:
        names = name_stock.take()
        with (
            run_system(workers=workers, keepers=keepers, names=names, env={**QUICK, **(env or {})}) as system,
            Client(system.process_url, system.status_url) as client,
        ):
            yield Scene(system, client, Stores(services, names), services)

    return run


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """One worker with one slot, for a module; a test leaves every program running."""
    with run_scene() as scene:
        yield scene
