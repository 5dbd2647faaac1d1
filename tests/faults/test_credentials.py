"""Keys and roles that are not accepted yet, as for minutes after a deployment: every program says so and waits."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from azure_local_emulators.process import EmulatorProcess
from claimcheck.commands.up.addresses import BLOB_ACCOUNT, BLOB_KEY, RECORDS_KEY
from claimcheck.commands.up.provision import provision
from tests.faults.conftest import WORKER
from tests.stack.azurite import AzuriteProcess
from tests.stack.client import ANSWER_S, Client
from tests.stack.components import ROOT
from tests.stack.names import NameStock
from tests.stack.ports import free_port
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System
from tests.stack.waiting import until

LATER_KEY = base64.b64encode(b"accepted later " * 4).decode()
"""What every program has for Blob Storage and Cosmos DB."""
SAYS_S = 60.0  # Four programs start at once.
PROGRAMS = ("process-api", "status-api", WORKER, "keeper-1")
REFUSALS = {
    "storage": "Blob Storage refuses access: 403",
    "records": "Cosmos DB refuses access: 401",
    "queue": "the queue [-a-z0-9]+ refuses access: ServiceBusAuthenticationError",
}


class Account:
    """Storage and records that know only the published keys, until they are told of the later one."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._port, self._monkeypatch = folder, free_port(), monkeypatch
        self.azurite = AzuriteProcess(folder / "azurite")
        self.cosmos = self._cosmos(RECORDS_KEY)

    def _cosmos(self, key: str) -> EmulatorProcess:
        data = str(self._folder / "cosmos")
        args = ["--port", str(self._port), "--consistency", "Strong", "--data", data, "--key", key]
        return EmulatorProcess("azure_local_emulators.cosmos", args)

    def start(self) -> None:
        self.azurite.start()
        self.cosmos.start()

    def accept_for_storage(self) -> None:
        self.azurite.stop()
        self._monkeypatch.setenv("AZURITE_ACCOUNTS", f"{BLOB_ACCOUNT}:{LATER_KEY}")
        self.azurite.start()

    def accept_for_records(self) -> None:
        self.cosmos.stop()
        self.cosmos = self._cosmos(LATER_KEY)
        self.cosmos.start()

    def stop(self) -> None:
        self.azurite.stop()
        self.cosmos.stop()


@pytest.fixture
def account(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    account = Account(tmp_path_factory.mktemp("account"), monkeypatch)
    account.start()
    yield account
    account.stop()


@pytest.fixture
def services(account: Account, service_bus: EmulatorProcess) -> Services:
    """These, and the common Service Bus."""
    return Services(account.azurite, service_bus, account.cosmos)


@pytest.fixture
def system(
    services: Services, name_stock: NameStock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[System, Stores]]:
    """Every program, with credentials that are not accepted; none is started."""
    names = name_stock.take()
    asyncio.run(provision(services.settings(names)))
    refused = {
        "CLAIMCHECK_BLOBS__CONNECTION_STRING": services.azurite.connection_string.replace(BLOB_KEY, LATER_KEY),
        "CLAIMCHECK_RECORDS__KEY": LATER_KEY,
        "PYTHONPATH": str(ROOT / "tests" / "plugin"),
    }
    folder = tmp_path_factory.mktemp("system")
    system = System(folder, {**services.variables(names), **refused}, workers=1, keepers=1)
    yield system, Stores(services, names)
    system.close()


def waiting_for(system: System) -> dict[str, set[str]]:
    """What each program's /readyz says that it waits for; nothing of one that does not listen, or is ready."""
    found = {}
    for name in PROGRAMS:
        program = system.programs[name]
        assert program.process is not None
        assert program.process.poll() is None, f"{name} has ended:\n{program.output()}"
        missing: list[str] = []
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(program.ready_url, timeout=ANSWER_S)
            missing = answer.json()["waiting_for"] if answer.status_code == 503 else []
        found[name] = {dependency.partition("-")[0] for dependency in missing}  # The keeper tells its queues apart.
    return found


def said(system: System, name: str) -> set[str]:
    """The dependencies that the program has named as refusing it."""
    lines = [line for line in system.logs(name).splitlines() if "dependency.unavailable" in line]
    return {slug for slug, text in REFUSALS.items() if any(re.search(text, line) for line in lines)}


def needs(name: str) -> set[str]:
    """What a program needs."""
    return {"storage", "records"} if name == "status-api" else set(REFUSALS)


@pytest.mark.timeout(240)
def test_programs_whose_credentials_are_refused_live_and_say_so_until_they_are_accepted(
    account: Account, system: tuple[System, Stores]
) -> None:
    programs, stores = system
    with stores.tokens_refused():
        for name in PROGRAMS:
            programs.programs[name].start()
        for name in PROGRAMS:
            until(lambda name=name: needs(name) <= said(programs, name), f"{name} says so", deadline_s=SAYS_S)  # type: ignore[misc]
        refused = {name: needs(name) for name in PROGRAMS}
        until(lambda: waiting_for(programs) == refused, "each waits for all that it needs", deadline_s=SAYS_S)
        with Client(programs.process_url, programs.status_url) as client:
            assert client.post().status_code == httpx.codes.SERVICE_UNAVAILABLE
        account.accept_for_records()
        without_records = {name: needs(name) - {"records"} for name in PROGRAMS}
        until(lambda: waiting_for(programs) == without_records, "the records are accepted", deadline_s=SAYS_S)
    account.accept_for_storage()
    for name in PROGRAMS:
        programs.wait_ready(name)
    with Client(programs.process_url, programs.status_url) as client:
        job_id = client.submit(options={"do": "read"})
        assert client.until_ended(job_id, deadline_s=SAYS_S)["status"] == "succeeded"
    assert "queue.unavailable" not in programs.logs(WORKER), "the worker has received before it was ready"
