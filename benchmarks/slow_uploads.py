"""What slow uploads cost the others: `python -m benchmarks.slow_uploads`.

50 connections each send 100 bytes of their file a second, ten at a time, while others upload 10 KB, 5 at once; by turns
with and without them, in one run. Then, how soon the limits on how slow a body may be end such uploads.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator

from benchmarks.alone import run_alone
from benchmarks.figures import Figure, percentile
from benchmarks.installation import Installation, run
from benchmarks.load import HttpConnection, upload_request
from claimcheck.settings import WebSettings

NORMAL_AT_ONCE = 5
NORMAL_PER_ROUND = 20
ROUNDS = 10
NORMAL_BYTES = 10_000
SLOW = 50
SLOW_BYTES_PER_S = 100
SLOW_PIECE_BYTES = 10
SLOW_FILE_BYTES = 1_000_000
MOST_RATIO = 1.2
WINDOW_S = WebSettings().body_window_s
LATER_S = 5.0

REQUEST = upload_request(NORMAL_BYTES, bytes(range(250)) * (NORMAL_BYTES // 250))


def measure(installation: Installation) -> list[Figure]:
    """How many times longer a normal upload takes, and seconds until a slow one is ended."""
    with installation.system(installation.place()) as system:
        system.start("process-api")
        slowed_ms, alone_ms = run(_by_turns(system.process_url))
        ended_s = run(_until_ended_s(system.process_url))
    return [
        _times_longer(slowed_ms, alone_ms),
        Figure(
            name=f"{SLOW} uploads of {SLOW_BYTES_PER_S} bytes/s end within",
            unit="s",
            value=max(ended_s),
            most=WINDOW_S + LATER_S,
            notes=(f"with 408, the first after {min(ended_s):.1f} s; the window has {WINDOW_S:g} s",),
        ),
    ]


def _times_longer(slowed_ms: list[float], alone_ms: list[float]) -> Figure:
    slowed, alone = percentile(slowed_ms, 0.5), percentile(alone_ms, 0.5)
    slowed_p95, alone_p95 = percentile(slowed_ms, 0.95), percentile(alone_ms, 0.95)
    return Figure(
        name=f"upload of 10 KB beside {SLOW} slow ones, median",
        unit="x",
        value=slowed / alone,
        most=MOST_RATIO,
        notes=(
            f"{len(slowed_ms)} uploads, {NORMAL_AT_ONCE} at once: median {slowed:.1f} ms, p95 {slowed_p95:.1f} ms",
            f"without slow ones {alone:.1f} ms, p95 {alone_p95:.1f} ms",
        ),
    )


async def _by_turns(url: str) -> tuple[list[float], list[float]]:
    """Milliseconds of every normal upload, with slow ones and without."""
    slowed_ms: list[float] = []
    alone_ms: list[float] = []
    async with contextlib.AsyncExitStack() as opened:
        clients = [await opened.enter_async_context(HttpConnection(url)) for _ in range(NORMAL_AT_ONCE)]
        for _ in range(ROUNDS):
            await _normal_ms(clients)  # Also lets the slow ones of the round before be forgotten.
            alone_ms += await _normal_ms(clients)
            async with _slow_ones(url):
                await _normal_ms(clients)
                slowed_ms += await _normal_ms(clients)
    return slowed_ms, alone_ms


async def _normal_ms(clients: list[HttpConnection]) -> list[float]:
    async def upload(client: HttpConnection) -> list[float]:
        return [await _upload_ms(client) for _ in range(NORMAL_PER_ROUND // NORMAL_AT_ONCE)]

    return [took_ms for client in await asyncio.gather(*map(upload, clients)) for took_ms in client]


async def _upload_ms(client: HttpConnection) -> float:
    started = time.perf_counter()
    status, body = await client.ask(REQUEST)
    assert status == 202, body
    return 1000 * (time.perf_counter() - started)


@contextlib.asynccontextmanager
async def _slow_ones(url: str) -> AsyncIterator[None]:
    """Slow uploads trickle inside; they are cut off in the end."""
    async with contextlib.AsyncExitStack() as opened:
        connections = [await opened.enter_async_context(HttpConnection(url)) for _ in range(SLOW)]
        trickling = [asyncio.create_task(_trickle(connection)) for connection in connections]
        try:
            yield
            assert not any(task.done() for task in trickling), "a slow upload has ended too early"
        finally:
            for task in trickling:
                task.cancel()
            await asyncio.gather(*trickling, return_exceptions=True)


async def _trickle(connection: HttpConnection) -> None:
    await connection.send(upload_request(SLOW_FILE_BYTES))
    await asyncio.sleep(random.random() * SLOW_PIECE_BYTES / SLOW_BYTES_PER_S)  # So that they do not march in step.
    while True:
        await connection.send(b"x" * SLOW_PIECE_BYTES)
        await asyncio.sleep(SLOW_PIECE_BYTES / SLOW_BYTES_PER_S)


async def _until_ended_s(url: str) -> list[float]:
    """Seconds until each of the slow uploads is refused."""
    return await asyncio.gather(*(_ended_s(url) for _ in range(SLOW)))


async def _ended_s(url: str) -> float:
    async with HttpConnection(url) as connection:
        started = time.perf_counter()
        trickling = asyncio.create_task(_trickle(connection))
        status, body = await connection.answer()
        took_s = time.perf_counter() - started
        trickling.cancel()
        await asyncio.gather(trickling, return_exceptions=True)
        assert status == 408, body
        return took_s


if __name__ == "__main__":
    sys.exit(run_alone(measure))
