"""Which programs make up the system on one machine, in which environment, and when each counts as ready. Pure.

Reads no environment, opens no file, starts nothing: it turns settings into a list that processes.py carries out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from claimcheck.commands.up.addresses import (
    HOST,
    RECORDS_KEY,
    blob_connection_string,
    queue_connection_string,
    records_endpoint,
)
from claimcheck.commands.up.azurite import azurite_command
from claimcheck.commands.up.node import Node
from claimcheck.commands.up.queues import config_file
from claimcheck.settings import LocalSettings, Settings, WebSettings

_EVERYWHERE = ("0.0.0.0", "::", "localhost")
FOUNDATION_STOP_S = 10.0  # Azurite writes its metadata when it ends; with thousands of blobs that takes seconds
AZURITE_HURRIED_STOP_S = 3.0  # without that write, the blobs of its last 5 s are lost


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process to start."""

    name: str
    """What its lines are prefixed with."""
    command: tuple[str, ...]
    port: int
    """It listens here once it has started."""
    host: str = HOST
    """Where the launcher reaches it."""
    ready_path: str = ""
    """It is ready once this path answers 200; empty: once the port takes connections."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Added to the launcher's own environment."""
    stop_s: float = FOUNDATION_STOP_S
    """Seconds from SIGTERM to SIGKILL."""
    hurried_stop_s: float = 0.0
    """The same when somebody is in a hurry."""


@dataclass(frozen=True)
class PortUse:
    """A port that must be free."""

    port: int
    user: str
    """Who wants it."""
    variable: str
    """Which setting changes it."""
    host: str = HOST


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything `claimcheck up` starts: the foundations, and, once they are ready and provisioned, the services."""

    foundations: tuple[Program, ...]
    services: tuple[Program, ...]


def connections(local: LocalSettings) -> dict[str, dict[str, str]]:
    """The settings, by group, that lead to the local Azure services."""
    return {
        "blobs": {"connection_string": blob_connection_string(local.blob_port)},
        "queue": {"connection_string": queue_connection_string(local.service_bus_port)},
        "records": {"endpoint": records_endpoint(local.cosmos_port), "key": RECORDS_KEY},
    }


def with_matching_addresses(web: WebSettings) -> WebSettings:
    """`web` with addresses and origins that follow the ports, except where somebody has set them."""
    given = web.model_fields_set
    local_url = f"http://localhost:{web.process_port}"
    process_url = web.process_url if "process_url" in given else local_url
    status_url = web.status_url if "status_url" in given else f"http://localhost:{web.status_port}"
    pages = (process_url.rstrip("/"), local_url, f"http://{HOST}:{web.process_port}")
    origins = web.origins if "origins" in given else tuple(dict.fromkeys(pages))
    return web.model_copy(update={"process_url": process_url, "status_url": status_url, "origins": origins})


def make_plan(root: Path, local: LocalSettings, settings: Settings, node: Node) -> Plan:
    """The whole system. `root` is the repository; `settings` already carry `connections` and matching addresses."""
    folder = local.dir.resolve()
    return Plan(
        foundations=_foundations(root, local, node),
        services=(*_apis(local, settings), *_workers(local, settings, folder), _keeper(local, settings)),
    )


def ports_of(local: LocalSettings, web: WebSettings) -> tuple[PortUse, ...]:
    """Every port that the plan will listen on."""
    workers = tuple(
        PortUse(local.worker_port + number, f"speech-{number + 1}", "CLAIMCHECK_LOCAL__WORKER_PORT")
        for number in range(local.speech_workers)
    )
    keeper = PortUse(_keeper_port(local), "keeper", "CLAIMCHECK_LOCAL__WORKER_PORT")
    return (
        PortUse(web.process_port, "process-api", "CLAIMCHECK_WEB__PROCESS_PORT", web.host),
        PortUse(web.status_port, "status-api", "CLAIMCHECK_WEB__STATUS_PORT", web.host),
        *workers,
        keeper,
        PortUse(local.blob_port, "azurite", "CLAIMCHECK_LOCAL__BLOB_PORT"),
        PortUse(local.service_bus_port, "service-bus", "CLAIMCHECK_LOCAL__SERVICE_BUS_PORT"),
        PortUse(local.service_bus_admin_port, "service-bus", "CLAIMCHECK_LOCAL__SERVICE_BUS_ADMIN_PORT"),
        PortUse(local.cosmos_port, "cosmos", "CLAIMCHECK_LOCAL__COSMOS_PORT"),
    )


def shared_variables(local: LocalSettings, web: WebSettings) -> dict[str, str]:
    """What every program of ours is told besides its own."""
    groups: dict[str, dict[str, str]] = {
        **connections(local),
        "web": {"process_url": web.process_url, "status_url": web.status_url, "origins": json.dumps(web.origins)},
    }
    named = {f"CLAIMCHECK_{g}__{f}".upper(): value for g, fields in groups.items() for f, value in fields.items()}
    # Lines appear when they are written, not when a buffer is full.
    return {"PYTHONUNBUFFERED": "1", **named}


def models_dir(local: LocalSettings, settings: Settings) -> Path:
    """Where the Whisper models are: beside the other data, except where somebody has said otherwise."""
    given = "models_dir" in settings.speech.model_fields_set
    return (settings.speech.models_dir if given else local.dir / "models").resolve()


def _foundations(root: Path, local: LocalSettings, node: Node) -> tuple[Program, ...]:
    folder = local.dir.resolve()
    blobs = azurite_command(node, root, port=local.blob_port, data=folder / "azurite")
    config = str(config_file(folder))
    broker = ["--config", config, "--port", str(local.service_bus_port), "--data", str(folder / "service-bus")]
    admin = ["--admin-port", str(local.service_bus_admin_port)]
    records = ["--port", str(local.cosmos_port), "--consistency", "Strong", "--data", str(folder / "cosmos")]
    return (
        Program(
            name="azurite",
            command=tuple(blobs),
            port=local.blob_port,
            hurried_stop_s=AZURITE_HURRIED_STOP_S,
        ),
        Program(
            name="service-bus",
            command=_python("azure_local_emulators.service_bus", *broker, *admin),
            port=local.service_bus_admin_port,
            ready_path="/healthz",
        ),
        Program(name="cosmos", command=_python("azure_local_emulators.cosmos", *records), port=local.cosmos_port),
    )


def _apis(local: LocalSettings, settings: Settings) -> tuple[Program, ...]:
    variables = shared_variables(local, settings.web)
    ports = {"process-api": settings.web.process_port, "status-api": settings.web.status_port}
    return tuple(
        Program(
            name=name,
            command=_python("services." + name.replace("-", "_")),
            port=port,
            host=HOST if settings.web.host in _EVERYWHERE else settings.web.host,
            ready_path="/readyz",
            variables=variables,
            stop_s=local.drain_s,
        )
        for name, port in ports.items()
    )


def _workers(local: LocalSettings, settings: Settings, folder: Path) -> tuple[Program, ...]:
    given = "scratch_dir" in settings.worker.model_fields_set
    scratch = settings.worker.scratch_dir.resolve() if given else folder / "scratch"
    return tuple(_worker(number, local, settings, scratch) for number in range(1, local.speech_workers + 1))


def _worker(number: int, local: LocalSettings, settings: Settings, scratch: Path) -> Program:
    name, port = f"speech-{number}", local.worker_port + number - 1
    own = {
        "CLAIMCHECK_WORKER__HEALTH_PORT": str(port),
        "CLAIMCHECK_WORKER__SCRATCH_DIR": str(scratch),
        "CLAIMCHECK_SPEECH__MODELS_DIR": str(models_dir(local, settings)),
    }
    return Program(
        name=name,
        command=_python("services.worker", "--role", "speech"),
        port=port,
        ready_path="/readyz",
        variables={**shared_variables(local, settings.web), **own},
        stop_s=local.drain_s,
    )


def _keeper(local: LocalSettings, settings: Settings) -> Program:
    port = _keeper_port(local)
    own = {"CLAIMCHECK_WORKER__HEALTH_PORT": str(port)}
    return Program(
        name="keeper",
        command=_python("services.worker", "--role", "keeper"),
        port=port,
        ready_path="/readyz",
        variables={**shared_variables(local, settings.web), **own},
        stop_s=local.drain_s,
    )


def _keeper_port(local: LocalSettings) -> int:
    return local.worker_port + local.speech_workers


def _python(module: str, *args: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *args)
