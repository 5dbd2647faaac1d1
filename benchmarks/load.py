"""A closed loop of clients, and an HTTP client that costs next to no CPU: it must not be what is measured."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from benchmarks.cpu import CpuMeter
from benchmarks.figures import Rounds

BOUNDARY = "claimcheck-benchmark"
CLIENTS = 20

Operation = Callable[[int], Awaitable[None]]
"""One operation by the client of that number."""


async def per_second(operation: Operation, seconds: float, clients: int = CLIENTS) -> float:
    """Operations per second of clients that each begin the next as soon as the last has ended."""
    started = time.perf_counter()
    ends_at = started + seconds

    async def work(client: int) -> int:
        done = 0
        while time.perf_counter() < ends_at:
            await operation(client)
            done += 1
        return done

    done = await asyncio.gather(*(work(client) for client in range(clients)))
    return sum(done) / (time.perf_counter() - started)


@dataclass(frozen=True)
class Contender:
    """What is measured, ours or bare, and the processes whose CPU time it costs."""

    operation: Operation
    pids: Mapping[str, int]
    cpu: CpuMeter = field(default_factory=CpuMeter)


@dataclass(frozen=True)
class Duel:
    """What came of the rounds of two contenders."""

    rounds: Rounds
    notes: tuple[str, ...]


async def duel(ours: Contender, bare: Contender, *, rounds: int, seconds: float, label: str) -> Duel:
    """Operations per second of both by turns, after a second of warming up each. `label` names one operation."""
    found: tuple[list[float], list[float]] = [], []
    for contender in (ours, bare):
        await per_second(contender.operation, 1.0)
    for _ in range(rounds):
        for rates, contender in zip(found, (ours, bare), strict=True):
            with contender.cpu.running(contender.pids):
                rates.append(await per_second(contender.operation, seconds))
    notes = [c.cpu.note(label, seconds * sum(rates)) for rates, c in zip(found, (ours, bare), strict=True)]
    both = Rounds(*found)
    return Duel(both, (both.note, notes[0], f"bare {notes[1]}"))


class HttpConnection:
    """One keep-alive connection to an API; takes requests as bytes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._host, self._port = parts.hostname, parts.port

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def send(self, data: bytes) -> None:
        """Send a part of a request; waits while the server is slower."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of the answer."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return int(head[9:12]), await self._reader.readexactly(int(length))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request; status and body of its answer. Opens a connection that idled too long anew."""
        if self._reader.at_eof():
            await self._open()
        await self.send(request)
        return await self.answer()

    async def _open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)


def get_request(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A GET as bytes."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"GET {path} HTTP/1.1\r\nHost: benchmark\r\n{lines}\r\n".encode()


def upload_request(size_bytes: int, content: bytes = b"") -> bytes:
    """The start of a POST of a file for the task `noop`: whole if `content` is, else up to the file's first byte."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="task"\r\n\r\nnoop\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="file.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    length = len(head) + size_bytes + len(UPLOAD_END)
    start = (
        "POST /v1/jobs HTTP/1.1\r\nHost: benchmark\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
    return start + head + (content + UPLOAD_END if content else b"")


def raw_upload_request(size_bytes: int) -> bytes:
    """The start of a POST whose body is the file, for the task `noop`."""
    return (
        "POST /v1/jobs?task=noop HTTP/1.1\r\nHost: benchmark\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {size_bytes}\r\n\r\n"
    ).encode()


UPLOAD_END = f"\r\n--{BOUNDARY}--\r\n".encode()
"""What follows the file's last byte."""
