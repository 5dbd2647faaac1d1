"""The protocol under an application of a few lines, with a keep-alive time that a test can wait for."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from claimcheck.commands.up.addresses import HOST
from claimcheck.settings import WebSettings
from claimcheck.web.http_protocol import HttpProtocol
from tests.stack.ports import free_port
from tests.stack.waiting import eventually

KEEP_ALIVE_S = 1
HELD = b"GET /held HTTP/1.1\r\nHost: a\r\n"
FREE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
WELL = b"\r\n\r\nwell"  # the end of every answer


class Application:
    """Answers `well`; to `/held` once it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/held":
            self.held += 1
            await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"well"})

    async def until_held(self, requests: int) -> None:
        """Wait until so many requests have come to `/held`."""

        async def held() -> bool:
            return self.held == requests

        await eventually(held, f"{requests} requests have come")


@pytest.fixture
def application() -> Application:
    """What is served."""
    return Application()


@pytest.fixture
async def port(application: Application) -> AsyncIterator[int]:
    """Where it is served."""
    config = uvicorn.Config(
        application,
        host=HOST,
        port=free_port(),
        http=functools.partial(HttpProtocol, web=WebSettings()),  # type: ignore[arg-type]  # called like a class
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started, "the server listens")
    yield config.port
    application.may.set()
    server.should_exit = True
    await serving


async def test_keep_alive_time_does_not_run_while_a_request_is_answered(application: Application, port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(HELD + b"\r\n" + HELD)  # The second head is under way while the first request is answered.
    await application.until_held(1)
    application.may.set()
    await reader.readuntil(WELL)
    application.may.clear()
    writer.write(b"\r\n")
    await application.until_held(2)
    await keep_alive_time(port)
    application.may.set()
    await reader.readuntil(WELL)
    writer.close()


async def test_idle_connection_lives_as_long_as_uvicorn_says_whatever_empty_lines_come(port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(FREE)
    await reader.readuntil(WELL)
    writer.write(b"\r\n")
    async with asyncio.timeout(KEEP_ALIVE_S + 3):
        assert await reader.read() == b""
    writer.close()


async def keep_alive_time(port: int) -> None:
    """Let a connection be idle until the server ends it."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(FREE)
    await reader.readuntil(WELL)
    assert await reader.read() == b""
    writer.close()
