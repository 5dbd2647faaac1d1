"""Fixtures for tests against the emulators: each one real process a session, on free ports, in memory.

Queues are made over the admin port (`ServiceBusAdministrationClient`, or `PUT`), databases and containers by the SDK.
A test that kills an emulator, or wants a journal, makes an `EmulatorProcess` of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .process import EmulatorProcess


@pytest.fixture(scope="session")
def service_bus_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    """Azure Service Bus without a queue; its ports are `amqp` and `admin`."""
    config = tmp_path_factory.mktemp("service-bus-emulator") / "Config.json"
    namespaces = [{"Name": "sbemulatorns", "Queues": [], "Topics": []}]
    config.write_text(json.dumps({"UserConfig": {"Namespaces": namespaces}}))
    args = ["--config", str(config), "--port", "0", "--admin-port", "0"]
    yield from _running(EmulatorProcess("azure_local_emulators.service_bus", args))


@pytest.fixture(scope="session")
def cosmos_emulator() -> Iterator[EmulatorProcess]:
    """Azure Cosmos DB, Strong, without a database; its port is `http`."""
    args = ["--port", "0", "--consistency", "Strong"]
    yield from _running(EmulatorProcess("azure_local_emulators.cosmos", args))


def _running(process: EmulatorProcess) -> Iterator[EmulatorProcess]:
    process.start()
    yield process
    process.stop()
