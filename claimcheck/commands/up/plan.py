"""Which programs make up the system on one machine, in which environment, and when each counts as ready. Pure.

Reads no environment, opens no file, starts nothing: it turns settings into a list that processes.py carries out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from claimcheck.commands.up.addresses import (
    HOST,
    RECORDS_KEY,
    blob_connection_string,
    queue_connection_string,
    records_endpoint,
)
from claimcheck.commands.up.azurite import azurite_command
from claimcheck.commands.up.crew import KEEPER, Post, crew
from claimcheck.commands.up.language import (
    demonstration_arguments,
    endpoints_of,
    key_variables,
    told_others,
    told_workers,
    wants_demonstration,
)
from claimcheck.commands.up.node import Node
from claimcheck.commands.up.queues import config_file
from claimcheck.settings import LocalSettings, Settings, WebSettings
from claimcheck.tasks import QueueKind

DEMO_MODEL = "demo-model"
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
    without: Collection[str] = frozenset()
    """Variables of the launcher's own environment that it is not told, for example keys that it has no use for."""
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


def make_plan(
    root: Path,
    local: LocalSettings,
    settings: Settings,
    node: Node,
    *,
    queues: Collection[QueueKind],
    demonstration: Path | None,
) -> Plan:
    """The whole system. `root` is the repository; `settings` already carry `connections` and matching addresses.

    `queues`: those that the installed tasks use; `demonstration`: the file of the demonstration model, if it is to run.
    """
    endpoints = endpoints_of(local, settings, demonstration_runs=demonstration is not None)
    keys = key_variables(endpoints)
    shared = shared_variables(local, settings.web)
    with_keys = {**shared, **_worker_folders(local, settings), **told_workers(settings, endpoints)}
    without_keys = {**shared, **told_others(endpoints)}

    def worker(post: Post) -> Program:
        if post.role == KEEPER:
            return _worker(post, local, without_keys, without=keys)
        return _worker(post, local, with_keys)

    return Plan(
        foundations=tuple(replace(program, without=keys) for program in _foundations(root, local, node, demonstration)),
        services=(
            *(replace(program, variables=without_keys, without=keys) for program in _apis(local, settings)),
            *map(worker, crew(local, queues)),
        ),
    )


def ports_of(local: LocalSettings, settings: Settings, queues: Collection[QueueKind]) -> tuple[PortUse, ...]:
    """Every port that the plan will listen on."""
    web = settings.web
    posts = crew(local, queues)
    demonstration = (
        (PortUse(local.demo_model_port, DEMO_MODEL, "CLAIMCHECK_LOCAL__DEMO_MODEL_PORT"),)
        if wants_demonstration(local, settings, queues)
        else ()
    )
    return (
        PortUse(web.process_port, "process-api", "CLAIMCHECK_WEB__PROCESS_PORT", web.host),
        PortUse(web.status_port, "status-api", "CLAIMCHECK_WEB__STATUS_PORT", web.host),
        *(PortUse(post.port, post.name, "CLAIMCHECK_LOCAL__WORKER_PORT") for post in posts),
        PortUse(local.blob_port, "azurite", "CLAIMCHECK_LOCAL__BLOB_PORT"),
        PortUse(local.service_bus_port, "service-bus", "CLAIMCHECK_LOCAL__SERVICE_BUS_PORT"),
        PortUse(local.service_bus_admin_port, "service-bus", "CLAIMCHECK_LOCAL__SERVICE_BUS_ADMIN_PORT"),
        PortUse(local.cosmos_port, "cosmos", "CLAIMCHECK_LOCAL__COSMOS_PORT"),
        *demonstration,
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


def _foundations(root: Path, local: LocalSettings, node: Node, demonstration: Path | None) -> Iterator[Program]:
    folder = local.dir.resolve()
    blobs = azurite_command(node, root, port=local.blob_port, data=folder / "azurite")
    config = str(config_file(folder))
    broker = ["--config", config, "--port", str(local.service_bus_port), "--data", str(folder / "service-bus")]
    admin = ["--admin-port", str(local.service_bus_admin_port)]
    records = ["--port", str(local.cosmos_port), "--consistency", "Strong", "--data", str(folder / "cosmos")]
    yield Program(
        name="azurite",
        command=tuple(blobs),
        port=local.blob_port,
        hurried_stop_s=AZURITE_HURRIED_STOP_S,
    )
    yield Program(
        name="service-bus",
        command=_python("azure_local_emulators.service_bus", *broker, *admin),
        port=local.service_bus_admin_port,
        ready_path="/healthz",
    )
    yield Program(name="cosmos", command=_python("azure_local_emulators.cosmos", *records), port=local.cosmos_port)
    if demonstration is not None:
        yield Program(
            name=DEMO_MODEL,
            command=_python("services.demo_model", *demonstration_arguments(demonstration, local.demo_model_port)),
            port=local.demo_model_port,
            ready_path="/health",
        )


def _apis(local: LocalSettings, settings: Settings) -> Iterator[Program]:
    for name, port in (("process-api", settings.web.process_port), ("status-api", settings.web.status_port)):
        yield Program(
            name=name,
            command=_python("services." + name.replace("-", "_")),
            port=port,
            host=HOST if settings.web.host in _EVERYWHERE else settings.web.host,
            ready_path="/readyz",
            stop_s=local.drain_s,
        )


def _worker_folders(local: LocalSettings, settings: Settings) -> dict[str, str]:
    given = "scratch_dir" in settings.worker.model_fields_set
    scratch = settings.worker.scratch_dir if given else local.dir / "scratch"
    return {
        "CLAIMCHECK_WORKER__SCRATCH_DIR": str(scratch.resolve()),
        "CLAIMCHECK_SPEECH__MODELS_DIR": str(models_dir(local, settings)),
    }


def _worker(
    post: Post, local: LocalSettings, variables: Mapping[str, str], *, without: Collection[str] = frozenset()
) -> Program:
    return Program(
        name=post.name,
        command=_python("services.worker", "--role", post.role),
        port=post.port,
        ready_path="/readyz",
        variables={**variables, "CLAIMCHECK_WORKER__HEALTH_PORT": str(post.port)},
        without=without,
        stop_s=local.drain_s,
    )


def _python(module: str, *args: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *args)
