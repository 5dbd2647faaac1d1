"""Routes of the admin port: the service's own management (Atom) and what only an emulator has (`/_emulator/...`).

Owns status codes and bodies. No key is asked for: the port is for this machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from ..faults import Faults, InvalidFault
from . import atom
from .broker import Broker
from .certificate import Certificate
from .connection import Connection
from .errors import EntityNotFound
from .http_server import HttpRequest, HttpResponse
from .queue import Queue
from .settings import InvalidSettings, QueueSettings

_LISTED = "$Resources/queues"
_FAULT = "_emulator/faults/"


class Admin:
    """Answers every request of the admin port."""

    def __init__(self, broker: Broker, faults: Faults, connections: set[Connection], certificate: Certificate) -> None:
        self._broker, self._faults = broker, faults
        self._connections, self._certificate = connections, certificate
        self._routes: dict[tuple[str, str], Callable[[HttpRequest], HttpResponse]] = {
            ("GET", "healthz"): lambda _: _json({"status": "ok"}),
            ("GET", "_emulator/queues"): lambda _: _json({q.entity: _counted(q) for q in broker.queues()}),
            ("GET", "_emulator/counts"): lambda _: _json(dict(faults.counts)),
            ("GET", "_emulator/faults"): lambda _: _json([vars(fault) for fault in faults.armed]),
            ("POST", "_emulator/faults"): self._arm,
            ("DELETE", "_emulator/faults"): self._clear_faults,
            ("POST", "_emulator/drop-connections"): self._drop_connections,
            ("POST", "_emulator/age"): self._age,
            ("GET", "_emulator/certificate"): lambda _: HttpResponse(200, certificate.pem(), "application/x-pem-file"),
            ("GET", _LISTED): self._list,
        }

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        route = self._routes.get((request.method, request.path))
        if route:
            return route(request)
        if request.method == "DELETE" and request.path.startswith(_FAULT):
            return self._disarm(request.path.removeprefix(_FAULT))
        if request.path.startswith("_emulator/") or request.path in ("", "healthz"):
            return _json({"error": f"no route {request.method} /{request.path}"}, 404)
        entity_routes = {"GET": self._get, "PUT": self._create, "DELETE": self._delete}
        if request.method not in entity_routes:
            return _atom(atom.failure(405, f"{request.method} is not supported"), 405)
        return entity_routes[request.method](request)

    def _arm(self, request: HttpRequest) -> HttpResponse:
        try:
            body = json.loads(request.body)
            if not isinstance(body, dict):
                raise InvalidFault("a JSON object is expected")
            fault = self._faults.arm(body)
        except (InvalidFault, ValueError) as refused:
            return _json({"error": str(refused)}, 400)
        return _json(vars(fault), 201)

    def _clear_faults(self, request: HttpRequest) -> HttpResponse:
        self._faults.clear()
        return _json([])

    def _disarm(self, fault_id: str) -> HttpResponse:
        if not self._faults.disarm(fault_id):
            return _json({"error": f"there is no fault {fault_id!r}"}, 404)
        return _json([vars(fault) for fault in self._faults.armed])

    def _drop_connections(self, request: HttpRequest) -> HttpResponse:
        dropped = list(self._connections)
        for connection in dropped:
            connection.drop()
        return _json({"dropped": len(dropped)})

    def _age(self, request: HttpRequest) -> HttpResponse:
        """`{"entity": name, "seconds": number}`: as if so much time had passed for this queue."""
        try:
            body = json.loads(request.body)
            name, seconds = str(body["entity"]), float(body["seconds"])
        except (ValueError, TypeError, KeyError):
            return _json({"error": "an object with entity and seconds is expected"}, 400)
        if not 0 <= seconds < math.inf:
            return _json({"error": f"seconds is {seconds:g}; a number from 0 on is expected"}, 400)
        if self._queue(name) is None:
            return _json({"error": f"there is no queue {name!r}"}, 404)
        self._broker.age(name, seconds)
        return _json({"aged_s": seconds})

    def _list(self, request: HttpRequest) -> HttpResponse:
        query = parse_qs(request.query)
        skip, top = (int(query.get(name, [default])[0]) for name, default in (("$skip", "0"), ("$top", "100")))
        return _atom(atom.feed(atom.queue_entry(queue) for queue in self._broker.queues()[skip : skip + top]))

    def _get(self, request: HttpRequest) -> HttpResponse:
        queue = self._queue(request.path)
        return _atom(atom.queue_entry(queue) if queue else atom.feed([]))

    def _create(self, request: HttpRequest) -> HttpResponse:
        if self._queue(request.path):
            return _atom(atom.failure(409, f"queue {request.path} exists; this emulator does not change queues"), 409)
        try:
            settings = QueueSettings.from_properties(request.path, atom.queue_properties(request.body))
        except InvalidSettings as refused:
            return _atom(atom.failure(400, str(refused)), 400)
        queue = self._broker.create(settings)
        self._broker.commit()
        return _atom(atom.queue_entry(queue), 201)

    def _delete(self, request: HttpRequest) -> HttpResponse:
        queue = self._queue(request.path)
        if queue is None:
            return _atom(atom.failure(404, f"queue {request.path} does not exist"), 404)
        self._broker.delete(queue.entity)
        self._broker.commit()
        return _atom("")

    def _queue(self, name: str) -> Queue | None:
        try:
            queue = self._broker.find(name)
        except EntityNotFound:
            return None
        return queue if queue.dead_letters else None


def _counted(queue: Queue) -> dict[str, Any]:
    assert queue.dead_letters is not None
    dead_lettered = len(queue.dead_letters.messages)
    return {**queue.counts(), "dead_lettered": dead_lettered, "totals": dict(queue.totals)}


def _json(body: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status, json.dumps(body).encode() + b"\n")


def _atom(body: str, status: int = 200) -> HttpResponse:
    return HttpResponse(status, body.encode(), atom.CONTENT_TYPE)
