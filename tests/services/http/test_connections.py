"""The protocol under an application of a few lines, with a keep-alive time that a test can wait for."""

from __future__ import annotations

import asyncio
import functools
import select
import socket
import time
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from claimcheck.commands.up.addresses import HOST
from claimcheck.settings import WebSettings
from claimcheck.web.http_protocol import HttpProtocol
from tests.stack.ports import free_port
from tests.stack.waiting import eventually

KEEP_ALIVE_S = 1
HELD = b"GET /held HTTP/1.1\r\nHost: a\r\n"
FREE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: a\r\n%b\r\n"
LARGE_BYTES = 32 * 1024 * 1024  # far more than the kernel holds
WRITE_S = 0.25
PATIENT_WRITE_S = 4.0  # A window that a process which stands still for a moment does not miss.
WELL = b"\r\n\r\nwell"  # the end of every answer


class Application:
    """Answers `well`, at `/large` with much before it; at `/held` and `/polls` once it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.held = 0
        self.poll_s = 0.001

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/held":
            self.held += 1
            await self.may.wait()
        while scope["path"] == "/polls" and not self.may.is_set():
            await Request(scope, receive).is_disconnected()
            await asyncio.sleep(self.poll_s)
        body = bytes(LARGE_BYTES if scope["path"] == "/large" else 0) + b"well"
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})

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
def write_s() -> float:
    """The window in which a client must take something of its answer."""
    return WRITE_S


@pytest.fixture
async def server(application: Application, write_s: float) -> AsyncIterator[uvicorn.Server]:
    """What serves it."""
    config = uvicorn.Config(
        application,
        host=HOST,
        port=free_port(),
        http=functools.partial(HttpProtocol, web=WebSettings(write_s=write_s)),  # type: ignore[arg-type]  # called like a class
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
    yield server
    application.may.set()
    server.should_exit = True
    await serving


@pytest.fixture
def port(server: uvicorn.Server) -> int:
    """Where it is served."""
    return server.config.port


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
    async with asyncio.timeout(KEEP_ALIVE_S + 10):
        assert await reader.read() == b""
    writer.close()


async def test_idle_connection_of_a_server_that_stops_gets_one_more_answer(server: uvicorn.Server, port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(FREE)
    await reader.readuntil(WELL)
    for connection in server.server_state.connections:
        connection.shutdown()
    writer.write(FREE)
    await reader.readuntil(WELL)
    assert await reader.read() == b""
    writer.close()


async def keep_alive_time(port: int) -> None:
    """Let a connection be idle until the server ends it."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(FREE)
    await reader.readuntil(WELL)
    assert await reader.read() == b""
    writer.close()


async def test_body_behind_a_request_that_waits_is_not_kept(application: Application, port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    body = bytes(LARGE_BYTES)
    writer.write(b"GET /polls HTTP/1.1\r\nHost: a\r\n\r\n")
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await writer.drain()
    application.may.set()
    for _ in range(2):
        await reader.readuntil(WELL)
    writer.close()


async def test_requests_with_bodies_that_wait_are_all_answered(application: Application, port: int) -> None:
    reader, writer = await asyncio.open_connection(HOST, port)
    body = bytes(200_000)
    writer.write(b"GET /polls HTTP/1.1\r\nHost: a\r\n\r\n")
    for _ in range(5):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    application.may.set()
    async with asyncio.timeout(20):
        for _ in range(6):
            await reader.readuntil(WELL)
    writer.close()


@pytest.mark.parametrize("line", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
@pytest.mark.parametrize("behind", [b"", b"nonsense\r\n\r\n"], ids=["alone", "before a malformed one"])
async def test_connection_on_which_nothing_is_read_is_cut(port: int, line: bytes, behind: bytes) -> None:
    with socket.create_connection((HOST, port)) as client:
        client.sendall(LARGE % line + behind)
        seen = select.poll()
        seen.register(client, select.POLLERR | select.POLLHUP)

        async def is_cut() -> bool:
            return bool(seen.poll(0))

        await eventually(is_cut, "the connection is cut")


@pytest.mark.parametrize("write_s", [PATIENT_WRITE_S])
async def test_answer_that_is_read_slowly_is_read_to_its_end(port: int, write_s: float) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (HOST, port))
        await loop.sock_sendall(client, LARGE % b"Connection: close\r\n")
        # So slowly that the kernel has room for more of the answer less often than once in a window.
        begun_at, answer = time.monotonic(), bytearray()
        while piece := await loop.sock_recv(client, 16 * 1024):
            answer += piece
            if time.monotonic() < begun_at + 2.25 * write_s:
                await asyncio.sleep(write_s / 10)
    assert answer.endswith(WELL[-4:])
    assert len(answer) > LARGE_BYTES
