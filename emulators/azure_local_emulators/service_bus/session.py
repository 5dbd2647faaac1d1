"""One AMQP session: its links by handle, its delivery ids, and who must be told how a delivery ended.

Owns numbering and dispatch. Session windows are announced as good as endless and those of the client are not enforced:
link credit already bounds what is under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from .amqp_types import UInt, UShort
from .errors import ProtocolError, Refused
from .frames import ATTACH, BEGIN, DETACH, DISPOSITION, FLOW, TRANSFER, Frame, error, performative, transfer
from .limits import MAX_HANDLE
from .link import IncomingLink, Link, OutgoingLink

if TYPE_CHECKING:
    from .connection import Connection

WINDOW = UInt(2**31 - 1)
_TRANSFER_OVERHEAD_BYTES = 96
"""More than a frame's head and a transfer's fields ever take."""


class Session:
    """The server's side of one session."""

    def __init__(self, connection: Connection, channel: int, next_incoming_id: int) -> None:
        self.connection, self.channel = connection, channel
        self.links: dict[int, Link] = {}
        self.unsettled: dict[int, tuple[OutgoingLink, UUID]] = {}
        self._next_incoming_id, self._next_outgoing_id = next_incoming_id, 0

    def begin(self) -> None:
        """Answer the client's begin."""
        limits = (WINDOW, WINDOW, UInt(MAX_HANDLE))
        self.connection.write(performative(self.channel, BEGIN, UShort(self.channel), UInt(0), *limits))

    def end(self) -> None:
        """Every link is gone."""
        for link in self.links.values():
            link.closed()
        self.links.clear()
        self.unsettled.clear()

    def on_frame(self, frame: Frame) -> None:
        """Handle one frame of this session. Raises ProtocolError."""
        if frame.descriptor == TRANSFER:
            self._on_transfer(frame)
        elif frame.descriptor == DISPOSITION:
            self._on_disposition(frame)
        elif frame.descriptor == FLOW:
            self._on_flow(frame)
        elif frame.descriptor == ATTACH:
            self._on_attach(frame)
        elif frame.descriptor == DETACH:
            self._on_detach(frame)
        else:
            raise ProtocolError("amqp:not-allowed", f"unknown frame {frame.descriptor:#x}")

    def flow(self, link: Link, delivery_count: int, credit: int, *, drain: bool = False) -> None:
        """Tell the client where a link stands."""
        windows = (UInt(self._next_incoming_id), WINDOW, UInt(self._next_outgoing_id), WINDOW)
        state = (UInt(link.handle), UInt(delivery_count), UInt(credit), None, drain)
        self.connection.write(performative(self.channel, FLOW, *windows, *state))

    def send(self, link: OutgoingLink, payload: bytes, tag: bytes, *, token: UUID | None) -> None:
        """Transfer one message, in as many frames as the client's frame size asks for; without a token, settled."""
        delivery_id = self._next_outgoing_id
        self._next_outgoing_id = (delivery_id + 1) & 0xFFFFFFFF
        if token is not None:
            self.unsettled[delivery_id] = (link, token)
        room = self.connection.peer_frame_bytes - _TRANSFER_OVERHEAD_BYTES
        handle, more = UInt(link.handle), len(payload) > room
        fields = (handle, UInt(delivery_id), tag, UInt(0), token is None, more)
        self.connection.write(transfer(self.channel, payload[:room], *fields))
        for start in range(room, len(payload), room):
            more = start + room < len(payload)
            rest = (handle, None, None, None, token is None, more)
            self.connection.write(transfer(self.channel, payload[start : start + room], *rest))

    def detach(self, link: Link, refused: Refused) -> None:
        """Take a link from the client, saying why."""
        if self.links.pop(link.handle, None) is link:
            link.closed()
            failure = error(refused.condition, str(refused))
            self.connection.write(performative(self.channel, DETACH, UInt(link.handle), True, failure))

    def _on_attach(self, frame: Frame) -> None:
        from .attach import attach  # attach.py knows every kind of link, and links know sessions

        handle = frame.number(1)
        if handle > MAX_HANDLE or handle in self.links:
            raise ProtocolError("amqp:session:handle-in-use", f"handle {handle} is in use or above {MAX_HANDLE}")
        attach(self, frame)

    def _on_detach(self, frame: Frame) -> None:
        handle = frame.number(0)
        link = self.links.pop(handle, None)
        if link:
            link.closed()
            self.connection.write(performative(self.channel, DETACH, UInt(handle), True))

    def _on_flow(self, frame: Frame) -> None:
        handle = frame.optional_number(4)
        link = self.links.get(handle) if handle is not None else None
        if link:
            link.on_flow(frame)

    def _on_transfer(self, frame: Frame) -> None:
        self._next_incoming_id = (self._next_incoming_id + 1) & 0xFFFFFFFF
        link = self.links.get(frame.number(0))
        if isinstance(link, IncomingLink):
            link.on_transfer(frame)

    def _on_disposition(self, frame: Frame) -> None:
        if frame.field(0) is not True:
            return  # It speaks of what the client sent; that we have settled long ago.
        first, last = frame.number(1), frame.optional_number(2)
        # A client may name four billion deliveries; we look at those that exist.
        last = first if last is None else last
        named = range(first, last + 1)
        known = [first] if last == first else sorted(d for d in self.unsettled if d in named)
        for delivery_id in known:
            entry = self.unsettled.pop(delivery_id, None)
            if entry:
                link, token = entry
                link.on_disposition(delivery_id, token, frame.field(4), settled=frame.field(3) is True)
