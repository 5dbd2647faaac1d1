"""A TCP proxy that breaks connections on demand: what a train in a tunnel does to an upload."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from claimcheck.commands.up.addresses import HOST

CHUNK_BYTES = 16 * 1024
# Closing with this sends a reset: the other side sees a connection that broke, not one that ended.
RESET = struct.pack("ii", 1, 0)


@dataclass
class Break:
    """What befalls one request: the connection breaks after `after_bytes` of it, or, without, before its answer."""

    after_bytes: int | None
    passed_bytes: int = 0

    def is_due(self, more_bytes: int) -> bool:
        """Whether the connection breaks now that so many bytes more of the request have come."""
        self.passed_bytes += more_bytes
        return self.after_bytes is not None and self.passed_bytes >= self.after_bytes


class Proxy:
    """Listens on `port` and passes everything on to the port `to`. Breaks befall the next POSTs, one each."""

    def __init__(self, port: int, *, to: int) -> None:
        self.port, self._to = port, to
        self.url = f"http://{HOST}:{port}"
        self._breaks: deque[Break] = deque()
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.start_server(self._serve, HOST, self.port)
        self._server = asyncio.run_coroutine_threadsafe(server, self._loop).result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def break_next_posts(self, count: int, *, after_bytes: int | None) -> None:
        """Break the connection after so many bytes of each of the next POSTs, or, with None, when the answer comes.

        Connections that stand idle end first: a browser repeats by itself, unseen, what breaks on one that it reused.
        """
        self._breaks.extend(Break(after_bytes) for _ in range(count))
        asyncio.run_coroutine_threadsafe(self._end_connections(), self._loop).result()

    async def _close(self) -> None:
        self._server.close()
        await self._end_connections()

    async def _end_connections(self) -> None:
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._pass(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        await asyncio.wait([task])

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.ExitStack() as opened:
            opened.callback(writer.close)
            upstream_reader, upstream = await asyncio.open_connection(HOST, self._to)
            opened.callback(upstream.close)
            connection = _Connection(self._breaks, writer, upstream)
            # Each ends with an error when its side does, and that ends the other.
            with contextlib.suppress(ExceptionGroup):
                async with asyncio.TaskGroup() as both:
                    both.create_task(connection.pass_requests(reader))
                    both.create_task(connection.pass_answers(upstream_reader))


class _Connection:
    """One client's connection and ours to the target."""

    def __init__(self, breaks: deque[Break], client: asyncio.StreamWriter, upstream: asyncio.StreamWriter) -> None:
        self._breaks, self._client, self._upstream = breaks, client, upstream
        self._break: Break | None = None

    async def pass_requests(self, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if chunk.startswith(b"POST ") and self._breaks:
                self._break = self._breaks.popleft()
            if self._break and self._break.is_due(len(chunk)):
                self._reset()
            await _write(self._upstream, chunk)
        raise ConnectionResetError("the client has closed")

    async def pass_answers(self, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self._break:
                self._reset()
            await _write(self._client, chunk)
        raise ConnectionResetError("the target has closed")

    def _reset(self) -> None:
        for side in (self._client, self._upstream):
            side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            side.transport.abort()
        raise ConnectionResetError("broken on demand")


async def _write(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    writer.write(chunk)
    await writer.drain()
