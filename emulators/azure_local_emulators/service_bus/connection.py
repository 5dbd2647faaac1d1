"""One client's connection: protocol headers, SASL, open, sessions, keep-alive, close.

Owns the socket and the order "journal first, then the bytes that acknowledge". Refuses what is no AMQP by closing; any
SASL mechanism and any token is accepted, since everything here is local.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from ..faults import Fault, Faults, InjectedFault
from .amqp_types import UInt, UShort
from .broker import Broker
from .errors import Injected, ProtocolError, Refused
from .frames import (
    AMQP_HEADER,
    BEGIN,
    CLOSE,
    END,
    HEARTBEAT,
    MAX_FRAME_BYTES,
    OPEN,
    SASL_HEADER,
    SASL_INIT,
    Frame,
    FrameReader,
    error,
    offered_mechanisms,
    performative,
    sasl_ok,
)
from .limits import MAX_CHANNEL, MIN_HEARTBEAT_S
from .session import Session

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class Connection(asyncio.Protocol):
    """The server's side of one TCP connection."""

    def __init__(self, broker: Broker, faults: Faults, connections: set[Connection]) -> None:
        self.broker, self.faults = broker, faults
        self.peer_frame_bytes = 512  # What every peer must take, until its open says more.
        self.unfinished_bytes = 0
        self.is_lost = False
        self._connections = connections
        self._reader, self._sessions = FrameReader(), dict[int, Session]()
        self._output: list[bytes] = []
        self._flush_due = False
        self._opened = False
        self._heartbeat: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The receivers are gone; what they hold stays locked until the locks expire."""
        self.is_lost = True
        self._connections.discard(self)
        if self._heartbeat:
            self._heartbeat.cancel()
        for session in self._sessions.values():
            session.end()
        self._sessions.clear()

    def pause_writing(self) -> None:
        """The client does not read: stop reading what it asks, or its answers fill the memory."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Handle every frame in `data`, then answer all of them in one write."""
        self._flush_due = True
        try:
            for item in self._reader.feed(data):
                if self._transport.is_closing():
                    break
                self._on_header(item) if isinstance(item, bytes) else self._on_frame(item)
        except ProtocolError as broken:
            log.warning("a client broke the protocol: %s", broken)
            self.close(broken.condition, str(broken))
        except Exception:
            log.exception("a frame could not be handled")
            self.close("amqp:internal-error", "the emulator failed; its log says more")
        self._flush()

    def write(self, frame: bytes) -> None:
        """Send a frame with this turn of the event loop, after what it tells about has reached the journal."""
        self._output.append(frame)
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def perform(
        self,
        kind: str,
        entity: str,
        commit: Callable[[], Result],
        answer: Callable[[Result], None],
        refuse: Callable[[Refused], None],
        **labels: str,
    ) -> None:
        """Carry out one request and answer it; every request that a fault may strike comes through here.

        A fault may ask for the entity and for further labels.
        """
        fault = self.faults.hit(kind, entity=entity, **labels)
        if fault is not None:
            self.spawn(self._perform_under(fault, commit, answer, refuse))
            return
        try:
            result = commit()
        except Refused as refused:
            refuse(refused)
        else:
            answer(result)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what takes time beside the connection's other requests."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self, condition: str, description: str) -> None:
        """Say why and hang up."""
        if self._opened:
            self.write(performative(0, CLOSE, error(condition, description)))
        self._flush()
        self._transport.close()

    def drop(self) -> None:
        """Hang up without a word, as a broken network does."""
        self._output.clear()
        self._transport.abort()

    def _flush(self) -> None:
        self._flush_due = False
        self.broker.commit()
        if self._output:
            output = b"".join(self._output)
            self._output.clear()
            if not self._transport.is_closing():
                self._transport.write(output)

    async def _perform_under(
        self,
        fault: Fault,
        commit: Callable[[], Result],
        answer: Callable[[Result], None],
        refuse: Callable[[Refused], None],
    ) -> None:
        try:
            await fault.before()
            result = commit()
            self.broker.commit()  # A kill after the commit must find it in the journal.
            await fault.after()
        except Refused as refused:
            refuse(refused)
        except InjectedFault as injected:
            if injected.error == "drop":
                self.drop()
            else:
                refuse(Injected(injected.error))
        else:
            answer(result)

    def _on_header(self, header: bytes) -> None:
        if header == SASL_HEADER:
            self.write(SASL_HEADER)
            self.write(offered_mechanisms())
        elif header == AMQP_HEADER:
            self.write(AMQP_HEADER)
        else:
            self.write(SASL_HEADER)  # The standard's answer to a protocol one does not speak.
            self._flush()
            self._transport.close()

    def _on_frame(self, frame: Frame) -> None:
        if frame.sasl:
            if frame.descriptor == SASL_INIT:
                self.write(sasl_ok())
        elif frame.descriptor == OPEN:
            self._on_open(frame)
        elif not self._opened:
            raise ProtocolError("amqp:not-allowed", "the first frame is no open")
        elif frame.descriptor == BEGIN:
            self._on_begin(frame)
        elif frame.descriptor == END:
            self._on_end(frame)
        elif frame.descriptor == CLOSE:
            self.write(performative(0, CLOSE, None))
            self._flush()
            self._transport.close()
        elif session := self._sessions.get(frame.channel):
            session.on_frame(frame)
        # Frames of an ended session are ignored: a client that closes sends detach and end in either order.

    def _on_open(self, frame: Frame) -> None:
        self._opened = True
        frame_bytes = frame.optional_number(2)
        self.peer_frame_bytes = max(512, min(frame_bytes or MAX_FRAME_BYTES, MAX_FRAME_BYTES))
        idle_ms = frame.optional_number(4)
        if idle_ms:
            self._keep_alive(max(idle_ms / 2000, MIN_HEARTBEAT_S))
        limits = (UInt(MAX_FRAME_BYTES), UShort(MAX_CHANNEL))
        self.write(performative(0, OPEN, "azure-local-emulators", None, *limits, None))

    def _on_begin(self, frame: Frame) -> None:
        if frame.channel > MAX_CHANNEL or frame.channel in self._sessions:
            raise ProtocolError("amqp:not-allowed", f"channel {frame.channel} is in use or above {MAX_CHANNEL}")
        session = Session(self, frame.channel, frame.number(1))
        self._sessions[frame.channel] = session
        session.begin()

    def _on_end(self, frame: Frame) -> None:
        session = self._sessions.pop(frame.channel, None)
        if session:
            session.end()
            self.write(performative(frame.channel, END, None))

    def _keep_alive(self, every_s: float) -> None:
        if self._transport.is_closing():
            return
        self.write(HEARTBEAT)
        self._heartbeat = asyncio.get_running_loop().call_later(every_s, self._keep_alive, every_s)
