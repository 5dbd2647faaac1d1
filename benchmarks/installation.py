"""Everything that is measured, as real processes: Azurite, both emulators, and the product on top; nothing stays."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from claimcheck.commands.up.provision import provision
from claimcheck.settings import Settings
from tests.stack.azurite import AzuriteProcess
from tests.stack.names import Names, NameStock
from tests.stack.services import Services, broker_process, cosmos_process
from tests.stack.system import System

PLUGIN = Path(__file__).parent / "plugin"

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the loop that the product runs on, so that bare figures have the same advantage."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


@dataclass(frozen=True)
class Installation:
    """The services, running, and folders for what runs on them."""

    services: Services
    names: NameStock
    folder: Path

    def place(self) -> Names:
        """Containers and queues that nothing has used yet; they exist."""
        names = self.names.take()
        run(provision(self.settings(names)))
        return names

    def settings(self, names: Names) -> Settings:
        """Settings of a component that runs here, in this process."""
        return self.services.settings(names)

    @contextlib.contextmanager
    def system(
        self, names: Names, *, workers: int = 0, language_workers: int = 0, env: Mapping[str, str] | None = None
    ) -> Iterator[System]:
        """The product with the task `noop`; nothing is started yet, and nothing runs afterwards."""
        variables = {**self.services.variables(names), "PYTHONPATH": str(PLUGIN), **(env or {})}
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        system = System(folder, variables, workers=workers, language_workers=language_workers)
        try:
            yield system
        finally:
            system.close()

    def pids(self, system: System | None = None) -> dict[str, int]:
        """Every process that works for the product."""
        services = self.services
        own = {"azurite": services.azurite.pid, "broker": services.service_bus.pid, "cosmos": services.cosmos.pid}
        running = {name: program.process for name, program in system.programs.items()} if system else {}
        return own | {name: process.pid for name, process in running.items() if process is not None}


@contextlib.contextmanager
def installation() -> Iterator[Installation]:
    """Start the services on free ports with their data in a temporary folder; end them whatever happens."""
    with tempfile.TemporaryDirectory(prefix="claimcheck-bench-") as name, contextlib.ExitStack() as ending:
        folder = Path(name)
        services = Services(
            AzuriteProcess(folder / "azurite"), broker_process(folder / "bus"), cosmos_process(folder / "cosmos")
        )
        for process in (services.azurite, services.service_bus, services.cosmos):
            process.start()
            ending.callback(process.stop)
        yield Installation(services, NameStock(), folder)
