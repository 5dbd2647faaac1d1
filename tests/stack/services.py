"""Azurite and both emulators together, and the settings that lead to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure_local_emulators.process import EmulatorProcess
from claimcheck.commands.up.addresses import RECORDS_KEY, queue_connection_string, records_endpoint
from claimcheck.settings import Settings
from tests.stack.azurite import AzuriteProcess
from tests.stack.names import LOCK_S, Names, broker_config
from tests.stack.ports import free_port


def broker_process(folder: Path) -> EmulatorProcess:
    """A Service Bus emulator with the queues of the stock; its ports are known once it runs and kept over restarts."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "Config.json"
    config.write_text(json.dumps(broker_config()))
    ports = ["--port", str(free_port()), "--admin-port", str(free_port())]
    args = ["--config", str(config), *ports, "--data", str(folder / "data")]
    return EmulatorProcess("azure_local_emulators.service_bus", args)


def cosmos_process(folder: Path) -> EmulatorProcess:
    """A Strong Cosmos DB emulator; its port is known once it runs and kept over restarts."""
    args = ["--port", str(free_port()), "--consistency", "Strong", "--data", str(folder / "data")]
    return EmulatorProcess("azure_local_emulators.cosmos", args)


@dataclass(frozen=True)
class Services:
    """The three services that Claimcheck needs, running."""

    azurite: AzuriteProcess
    service_bus: EmulatorProcess
    cosmos: EmulatorProcess

    def variables(self, names: Names) -> dict[str, str]:
        """The environment that leads a program to these services and to nothing but `names` in them."""
        queues = {f"CLAIMCHECK_QUEUE__{kind.upper()}": name for kind, name in names.queues.items()}
        return {
            "CLAIMCHECK_BLOBS__CONNECTION_STRING": self.azurite.connection_string,
            "CLAIMCHECK_BLOBS__CONTAINER": names.container,
            "CLAIMCHECK_QUEUE__CONNECTION_STRING": queue_connection_string(self.service_bus.ports["amqp"]),
            "CLAIMCHECK_QUEUE__LEASE_S": str(LOCK_S),
            "CLAIMCHECK_QUEUE__RENEW_S": str(LOCK_S / 3),
            **queues,
            "CLAIMCHECK_RECORDS__ENDPOINT": records_endpoint(self.cosmos.ports["http"]),
            "CLAIMCHECK_RECORDS__KEY": RECORDS_KEY,
            "CLAIMCHECK_RECORDS__DATABASE": names.container,
        }

    def settings(self, names: Names, **overrides: dict[str, Any]) -> Settings:
        """The same as a Settings object, for components that run inside the test.

        `overrides` is one mapping per group, for example `job={"backoff_first_s": 0.1}`.
        """
        return settings_of(self.variables(names), **overrides)


def settings_of(variables: dict[str, str], **overrides: dict[str, Any]) -> Settings:
    """Settings made of CLAIMCHECK_<GROUP>__<FIELD> `variables` and, above them, `overrides` by group."""
    groups: dict[str, dict[str, Any]] = {}
    for name, value in variables.items():
        group, _, field = name.removeprefix("CLAIMCHECK_").lower().partition("__")
        groups.setdefault(group, {})[field] = value
    for group, fields in overrides.items():
        groups.setdefault(group, {}).update(fields)
    return Settings(**groups)  # type: ignore[arg-type]  # pydantic turns each mapping into its group
