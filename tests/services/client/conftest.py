"""One system that asks for a key, and both clients of it: what one can do, the other can."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from claimcheck.blobs import Blobs
from claimcheck.client import AsyncClient, AsyncOperator, Client, Retry
from claimcheck.job import Status
from claimcheck.records import Records
from claimcheck.web.access import key_hash
from tests.conftest import RunSystem
from tests.services.client.command_line import CommandLine, InProcess
from tests.services.operators.conftest import Office, newest_first
from tests.stack.components import sample
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System

LIMIT_BYTES = 2 * 1024 * 1024
KEY, OTHERS_KEY, OPERATOR_KEY = secrets.token_hex(16), secrets.token_hex(16), secrets.token_hex(16)
ATTEMPTS = 4
QUICK = Retry(attempts=ATTEMPTS, first_s=0.05, longest_s=0.2, total_s=30.0)


class AwaitedOperator:
    """The same for what an operator's key opens; what comes one by one is collected."""

    def __init__(self, operator: AsyncOperator, runner: asyncio.Runner) -> None:
        self._operator, self._runner = operator, runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._operator, name)

        def call(*given: Any, **named: Any) -> Any:
            called = method(*given, **named)
            if not isinstance(called, AsyncIterator):
                return self._runner.run(called)

            async def collected() -> list[Any]:
                return [one async for one in called]

            return iter(self._runner.run(collected()))

        return call


class Awaited:
    """An AsyncClient whose calls are awaited here, so that a test reads the same for both clients."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def jobs(self, **query: Any) -> Iterator[Any]:
        """All of them."""

        async def listed() -> list[Any]:
            return [job async for job in self._client.jobs(**query)]

        return iter(self._runner.run(listed()))

    @property
    def operator(self) -> AwaitedOperator:
        """The same for operators."""
        return AwaitedOperator(self._client.operator, self._runner)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *given, **named: self._runner.run(method(*given, **named))


MakeClient = Callable[..., Any]
"""A client of the kind that is tested, from the arguments of `Client`."""


@pytest.fixture(scope="package")
def stores(services: Services, name_stock: NameStock) -> Stores:
    """What the system has stored."""
    return Stores(services, name_stock.take())


@pytest.fixture(scope="package")
def running(run_system: RunSystem, stores: Stores) -> Iterator[System]:
    """Both APIs and a worker; no test ends one of them."""
    env = {
        "CLAIMCHECK_WEB__KEYS": f'{{"{key_hash(KEY)}": "ours", "{key_hash(OTHERS_KEY)}": "theirs"}}',
        "CLAIMCHECK_WEB__OPERATOR_KEYS": f'["{key_hash(OPERATOR_KEY)}"]',
        "CLAIMCHECK_WEB__MAX_UPLOAD_BYTES": str(LIMIT_BYTES),
        "CLAIMCHECK_BLOBS__BLOCK_BYTES": str(64 * 1024),
        "CLAIMCHECK_WORKER__SLOTS": "4",
    }
    with run_system(names=stores.names, env=env) as system:
        yield system


@pytest.fixture(params=["Client", "AsyncClient"])
def make_client(request: pytest.FixtureRequest) -> Iterator[MakeClient]:
    """Makes clients of one kind, and closes them."""
    with contextlib.ExitStack() as opened:
        runner = opened.enter_context(asyncio.Runner())

        def make(*addresses: str, **how: Any) -> Any:
            given = {"retry": QUICK, **how}
            if request.param == "Client":
                return opened.enter_context(Client(*addresses, **given))
            client = AsyncClient(*addresses, **given)
            opened.callback(lambda: runner.run(client.close()))
            return Awaited(client, runner)

        yield make


@pytest.fixture
def client(make_client: MakeClient, running: System) -> Any:
    """A client of the system, with a key."""
    return make_client(running.process_url, running.status_url, key=KEY)


@dataclass(frozen=True)
class Recording:
    """Eleven seconds of speech, and the job that transcribed it."""

    path: Path
    job_id: str


@pytest.fixture(scope="package")
def recording(running: System) -> Recording:
    """Handed in once."""
    path = sample("fmt_jfk.wav")
    with Client(running.process_url, running.status_url, key=KEY) as client:
        job = client.wait(client.submit(path).id, timeout_s=60)
    return Recording(path, job.id)


@pytest.fixture
def command_line(running: System, tmp_path: Path) -> CommandLine:
    """`claimcheck`, told of the system by its environment."""
    variables = {
        "CLAIMCHECK_CLIENT__PROCESS_URL": running.process_url,
        "CLAIMCHECK_CLIENT__STATUS_URL": running.status_url,
        "CLAIMCHECK_CLIENT__KEY": KEY,
        "CLAIMCHECK_CLIENT__OPERATOR_KEY": OPERATOR_KEY,
    }
    return CommandLine(tmp_path, variables)


@pytest.fixture
def typed(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> InProcess:
    """The same, many times as fast, for what does not depend on a process of its own."""
    return InProcess(command_line, monkeypatch, capfd)


@pytest.fixture
def api(running: System) -> Iterator[Client]:
    """To look behind the command line's back."""
    with Client(running.process_url, running.status_url, key=KEY) as client:
        yield client


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """A small file."""
    path = tmp_path / "upload.txt"
    path.write_text("content")
    return path


@dataclass(frozen=True)
class Letters:
    """Writes dead letters, with jobs of the tenant `ours` that they are of."""

    services: Services
    stores: Stores

    def keep(self, count: int, reason: str, *, status: Status = Status.FAILED) -> list[str]:
        """Their ids, newest first."""

        async def kept() -> list[str]:
            settings = self.services.settings(self.stores.names)
            records, blobs = Records(settings.records, timeout_s=10), Blobs(settings.blobs, timeout_s=10)
            office = Office(records, blobs, self.stores, httpx.Client())
            try:
                jobs = [await office.job(tenant="ours", status=status) for _ in range(count)]
                return newest_first([await office.letter(job, reason=reason) for job in jobs])
            finally:
                for opened in (records, blobs):
                    await opened.close()
                office.api.close()

        return asyncio.run(kept())


@pytest.fixture
def letters(running: System, services: Services, stores: Stores) -> Letters:
    """Of the running system."""
    return Letters(services, stores)
