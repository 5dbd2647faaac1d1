"""Open a link, or refuse it in the service's way: attach without source and target, then detach with the reason.

Owns addresses (`queue`, `queue/$DeadLetterQueue`, `queue/$management`, `$cbs`) and which attachments exist at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .amqp_types import Described, UInt, ULong
from .errors import NotAllowed, NotSupported, ProtocolError, Refused
from .frames import ATTACH, COORDINATOR, DETACH, Frame, error, performative
from .limits import MAX_MESSAGE_BYTES
from .link import Link
from .management import CBS, ReplyLink, RequestLink
from .queue_links import ReceiverLink, SenderLink
from .session import Session

_MANAGEMENT_SUFFIX = "/$management"
_SETTLED = 1
"""snd-settle-mode of a receiver that wants its messages settled: receive-and-delete."""


@dataclass(frozen=True)
class Attachment:
    """What a client asks for."""

    name: str
    handle: int
    client_receives: bool
    address: str
    """Where it sends to or receives from, without scheme, host and slashes around it."""
    reply_address: str
    """For a receiver of replies: the name that requests give as their reply-to."""
    session_filter: bool
    transactional: bool
    settled: bool
    delivery_count: int

    @classmethod
    def from_frame(cls, frame: Frame) -> Attachment:
        """Read an attach. Raises ProtocolError."""
        source, target = _terminus(frame.field(5)), _terminus(frame.field(6))
        client_receives = frame.field(2) is True
        filters = source[7] if len(source) > 7 and isinstance(source[7], dict) else {}
        if not isinstance(frame.field(0), str):
            raise ProtocolError("amqp:decode-error", "an attach without a name")
        return cls(
            name=frame.field(0),
            handle=frame.number(1),
            client_receives=client_receives,
            address=_path(source if client_receives else target),
            reply_address=_raw_address(target),
            session_filter="com.microsoft:session-filter" in filters,
            transactional=getattr(frame.field(6), "descriptor", None) == COORDINATOR,
            settled=frame.optional_number(3) == _SETTLED,
            delivery_count=frame.optional_number(9) or 0,
        )


def attach(session: Session, frame: Frame) -> None:
    """Answer an attach."""
    wanted = Attachment.from_frame(frame)

    def answer(link: Link) -> None:
        if session.connection.is_lost:
            return  # Hung up while a fault held the answer back.
        session.links[wanted.handle] = link
        _reply(session, frame, wanted, source=frame.field(5), target=frame.field(6))
        link.attached()

    def refuse(refused: Refused) -> None:
        _reply(session, frame, wanted, source=None, target=None)
        failure = error(refused.condition, str(refused))
        session.connection.write(performative(session.channel, DETACH, UInt(wanted.handle), True, failure))

    entity = wanted.address.removesuffix(_MANAGEMENT_SUFFIX).lower()
    to_a_queue = wanted.address.lower() == entity != CBS
    kind = "attach" if to_a_queue else "attach-management"
    session.connection.perform(kind, entity, lambda: _open(session, wanted), answer, refuse)


def _open(session: Session, wanted: Attachment) -> Link:
    """The link that was asked for. Raises Refused."""
    if wanted.transactional:
        raise NotSupported("transactions are not supported by this emulator")
    if wanted.address == CBS:
        return _request_or_reply(session, wanted, None)
    entity, is_management = wanted.address, wanted.address.endswith(_MANAGEMENT_SUFFIX)
    queue = session.connection.broker.find(entity.removesuffix(_MANAGEMENT_SUFFIX))
    if is_management:
        return _request_or_reply(session, wanted, queue)
    if wanted.session_filter:
        raise NotAllowed(
            "A sessionful message receiver cannot be created on an entity that does not require sessions. "
            "Ensure RequiresSession is set to true when creating a Queue or Subscription to enable sessionful behavior."
        )
    if wanted.client_receives:
        return ReceiverLink(session, wanted.handle, queue, lock=not wanted.settled)
    if queue.dead_letters is None:
        raise NotAllowed(f"messages cannot be sent to the dead-letter queue '{entity}'")
    return SenderLink(session, wanted.handle, wanted.delivery_count, queue)


def _request_or_reply(session: Session, wanted: Attachment, queue: Any) -> Link:
    if wanted.client_receives:
        return ReplyLink(session, wanted.handle, wanted.address, wanted.reply_address)
    return RequestLink(session, wanted.handle, wanted.delivery_count, wanted.address, queue)


def _reply(session: Session, frame: Frame, wanted: Attachment, *, source: Any, target: Any) -> None:
    """Echo the attach; a receiver needs our delivery count, and null ends mean that the link is refused."""
    delivery_count = UInt(0) if wanted.client_receives else None
    modes = (frame.field(3), frame.field(4))
    tail = (None, None, delivery_count, ULong(MAX_MESSAGE_BYTES), None, None, None)
    fields = (wanted.name, UInt(wanted.handle), not wanted.client_receives, *modes, source, target, *tail)
    session.connection.write(performative(session.channel, ATTACH, *fields))


def _terminus(value: Any) -> list[Any]:
    return value.value if isinstance(value, Described) and isinstance(value.value, list) else []


def _raw_address(terminus: list[Any]) -> str:
    return terminus[0] if terminus and isinstance(terminus[0], str) else ""


def _path(terminus: list[Any]) -> str:
    address = _raw_address(terminus)
    try:
        path = urlsplit(address).path if "://" in address else address
    except ValueError as cause:
        raise ProtocolError("amqp:invalid-field", f"address {address!r} is malformed") from cause
    return path.strip("/")
