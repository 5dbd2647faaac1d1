"""How fast the Cosmos DB emulator is: `python -m benchmarks.cosmos_emulator`.

Prints start time, memory, idle CPU, and operations per second with and without a journal: through the SDK, and through
a raw keep-alive client that leaves the SDK's own cost (about 1 ms of CPU per request) out.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

import psutil
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from azure_local_emulators.cosmos.authorization import WELL_KNOWN_KEY
from azure_local_emulators.process import EmulatorProcess

OPERATIONS = 2_000
COROUTINES = 20
RAW_READS = 20_000
IDLE_S = 3.0
Operation = Callable[[ContainerProxy, int], Awaitable[Any]]


def say(text: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def key(number: int) -> list[str]:
    """Every item is a logical partition of its own, as a job is."""
    return ["default", f"job-{number}"]


def item(number: int) -> dict[str, Any]:
    """About 1 KB."""
    tenant, job_id = key(number)
    return {"id": "job", "tenant": tenant, "job_id": job_id, "n": 0, "status": "queued", "text": "x" * 900}


async def create(container: ContainerProxy, number: int) -> None:
    """One create."""
    await container.create_item(item(number))


async def read(container: ContainerProxy, number: int) -> None:
    """One point read."""
    await container.read_item("job", key(number))


async def patch(container: ContainerProxy, number: int) -> None:
    """One patch under a condition that differs from all others."""
    condition = f"FROM c WHERE c.status IN ('queued', 'running') AND c.job_id = 'job-{number}' AND c.n = 0"
    operations: list[dict[str, Any]] = [
        {"op": "incr", "path": "/n", "value": 1},
        {"op": "set", "path": "/status", "value": "running"},
    ]
    await container.patch_item("job", key(number), operations, filter_predicate=condition)


async def batch(container: ContainerProxy, number: int) -> None:
    """A create and a patch in one transaction."""
    tenant, job_id = key(number)
    part = {"id": "part-0", "tenant": tenant, "job_id": job_id}
    increment = [{"op": "incr", "path": "/n", "value": 1}]
    await container.execute_item_batch([("create", (part,)), ("patch", ("job", increment))], key(number))


async def query(container: ContainerProxy, number: int) -> None:
    """All items of one job."""
    rows = container.query_items("SELECT * FROM c WHERE c.n > 0", partition_key=key(number))
    assert [row async for row in rows]


async def measure(container: ContainerProxy, operation: Operation) -> float:
    """Operations per second."""
    numbers = iter(range(OPERATIONS))

    async def work() -> None:
        for number in numbers:
            await operation(container, number)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(COROUTINES)))
    return OPERATIONS / (time.perf_counter() - started)


def read_request(port: int, number: int) -> bytes:
    """A signed point read, as bytes."""
    path, date = "dbs/bench/colls/jobs/docs/job", "thu, 01 jan 2026 00:00:00 gmt"
    digest = hmac.digest(base64.b64decode(WELL_KNOWN_KEY), f"get\ndocs\n{path}\n{date}\n\n".encode(), "sha256")
    token = quote(f"type=master&ver=1.0&sig={base64.b64encode(digest).decode()}", safe="")
    lines = [
        f"GET /{path}/ HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"x-ms-date: {date}",
        f"authorization: {token}",
        f'x-ms-documentdb-partitionkey: ["default","job-{number}"]',
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


async def raw_reads(port: int) -> float:
    """Point reads per second of a client that does no more than it must."""
    numbers = iter(range(RAW_READS))
    requests = [read_request(port, number) for number in range(100)]

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            writer.write(requests[number % 100])
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()
        await writer.wait_closed()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(8)))
    return RAW_READS / (time.perf_counter() - started)


async def drive(port: int, process: psutil.Process) -> None:
    """Run every operation against a listening emulator."""
    async with CosmosClient(f"http://127.0.0.1:{port}", WELL_KNOWN_KEY) as client:
        database = await client.create_database("bench")
        container = await database.create_container("jobs", PartitionKey(["/tenant", "/job_id"]), default_ttl=-1)
        for operation in (create, read, patch, batch, query):
            before_s = sum(process.cpu_times()[:2])
            per_s = await measure(container, operation)
            cpu_ms = (sum(process.cpu_times()[:2]) - before_s) * 1000 / OPERATIONS
            say(f"  {operation.__name__:8} {per_s:7.0f} /s through the SDK; emulator CPU {cpu_ms:.2f} ms each")
    say(f"  read     {await raw_reads(port):7.0f} /s raw")


def run(title: str, arguments: Sequence[str]) -> None:
    """Start, watch it idle, drive it, stop it."""
    emulator = EmulatorProcess("azure_local_emulators.cosmos", ["--port", "0", "--consistency", "Strong", *arguments])
    started = time.perf_counter()
    emulator.start()
    say(f"{title}: ready after {time.perf_counter() - started:.2f} s")
    try:
        process = psutil.Process(emulator.pid)
        before_s = sum(process.cpu_times()[:2])
        time.sleep(IDLE_S)
        used_ms = (sum(process.cpu_times()[:2]) - before_s) * 1000
        say(f"  idle: {process.memory_info().rss / 2**20:.0f} MB, {used_ms:.0f} ms of CPU in {IDLE_S:g} s")
        asyncio.run(drive(emulator.ports["http"], process))
        say(f"  after {OPERATIONS} jobs: {process.memory_info().rss / 2**20:.0f} MB")
    finally:
        emulator.stop()


def main() -> None:
    """Both ways."""
    run("in memory", [])
    with tempfile.TemporaryDirectory() as folder:
        run("with journal", ["--data", folder])


if __name__ == "__main__":
    main()
