"""uvicorn's HTTP/1.1 protocol with the limits it lacks: on the bytes and on the time of all that is not a body.

Owns what happens before there is a request: heads that are too long, too slow or malformed become problem documents,
and the connection ends. Counts bytes per read, not per header, so that an ordinary request pays next to nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from claimcheck.errors import HeadersTooLarge, HeadersTooSlow, MalformedRequest, RequestRefused, TargetTooLong
from claimcheck.settings import WebSettings
from claimcheck.web.flow import Flow
from claimcheck.web.lingering import LINGER_BYTES, LINGER_S
from claimcheck.web.upgrades import head_without_upgrade, new_parser

log = logging.getLogger(__name__)

MAX_PIPELINED = 32  # Requests on one connection that wait for their turn. Each costs kilobytes, a line of it 20 bytes.
LAST_REQUEST_S = 1.0  # A stopping server still answers a request that is on its way on an idle connection.
REQUEST_LINE_REST_BYTES = 32  # Longest method (11), version (8), spaces and line end, with room.


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    `_framing_bytes` are the bytes since the last progress: the end of a head, a piece of a body, the end of a message.
    It bounds heads, chunk extensions, trailers and what comes after the last request alike.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        web: WebSettings,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limit_bytes, self._limit_s, self._write_s = web.header_bytes, web.header_s, web.write_s
        self._framing_bytes = 0
        self._read_bytes = 0
        self._earlier_bytes = 0  # At most so many bytes of the head came in the read that ended the message before it.
        self._in_head = self._in_body = False
        self._timer: asyncio.TimerHandle | None = None
        self._unstarted: asyncio.Task[None] | None = None  # Made during this read: it cannot have run yet.
        self._refusal: RequestRefused | None = None
        self._stopping = False
        self._plain_head = b""  # To be read again, without the upgrade that hides its body.
        self.flow: Flow
        self.url, self.headers = b"", []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.flow = Flow(transport, self.loop, self._write_s, self._may_read)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch_head()
        self.flow.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._read_bytes = len(data)
        self._framing_bytes += self._read_bytes
        if self._refusal is not None:
            self._drop()
            return
        self._unstarted = None
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        try:
            while data:
                data = self._feed(data)
        except httptools.HttpParserError as error:
            self._refuse(_reason(error))
        else:
            if self._framing_bytes > self._limit_bytes:
                self._refuse(self._too_large())
            elif self._in_head and self._timer is None:
                self._watch_head()

    def _feed(self, data: bytes) -> bytes:
        """What is left behind a head that asks for an upgrade: it is not taken up (RFC 9110, 7.8)."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._plain_head:
                rest, self._plain_head = self._plain_head + rest, b""
                self.parser = new_parser(self)
            return rest
        return b""

    # What the parser calls while it is fed; what is raised here reaches data_received as the cause of its error.

    def on_message_begin(self) -> None:
        # Here and not for any byte: empty lines between two requests would keep an idle connection for ever.
        self._unset_keepalive_if_required()
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and (head := head_without_upgrade(self.parser, self.url, self.headers)):
            self._plain_head = head
            return
        self._in_head = False
        self._unwatch_head()
        # An answer that was completed while this head came has set it again.
        self._unset_keepalive_if_required()
        if self._framing_bytes + self._earlier_bytes > self._limit_bytes:
            self._check_size()
        self._check_kind()
        self._framing_bytes = 0
        super().on_headers_complete()
        self._in_body = True
        # Trailers would come into the list that the application reads its headers from.
        self.headers = []
        if self._stopping:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._plain_head:
            return
        self._in_body = False
        self._framing_bytes, self._earlier_bytes = 0, self._read_bytes
        # `Connection: close` among trailers (all that is here) is the parser's last word too: it reads no more.
        if self.headers and not self.parser.should_keep_alive():
            self.cycle.keep_alive = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._refusal is not None and not self.pipeline:
            self._hang_up(self._refusal)
        else:
            super().on_response_complete()

    def shutdown(self) -> None:
        """The server stops: an idle connection gets a moment, since a client may just be writing its next request."""
        self._stopping = True
        if self._idle():
            self.loop.call_later(LAST_REQUEST_S, super().shutdown)
        else:
            super().shutdown()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        task = self._unstarted = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self._on_answered)
        self.tasks.add(task)

    def _on_answered(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.flow.watch()

    def _may_read(self) -> bool:
        """Whether there is room. Requests that wait for their turn keep what has come of their bodies."""
        return not self.pipeline or sum(len(cycle.body) for cycle, _ in self.pipeline) <= HIGH_WATER_LIMIT

    def _check_size(self) -> None:
        """Raises what is too large of a complete head; called only if it may be."""
        fields_bytes = sum(len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.url) + REQUEST_LINE_REST_BYTES + fields_bytes > self._limit_bytes:
            raise self._too_large()

    def _check_kind(self) -> None:
        """Raises MalformedRequest for what the parser takes and this server does not."""
        if (version := self.parser.get_http_version()) not in ("1.1", "1.0"):
            raise MalformedRequest(f"the request is HTTP/{version}; HTTP/1.1 is expected")
        if len(self.pipeline) >= MAX_PIPELINED:
            raise MalformedRequest(f"more than {MAX_PIPELINED} requests wait on this connection")
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and version == "1.1"):
            raise MalformedRequest(f"the request has {hosts} Host headers; 1 is expected")

    def _too_large(self) -> RequestRefused:
        if self._in_body:
            return HeadersTooLarge(f"chunk extensions or trailers are over the limit of {self._limit_bytes:,} bytes")
        if len(self.url) > self._limit_bytes - REQUEST_LINE_REST_BYTES:
            return TargetTooLong(f"the request line is over the limit of {self._limit_bytes:,} bytes")
        return HeadersTooLarge(f"request line and headers are over the limit of {self._limit_bytes:,} bytes")

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch_head(self) -> None:
        self._timer = self.loop.call_later(self._limit_s, self._on_late_head)

    def _unwatch_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_late_head(self) -> None:
        self._timer = None
        if self.flow.read_paused:  # By us, until an earlier request on this connection is answered.
            self._watch_head()
        elif self.cycle is None and not self._framing_bytes:
            # A client that opens connections in advance would take a 408 for the answer to its first request.
            self.transport.close()
        else:
            self._refuse(HeadersTooSlow(f"the headers took longer than the limit of {self._limit_s:g} s"))

    def _refuse(self, refusal: RequestRefused) -> None:
        """Answer what is on this connection already, then this, and end it."""
        log.info("connection.refused", extra={"status": refusal.status, "detail": refusal.detail})
        self._refusal = refusal
        self._unset_keepalive_if_required()
        self._unwatch_head()
        if self._withdraw() or self._idle():
            self._hang_up(refusal)
        else:
            self.flow.pause_reading()

    def _withdraw(self) -> bool:
        """Take back a request that breaks in its body; whether it was the one being answered."""
        if not self._in_body:
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
            return False
        if self._unstarted is not None:
            self._unstarted.cancel()
        return True

    def _hang_up(self, refusal: RequestRefused) -> None:
        """Send it unless another answer has begun, and end the connection.

        It is closed a little later: closing a socket that still receives resets it, and the client may lose the answer.
        """
        if self.transport.is_closing():
            return
        if self._idle() or not self.cycle.response_started:
            self.transport.write(_answer(refusal, self.server_state.default_headers))
        self._framing_bytes = 0
        self.flow.resume_reading()
        self.transport.write_eof()
        self.flow.watch()
        self._timer = self.loop.call_later(LINGER_S, self.transport.close)

    def _drop(self) -> None:
        if self._framing_bytes > LINGER_BYTES:
            self.flow.pause_reading()


def _reason(error: httptools.HttpParserError) -> RequestRefused:
    cause = error.__context__
    if isinstance(cause, RequestRefused):
        return cause
    # uvicorn's own callbacks fail on a target without a path, such as `*`.
    return MalformedRequest("the request target is malformed" if cause else f"malformed HTTP: {error}")


def _answer(refusal: RequestRefused, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    body = json.dumps(refusal.problem()).encode()
    headers = [
        *default_headers,
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return STATUS_LINE[refusal.status] + lines + b"\r\n" + body
