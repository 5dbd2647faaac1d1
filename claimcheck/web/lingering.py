"""Let an answer that is ready before the request's body has ended reach the client, and end the connection.

A server that closes a socket on which bytes still arrive resets it, and the client may lose the answer; one that reads
on takes gigabytes that nobody wants. So the rest is read and dropped for a moment. Knows no route and no framework.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_S = 2.0  # Round trips enough for any client to see that it is answered.
LINGER_BYTES = 16 * 1024 * 1024  # What one that sends on regardless may cost meanwhile.


class Lingering:
    """An ASGI application around another one, which must want no more of a body once it has begun to answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _announces_body(scope["headers"]):
            expects_continue = any(name == b"expect" for name, _ in scope["headers"])
            exchange = _Exchange(receive, send, reading=not expects_continue)
            await self._app(scope, exchange.receive, exchange.send)
        else:
            await self._app(scope, receive, send)


def _announces_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"content-length":
            return value != b"0"
        if name == b"transfer-encoding":
            return True
    return False


class _Exchange:
    """One request with a body, and its answer."""

    def __init__(self, receive: Receive, send: Send, *, reading: bool) -> None:
        """`reading`: whether the client sends its body unasked. One that waits for 100 Continue must not be asked for
        it by an early refusal."""
        self._receive, self._send, self._reading = receive, send, reading
        self._ended = self._early = False

    async def receive(self) -> Message:
        self._reading = True
        message = await self._receive()
        self._ended = not message.get("more_body", False)  # A disconnect has none.
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._take_what_is_here()
            self._early = not self._ended
            if self._early:
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await self._send(message)
        elif self._early and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drop_the_rest()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._send(message)

    async def _take_what_is_here(self) -> None:
        """A small body came with its headers: then the connection may live on."""
        if self._reading:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0):
                    while not self._ended:
                        await self.receive()

    async def _drop_the_rest(self) -> None:
        if not self._reading:
            return
        dropped_bytes = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while not self._ended and dropped_bytes < LINGER_BYTES:
                    dropped_bytes += len((await self.receive()).get("body", b""))
                if not self._ended:
                    await asyncio.sleep(LINGER_S)  # Unread bytes now hold the client up; it can still read the answer.
