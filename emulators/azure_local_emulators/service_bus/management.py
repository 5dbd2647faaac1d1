"""Requests and replies over a pair of links: `$cbs` takes tokens, `queue/$management` does what links cannot.

Owns the request format and the operations of the service's AMQP request/response protocol that a queue without sessions
has. Unknown operations are refused, never ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from .amqp_types import LONG_CODE, TIMESTAMP_CODE, Array, Described, Int, Symbol, Timestamp, ULong
from .encoding import encode
from .errors import BadArgument, EntityNotFound, Malformed, MessageTooLarge, NotSupported, Refused
from .limits import MAX_MESSAGE_BYTES
from .link import IncomingLink, OutgoingLink
from .message import APPLICATION_PROPERTIES, PROPERTIES, VALUE, Message, section_value, sections
from .queue import Queue
from .session import Session

CBS = "$cbs"
_RECEIVE_AND_DELETE = 0
"""receiver-settle-mode of a deferred receive that wants no lock."""


@dataclass(frozen=True)
class Request:
    """One request: its operation, the fields of its body, and where the reply goes."""

    operation: str
    body: dict[Any, Any]
    message_id: Any
    reply_to: Any

    @classmethod
    def parse(cls, payload: bytes) -> Request:
        """Read a request. Raises Malformed."""
        found = {descriptor: start for descriptor, start, _ in sections(payload)}
        properties = section_value(payload, found[PROPERTIES], list) if PROPERTIES in found else []
        application = (
            section_value(payload, found[APPLICATION_PROPERTIES], dict) if APPLICATION_PROPERTIES in found else {}
        )
        body = section_value(payload, found[VALUE], object) if VALUE in found else None
        message_id, _, _, _, reply_to = (properties + [None] * 5)[:5]
        operation = str(application.get("operation", "")).rpartition(":")[2]
        return cls(operation, body if isinstance(body, dict) else {}, message_id, reply_to)

    def values(self, field: str, kind: type) -> list[Any]:
        """A field that is an array (or a list) of one type. Raises Malformed."""
        value = self.body.get(field)
        items = list(value.items) if isinstance(value, Array) else value
        if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
            raise Malformed(f"{field} of {self.operation} is no array of {kind.__name__}")
        return items

    def number(self, field: str) -> int:
        """A field that is a number. Raises Malformed."""
        value = self.body.get(field)
        if not isinstance(value, int):
            raise Malformed(f"{field} of {self.operation} is no number")
        return int(value)


class ReplyLink(OutgoingLink):
    """The client's end for replies. Credit is not looked at: the SDK grants 10,000 once and never again."""

    def __init__(self, session: Session, handle: int, node: str, address: str) -> None:
        super().__init__(session, handle)
        self.node, self.address = node, address

    def reply(self, request: Request, application: dict[str, Any], body: Any) -> None:
        """Send a reply, settled."""
        payload = b"".join(
            encode(Described(ULong(descriptor), value))
            for descriptor, value in (
                (PROPERTIES, [None, None, None, None, None, request.message_id]),
                (APPLICATION_PROPERTIES, application),
                (VALUE, body),
            )
        )
        self.deliver(payload, uuid4().bytes, token=None)


class RequestLink(IncomingLink):
    """The client's end for requests: to `$cbs` without a queue, to `queue/$management` with one."""

    def __init__(self, session: Session, handle: int, delivery_count: int, node: str, queue: Queue | None) -> None:
        super().__init__(session, handle, delivery_count)
        self._node, self._queue = node, queue

    def on_message(self, delivery_id: int, message_format: int, payload: bytes, *, settled: bool) -> None:
        """Accept the request, carry it out, send the reply."""
        try:
            request = Request.parse(payload)
        except Refused as refused:
            self.reject(delivery_id, refused, settled=settled)
            return
        self.accept(delivery_id, settled=settled)
        if self._queue is None:
            self._take_token(request)
        else:
            self._manage(request, self._queue)

    def _take_token(self, request: Request) -> None:
        """Any token will do, unless a fault refuses it as the service refuses a wrong key or a missing role."""

        def answer(_: None) -> None:
            self._reply(request, {"status-code": Int(202), "status-description": "Accepted"}, None)

        def refuse(refused: Refused) -> None:
            self._reply(request, {"status-code": Int(401), "status-description": str(refused)}, None)

        self.session.connection.perform("put-token", CBS, lambda: None, answer, refuse)

    def _manage(self, request: Request, queue: Queue) -> None:
        def answer(body: dict[str, Any] | None) -> None:
            nothing = request.operation == "peek-message" and body is None
            status = {"statusCode": Int(204 if nothing else 200), "statusDescription": "OK"}
            self._reply(request, status, body)

        def refuse(refused: Refused) -> None:
            condition = Symbol(refused.condition)
            status = {"statusCode": Int(refused.status), "statusDescription": str(refused), "errorCondition": condition}
            self._reply(request, status, None)

        try:
            kind, carry_out = _operation(request, queue)
        except Refused as refused:
            refuse(refused)
            return
        labels = {"count": str(request.body.get("message-count"))} if kind == "peek" else {}
        self.session.connection.perform(kind, queue.entity, carry_out, answer, refuse, **labels)

    def _reply(self, request: Request, application: dict[str, Any], body: Any) -> None:
        links = [
            link for link in self.session.links.values() if isinstance(link, ReplyLink) and link.node == self._node
        ]
        for link in links:
            if link.address == request.reply_to or len(links) == 1:
                link.reply(request, application, body)
                return


_Body = dict[str, Any] | None


def _operation(request: Request, queue: Queue) -> tuple[str, Callable[[], _Body]]:
    """The kind of a request, as faults name it, and how to carry it out. Raises Refused."""
    if request.operation == "update-disposition":
        return _settlement(request, queue)
    try:
        kind, run = _OPERATIONS[request.operation]
    except KeyError:
        raise NotSupported(f"operation {request.operation!r} is not supported by this emulator") from None
    return kind, lambda: run(request, queue)


def _schedule(request: Request, queue: Queue) -> _Body:
    encoded = [entry.get("message") for entry in request.values("messages", dict)]
    if queue.dead_letters is None:
        raise EntityNotFound("messages cannot be scheduled into a dead-letter queue")
    if not all(isinstance(message, bytes) for message in encoded):
        raise Malformed("a message to be scheduled is no binary")
    if any(len(message) > MAX_MESSAGE_BYTES for message in encoded):
        raise MessageTooLarge(f"a message to be scheduled exceeds the limit ({MAX_MESSAGE_BYTES} bytes)")
    messages = [Message.parse(message) for message in encoded]
    return {"sequence-numbers": Array(LONG_CODE, tuple(queue.send(message) for message in messages))}


def _cancel_scheduled(request: Request, queue: Queue) -> _Body:
    queue.cancel_scheduled(request.values("sequence-numbers", int))
    return None


def _peek(request: Request, queue: Queue) -> _Body:
    count = request.number("message-count")
    if count < 1:
        raise BadArgument(f"message-count is {count}; at least 1 is expected")
    messages = queue.peek(request.number("from-sequence-number"), count)
    return {"messages": [{"message": message.encoded(browsed=True)} for message in messages]} if messages else None


def _receive_deferred(request: Request, queue: Queue) -> _Body:
    lock = request.number("receiver-settle-mode") != _RECEIVE_AND_DELETE
    messages = queue.receive_deferred(request.values("sequence-numbers", int), lock=lock)
    tokens = [{"lock-token": message.token} if message.token else {} for message in messages]
    return {"messages": [{"message": m.encoded(), **token} for m, token in zip(messages, tokens, strict=True)]}


def _renew_lock(request: Request, queue: Queue) -> _Body:
    ends_s = [queue.renew(token) for token in request.values("lock-tokens", UUID)]
    return {"expirations": Array(TIMESTAMP_CODE, tuple(Timestamp(end_s * 1000) for end_s in ends_s))}


_OPERATIONS: dict[str, tuple[str, Callable[[Request, Queue], _Body]]] = {
    "schedule-message": ("schedule", _schedule),
    "cancel-scheduled-message": ("cancel-scheduled", _cancel_scheduled),
    "peek-message": ("peek", _peek),
    "receive-by-sequence-number": ("receive-deferred", _receive_deferred),
    "renew-lock": ("renew-lock", _renew_lock),
}


def _settlement(request: Request, queue: Queue) -> tuple[str, Callable[[], _Body]]:
    reason, description = request.body.get("deadletter-reason"), request.body.get("deadletter-description")
    settlements: dict[Any, tuple[str, Callable[[UUID], None]]] = {
        "completed": ("complete", queue.complete),
        "abandoned": ("abandon", queue.abandon),
        "defered": ("defer", queue.defer),  # the service's spelling
        "suspended": ("dead-letter", lambda token: queue.dead_letter(token, reason, description)),
    }
    status = request.body.get("disposition-status")
    if status not in settlements:
        raise BadArgument(f"disposition-status is {status!r}; one of {', '.join(settlements)} is expected")
    kind, settle = settlements[status]
    tokens = request.values("lock-tokens", UUID)

    def carry_out() -> None:
        for token in tokens:
            settle(token)

    return kind, carry_out
