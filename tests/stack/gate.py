"""A TCP proxy between a program and a service: it lets connections go dead, rewrites answers, or answers by itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from claimcheck.commands.up.addresses import HOST

CHUNK_BYTES = 64 * 1024

Rewrite = Callable[[bytes], bytes]


class Gate:
    """Listens on a port of its own and passes everything on to the port `to`."""

    def __init__(self, *, to: int, rewrite: Rewrite = bytes) -> None:
        """`rewrite` turns each chunk of an answer into what the client is given."""
        self._to, self._rewrite = to, rewrite
        self.port = 0
        self.delay_s = 0.0
        """By how much each chunk of an answer comes later."""
        self._instead: bytes | None = None
        self.refused = 0
        """Requests that it has answered by itself."""
        self._open: set[_Passage] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, HOST, 0), self._loop)
        self._server = listening.result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._open)

    def go_dead(self) -> int:
        """Swallow whatever comes on the connections that are open now, and tell neither side; how many there are."""
        passages = list(self._open)
        for passage in passages:
            passage.dead = True
        return len(passages)

    def answer_by_itself(self, status: int, *headers: str) -> None:
        """Answer every HTTP request with this status, until `let_through`."""
        head = [f"HTTP/1.1 {status} Refused", "Content-Length: 0", "Connection: close", *headers]
        self._instead = ("\r\n".join(head) + "\r\n\r\n").encode()

    def let_through(self) -> None:
        """Undo `answer_by_itself`."""
        self._instead = None

    async def _close(self) -> None:
        self._server.close()
        tasks = [passage.task for passage in self._open]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passage = _Passage(asyncio.ensure_future(self._pass(reader, writer)))
        self._open.add(passage)
        passage.task.add_done_callback(lambda _: self._open.discard(passage))
        await asyncio.wait([passage.task])

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passage = next(passage for passage in self._open if passage.task is asyncio.current_task())
        with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
            opened.callback(writer.close)
            back, forth = await asyncio.open_connection(HOST, self._to)
            opened.callback(forth.close)
            with contextlib.suppress(ExceptionGroup):
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._requests(passage, reader, forth, writer))
                    both.create_task(self._answers(passage, back, writer))

    async def _requests(
        self,
        passage: _Passage,
        reader: asyncio.StreamReader,
        forth: asyncio.StreamWriter,
        client: asyncio.StreamWriter,
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self._instead is not None:
                await self._refuse(reader, client)
            if not passage.dead:
                forth.write(chunk)
                await forth.drain()
        raise ConnectionResetError("the client has closed")

    async def _refuse(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        assert self._instead is not None
        self.refused += 1
        client.write(self._instead)
        client.write_eof()
        while await reader.read(CHUNK_BYTES):
            pass
        raise ConnectionResetError("the client was answered")

    async def _answers(self, passage: _Passage, back: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while chunk := await back.read(CHUNK_BYTES):
            await asyncio.sleep(self.delay_s)
            if not passage.dead:
                client.write(self._rewrite(chunk))
                await client.drain()
        if passage.dead:
            await asyncio.Event().wait()  # The end does not come through either.
        raise ConnectionResetError("the service has closed")


class _Passage:
    """One connection through the gate."""

    def __init__(self, task: asyncio.Future[None]) -> None:
        self.task = task
        self.dead = False
