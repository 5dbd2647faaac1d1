"""What all links share: credit in both directions, and messages that come in pieces.

Owns flow control; what a message or an outcome means is left to the kinds of link (queue_links.py, management.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from .amqp_types import UInt
from .errors import MessageTooLarge, ProtocolError, Refused
from .frames import DISPOSITION, REJECTED, Frame, accepted, described_list, error, performative
from .limits import MAX_MESSAGE_BYTES, MAX_UNFINISHED_BYTES

if TYPE_CHECKING:
    from .session import Session

GRANTED_CREDIT, LOW_CREDIT = 1000, 200
"""What a client may send before it hears from us, and when it is given more."""


class Link:
    """One end of a link; `handle` is the client's number for it, which we use too."""

    def __init__(self, session: Session, handle: int) -> None:
        self.session, self.handle = session, handle

    def attached(self) -> None:
        """The client has been told that the link exists."""

    def closed(self) -> None:
        """The link is gone."""

    def on_flow(self, frame: Frame) -> None:
        """The client says where it stands."""


class OutgoingLink(Link):
    """The client receives."""

    def __init__(self, session: Session, handle: int) -> None:
        super().__init__(session, handle)
        self.credit = 0
        self._delivery_count = 0

    def deliver(self, payload: bytes, tag: bytes, *, token: UUID | None) -> None:
        """Transfer a message against one credit; without a token it is settled at once."""
        self.credit -= 1
        self._delivery_count = (self._delivery_count + 1) & 0xFFFFFFFF
        self.session.send(self, payload, tag, token=token)

    def on_flow(self, frame: Frame) -> None:
        """Take over the client's credit; a drain uses up what we cannot serve."""
        seen = frame.optional_number(5)
        seen = self._delivery_count if seen is None else seen
        ahead = (self._delivery_count - seen) & 0xFFFFFFFF
        self.credit = max(0, (frame.optional_number(6) or 0) - ahead)
        self.serve()
        if frame.field(8) is True:
            self._delivery_count = (self._delivery_count + self.credit) & 0xFFFFFFFF
            self.credit = 0
            self.session.flow(self, self._delivery_count, 0, drain=True)

    def serve(self) -> None:
        """There is credit: send what there is."""

    def on_disposition(self, delivery_id: int, token: UUID, outcome: Any, *, settled: bool) -> None:
        """The client says how a delivery ended; unless `settled`, it waits for an answer."""


class IncomingLink(Link):
    """The client sends."""

    def __init__(self, session: Session, handle: int, delivery_count: int) -> None:
        super().__init__(session, handle)
        self._credit, self._delivery_count = 0, delivery_count
        self._pieces: list[bytes] = []
        self._size_bytes = 0
        self._first: Frame | None = None

    def attached(self) -> None:
        """Let the client send."""
        self._grant()

    def closed(self) -> None:
        """Forget a half-received message."""
        self._forget_pieces()

    def on_flow(self, frame: Frame) -> None:
        """Answer a client that asks where it stands."""
        if frame.field(9) is True:
            self._grant()

    def on_transfer(self, frame: Frame) -> None:
        """Gather a message; when it is whole, pass it on. Raises ProtocolError."""
        if self._first is None:
            self._first = frame
        if frame.field(9) is True:  # aborted
            self._finish()
            return
        self._gather(frame.payload)
        if frame.field(5) is True:  # more
            return
        first, size_bytes, payload = self._first, self._size_bytes, b"".join(self._pieces)
        self._finish()
        delivery_id, settled = first.number(1), first.field(4) is True or frame.field(4) is True
        if size_bytes > MAX_MESSAGE_BYTES:
            self.reject(delivery_id, _too_large(delivery_id, size_bytes), settled=settled)
        else:
            self.on_message(delivery_id, first.optional_number(3) or 0, payload, settled=settled)

    def on_message(self, delivery_id: int, message_format: int, payload: bytes, *, settled: bool) -> None:
        """A whole message came; unless `settled`, the client waits for an outcome."""

    def accept(self, delivery_id: int, *, settled: bool) -> None:
        """Tell the client that its message is taken, unless it does not want to know."""
        if not settled:
            self.session.connection.write(accepted(self.session.channel, delivery_id))

    def reject(self, delivery_id: int, refused: Refused, *, settled: bool) -> None:
        """Tell the client that its message is not taken; the link stays."""
        if not settled:
            outcome = described_list(REJECTED, error(refused.condition, str(refused)))
            fields = (True, UInt(delivery_id), None, True, outcome)
            self.session.connection.write(performative(self.session.channel, DISPOSITION, *fields))

    def _gather(self, payload: bytes) -> None:
        self._size_bytes += len(payload)
        if self._size_bytes > MAX_MESSAGE_BYTES:
            self._forget_pieces()
            return
        self._pieces.append(payload)
        connection = self.session.connection
        connection.unfinished_bytes += len(payload)
        if connection.unfinished_bytes > MAX_UNFINISHED_BYTES:
            raise ProtocolError("amqp:resource-limit-exceeded", "too many half-sent messages on one connection")

    def _finish(self) -> None:
        self._forget_pieces()
        self._first, self._size_bytes = None, 0
        self._delivery_count = (self._delivery_count + 1) & 0xFFFFFFFF
        self._credit -= 1
        if self._credit < LOW_CREDIT:
            self._grant()

    def _forget_pieces(self) -> None:
        self.session.connection.unfinished_bytes -= sum(map(len, self._pieces))
        self._pieces.clear()

    def _grant(self) -> None:
        self._credit = GRANTED_CREDIT
        self.session.flow(self, self._delivery_count, GRANTED_CREDIT)


def _too_large(delivery_id: int, size_bytes: int) -> MessageTooLarge:
    return MessageTooLarge(
        f"The received message (delivery-id:{delivery_id}, size:{size_bytes} bytes) exceeds the limit "
        f"({MAX_MESSAGE_BYTES} bytes) currently allowed on the link."
    )
