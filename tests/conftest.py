"""Fixtures that start the real services once a session, and the system when a test asks for it.

`services` are the three processes; `names` are a test's own queues, containers and database in them; `settings` leads
there; `system` is the running product. `run_system` gives further ones, for example one for a whole module.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as how_to_search

from azure_local_emulators.process import EmulatorProcess
from claimcheck.commands.up.provision import provision
from claimcheck.settings import Settings
from tests.stack.azurite import AzuriteProcess
from tests.stack.components import MODELS, ROOT
from tests.stack.endpoints import module_endpoint, run_endpoint, scripted_endpoint
from tests.stack.names import Names, NameStock
from tests.stack.services import Services, broker_process, cosmos_process
from tests.stack.system import System
from tests.stack.tally import pytest_sessionfinish, pytest_terminal_summary, pytest_testnodedown

__all__ = [
    "module_endpoint",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "run_endpoint",
    "scripted_endpoint",
]

RunSystem = Callable[..., AbstractContextManager[System]]

# Whoever runs the tests may have an endpoint. Tests would find another system than the one that they are about, and one
# that is forgotten would ask a service that is paid for. Here, before anything reads them; children inherit the rest.
ENDPOINTS = ("OPENAI_", "AZURE_OPENAI_", "CLAIMCHECK_LANGUAGE")
for _name in [name for name in os.environ if name.upper().startswith(ENDPOINTS)]:
    del os.environ[_name]


# A property holds or does not, however long the machine takes to try it.
how_to_search.register_profile("untimed", how_to_search(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
how_to_search.load_profile("untimed")


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzuriteProcess]:
    """Azurite; whoever pauses or stops it brings it back."""
    process = AzuriteProcess(tmp_path_factory.mktemp("azurite"))
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def service_bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """The Service Bus emulator, with locks of 5 s; whoever kills it starts it again."""
    process = broker_process(tmp_path_factory.mktemp("service-bus"))
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def cosmos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """The Cosmos DB emulator, Strong; whoever kills it starts it again."""
    process = cosmos_process(tmp_path_factory.mktemp("cosmos"))
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def services(azurite: AzuriteProcess, service_bus: EmulatorProcess, cosmos: EmulatorProcess) -> Services:
    """The three together."""
    return Services(azurite, service_bus, cosmos)


@pytest.fixture(scope="session")
def name_stock() -> NameStock:
    """Where unused names come from."""
    return NameStock()


@pytest.fixture
def names(name_stock: NameStock) -> Names:
    """Queues, containers and a database that only this test uses."""
    return name_stock.take()


@pytest.fixture
def settings(services: Services, names: Names) -> Settings:
    """Settings of a component inside the test; its containers exist."""
    made = services.settings(names)
    _provision(made)
    return made


@pytest.fixture(scope="session")
def run_system(services: Services, name_stock: NameStock, tmp_path_factory: pytest.TempPathFactory) -> RunSystem:
    """Run the product: `with run_system(workers=2, env={...}) as system:`; it is ready inside, and gone after."""

    @contextmanager
    def run(
        *,
        workers: int = 1,
        language_workers: int = 0,
        media_workers: int = 0,
        keepers: int = 0,
        env: Mapping[str, str] | None = None,
        keeper_env: Mapping[str, str] | None = None,
        names: Names | None = None,
    ) -> Iterator[System]:
        names = names or name_stock.take()
        _provision(services.settings(names))
        own = {
            "CLAIMCHECK_SPEECH__MODELS_DIR": str(MODELS),
            "CLAIMCHECK_SPEECH__MODEL": "tiny.en",
            "PYTHONPATH": str(ROOT / "tests" / "plugin"),
        }
        variables = {**services.variables(names), **own, **(env or {})}
        folder = tmp_path_factory.mktemp("system")
        system = System(
            folder,
            variables,
            workers=workers,
            language_workers=language_workers,
            media_workers=media_workers,
            keepers=keepers,
            keeper_variables=keeper_env,
        )
        try:
            system.start()
            yield system
        finally:
            system.close()

    return run


@pytest.fixture
def system(run_system: RunSystem, names: Names) -> Iterator[System]:
    """Both APIs and one speech worker, for one test; its `names` are theirs."""
    with run_system(names=names) as running:
        yield running


def _provision(settings: Settings) -> None:
    """Make the containers, in a thread: the caller may be inside a test's event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(provision(settings))).result()
