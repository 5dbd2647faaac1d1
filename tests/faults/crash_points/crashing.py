"""Where a process is killed, and how: at a request to Blob Storage, Cosmos DB or Service Bus, found by watching.

What goes to Blob Storage and Cosmos DB passes through a proxy of the victim's own, since two programs may write one
record at a time and only one of them is watched. What goes to Service Bus is counted, and struck, by the emulator's
fault hook, by queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from aiohttp.web_request import BaseRequest

from claimcheck.commands.up.addresses import blob_connection_string, records_endpoint
from tests.stack.counting_proxy import Ambush, CountingProxy, LoopThread
from tests.stack.fault_hook import FaultHook
from tests.stack.forking import Forked
from tests.stack.services import Services

Service = Literal["blobs", "records", "queue"]
Counts = Counter[tuple[Service, str]]

DEAD_LETTERS = "/$deadletterqueue"
# What a queue is asked that changes something. Peeks and attaches are left out: processes check their health by them.
QUEUE_KINDS = ("send", "receive", "complete", "dead-letter", "renew-lock", "abandon", "defer", "release", "schedule")
NEVER = 10**9


@dataclass(frozen=True)
class CrashPoint:
    """The `nth` request of a kind that the victim makes of a service, and whether it is carried out before the kill."""

    service: Service
    kind: str
    nth: int
    after: bool

    def __str__(self) -> str:
        return f"killed {'after' if self.after else 'before'} {self.kind} {self.nth} of {self.service}"


def points_of(counts: Counts) -> list[CrashPoint]:
    """Each request that was counted, before and after."""
    return [
        CrashPoint(service, kind, nth, after)
        for (service, kind), count in sorted(counts.items())
        for nth in range(1, count + 1)
        for after in (False, True)
    ]


def blob_kind(request: BaseRequest) -> str:
    """What a request asks of Blob Storage; "" for a check of health."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(request.raw_path).query).items()}
    if query.get("restype") == "container":
        return "list" if query.get("comp") == "list" else ""
    return " ".join(filter(None, (request.method, query.get("comp"))))


def record_kind(request: BaseRequest) -> str:
    """What a request asks of Cosmos DB; "" for account and container, which are read at a start and to check health."""
    path = [step for step in urlsplit(request.raw_path).path.split("/") if step]
    if len(path) < 5:
        return ""
    if request.method != "POST":
        return f"{request.method} {path[4]}"
    for header, kind in (("batch", "x-ms-cosmos-is-batch-request"), ("query", "x-ms-documentdb-isquery")):
        if request.headers.get(kind, "").lower() == "true":
            return header
    return "query plan" if "x-ms-cosmos-is-query-plan-request" in request.headers else "create"


class Watch:
    """Watches what one program asks of the services, and kills it where it is told."""

    def __init__(self, services: Services, queue: str, loop: LoopThread) -> None:
        self._queue, self._loop = queue, loop
        self._blobs = CountingProxy(services.azurite.port, blob_kind)
        self._records = CountingProxy(services.cosmos.ports["http"], record_kind)
        self._faults = FaultHook(services.service_bus, "admin")
        self._ambush: Ambush | None = None
        for proxy in (self._blobs, self._records):
            loop.run(proxy.open())

    def close(self) -> None:
        """Close every connection."""
        for proxy in (self._blobs, self._records):
            self._loop.run(proxy.close())
        self._faults.close()

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment that leads the program through here."""
        return {
            "CLAIMCHECK_BLOBS__CONNECTION_STRING": blob_connection_string(self._blobs.port),
            "CLAIMCHECK_RECORDS__ENDPOINT": records_endpoint(self._records.port),
        }

    def begin(self, victim: Forked, point: CrashPoint | None) -> None:
        """Count from 0; with a point, kill `victim` there."""
        self.end()
        ambush = Ambush(point.kind, point.nth, point.after, victim) if point else None
        for name, proxy in (("blobs", self._blobs), ("records", self._records)):
            proxy.watch(ambush if point and point.service == name else None)
        self._ambush = ambush
        if point is None:
            for kind in self._queue_kinds():
                self._arm(kind, action="delay", nth=NEVER)
        elif point.service == "queue":
            action = "kill-after" if point.after else "kill-instead"
            self._arm(point.kind, action=action, nth=point.nth, pid=victim.pid)

    def end(self) -> None:
        """Pass everything on. A point that was not reached strikes nobody else."""
        for proxy in (self._blobs, self._records):
            proxy.watch()
        self._ambush = None
        self._faults.disarm()

    def counted(self) -> Counts:
        """What the program has asked since `begin`, if that was told no point."""
        counts: Counts = Counter({("blobs", kind): count for kind, count in self._blobs.counted().items()})
        counts.update({("records", kind): count for kind, count in self._records.counted().items()})
        armed = {(fault["match"].get("entity"), fault["kind"]): fault["seen"] for fault in self._faults.armed()}
        for kind in self._queue_kinds():
            counts["queue", kind] = armed[self._entity(kind), kind.removeprefix(DEAD_LETTERS).strip()]
        return +counts

    @property
    def struck(self) -> bool:
        """Whether the program came to the point where it was to be killed."""
        if self._ambush is not None and self._ambush.struck:
            return True
        return any(fault["seen"] >= fault["nth"] for fault in self._faults.armed())

    def _queue_kinds(self) -> list[str]:
        return [*QUEUE_KINDS, *(f"{DEAD_LETTERS} {kind}" for kind in QUEUE_KINDS)]

    def _entity(self, kind: str) -> str:
        return self._queue + (DEAD_LETTERS if kind.startswith(DEAD_LETTERS) else "")

    def _arm(self, kind: str, **fault: Any) -> None:
        kind, entity = kind.removeprefix(DEAD_LETTERS).strip(), self._entity(kind)
        self._faults.arm(kind=kind, match={"entity": entity}, **fault)
