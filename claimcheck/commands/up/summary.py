"""What `claimcheck up` says when everything is ready. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from claimcheck.commands.up.addresses import HOST
from claimcheck.settings import Endpoint, LocalSettings, WebSettings

_SET_ONE = "OPENAI_API_KEY or AZURE_OPENAI_ENDPOINT"


def ready_lines(local: LocalSettings, web: WebSettings, language: Mapping[str, str]) -> list[str]:
    """A frame with the addresses, and the one line that scripts wait for. `language`: see `language_rows`."""
    page = page_address(web)
    rows = {
        "Page": page,
        "Process API": f"{web.process_url}  (documentation: {web.process_url}/docs)",
        "Status API": f"{web.status_url}  (documentation: {web.status_url}/docs)",
        **language,
        "Azurite": f"http://127.0.0.1:{local.blob_port}",
        "Service Bus": f"127.0.0.1:{local.service_bus_port}  (queues: "
        f"http://127.0.0.1:{local.service_bus_admin_port}/_emulator/queues)",
        "Cosmos DB": f"http://127.0.0.1:{local.cosmos_port}",
        "Data": _short(local.dir),
        "Logs": _short(local.dir / "logs"),
        "Stop": "Ctrl-C here, or `make stop` elsewhere",
    }
    return [*_framed("Claimcheck is running", rows), f"claimcheck ready: {page}"]


def page_address(web: WebSettings) -> str:
    """Where a person begins."""
    return web.process_url.rstrip("/") + "/"


def language_rows(endpoints: Sequence[Endpoint], ports: Sequence[int]) -> dict[str, str]:
    """Which language model answers, and where its workers, on these ports, say how endpoints stand."""
    if not ports:
        return {"Language": "no worker (CLAIMCHECK_LOCAL__LANGUAGE_WORKERS is 0)"}
    pages = ", ".join(f"http://{HOST}:{port}/endpoints" for port in ports)
    return {"Language": _models(endpoints), "Endpoints": pages}


def _models(endpoints: Sequence[Endpoint]) -> str:
    """The models that answer, or what to set for one."""
    if not endpoints:
        return f"no model; set {_SET_ONE}"
    if all(endpoint.demonstration for endpoint in endpoints):
        return f"a demonstration model; set {_SET_ONE} for a real one"
    return ", ".join(f"{endpoint.model} ({endpoint.name})" for endpoint in endpoints)


def _framed(title: str, rows: dict[str, str]) -> list[str]:
    name_width = max(map(len, rows))
    body = [title, "", *(f"{name:<{name_width}}  {value}" for name, value in rows.items())]
    width = max(map(len, body))
    edge = f"+-{'-' * width}-+"
    return [edge, *(f"| {line:<{width}} |" for line in body), edge]


def _short(path: Path) -> str:
    return str(path.resolve())
