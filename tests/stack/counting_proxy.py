"""An HTTP proxy that counts what a program asks of a service, and kills the program before or after its n-th request.

For services that no test can put a hook into, and where it matters which of two programs asks: each program that is to
be killed has a proxy of its own. Requests that `kind_of` calls "" are passed on and not counted.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import aiohttp
from aiohttp import web
from aiohttp.web_request import BaseRequest
from multidict import CIMultiDict
from yarl import URL

from claimcheck.commands.up.addresses import HOST
from tests.stack.forking import Forked

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_FIELD_BYTES = 64 * 1024
# Of one connection, not of the request; the length is set anew.
OWN_HEADERS = ("Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Host")
# aiohttp would add these where the sender had none, and Azurite's signature covers some.
NOT_ADDED = ("User-Agent", "Content-Type", "Accept", "Accept-Encoding")

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns, run on the loop."""
        running: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return running.result()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@dataclass
class Ambush:
    """Kill `victim` at the `nth` request of `kind`: before it is passed on, or after its answer has come."""

    kind: str
    nth: int
    after: bool
    victim: Forked | None = None
    struck: bool = False

    def strike(self) -> None:
        """Kill, and return once the victim is gone: nothing that it does later may count."""
        assert self.victim is not None
        self.struck = True
        self.victim.send_signal(signal.SIGKILL)
        self.victim.wait(10)


class CountingProxy:
    """Passes requests on to a port of this machine. Everything but `open` and `close` may be called from any thread."""

    def __init__(self, to: int, kind_of: Callable[[BaseRequest], str]) -> None:
        self._to, self._kind_of = to, kind_of
        self._counts: Counter[str] = Counter()
        self._ambush: Ambush | None = None
        self.port = 0

    async def open(self) -> None:
        """Listen on a port that is free."""
        self._session = aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        server = web.Server(self._pass, request_factory=_request, access_log=None, max_field_size=MAX_FIELD_BYTES)
        self._runner = web.ServerRunner(server)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Close every connection."""
        await self._runner.cleanup()
        await self._session.close()

    def watch(self, ambush: Ambush | None = None) -> None:
        """Count from 0; with an ambush, lie in wait."""
        self._counts.clear()
        self._ambush = ambush

    def counted(self) -> Counter[str]:
        """Requests since `watch`, by kind."""
        return Counter(self._counts)

    async def _pass(self, request: BaseRequest) -> web.StreamResponse:
        body = await request.read()
        ambush = self._count(request)
        if ambush and not ambush.after:
            return await _ambushed(ambush, request)
        answer = await self._ask(request, body)
        return await _ambushed(ambush, request) if ambush else answer

    def _count(self, request: BaseRequest) -> Ambush | None:
        """The ambush that this request runs into."""
        if not (kind := self._kind_of(request)):
            return None
        self._counts[kind] += 1
        waiting = self._ambush
        return waiting if waiting and (waiting.kind, waiting.nth) == (kind, self._counts[kind]) else None

    async def _ask(self, request: BaseRequest, body: bytes) -> web.StreamResponse:
        headers = _passed(request.headers)
        headers["Host"] = request.headers["Host"]  # What the service says of its own address leads back here.
        async with self._session.request(
            request.method,
            URL(f"http://{HOST}:{self._to}{request.raw_path}", encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=NOT_ADDED,
        ) as answer:
            content = await answer.read()
            return web.Response(
                status=answer.status, reason=answer.reason, headers=_passed(answer.headers), body=content
            )


async def _ambushed(ambush: Ambush, request: BaseRequest) -> web.StreamResponse:
    await asyncio.get_running_loop().run_in_executor(None, ambush.strike)
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _passed(headers: Any) -> CIMultiDict[str]:
    passed = CIMultiDict(headers)
    for name in OWN_HEADERS:
        passed.popall(name, None)
    return passed


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> BaseRequest:
    loop = asyncio.get_running_loop()
    return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)
