"""How fast a large upload goes through the process API: `python -m benchmarks.throughput`.

Bare: the SDK stages the same bytes in blocks of the same size, as many at once, and commits them. Unlike the API it
receives nothing, parses no form and computes no SHA-256.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
import uuid

from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobClient

from benchmarks.alone import run_alone
from benchmarks.bare import Bare, bare_clients
from benchmarks.cpu import CpuMeter
from benchmarks.figures import Figure, Rounds
from benchmarks.installation import Installation, run
from benchmarks.load import UPLOAD_END, HttpConnection, upload_request
from claimcheck.blobs.writing import STAGED_AT_ONCE
from claimcheck.settings import Settings
from tests.stack.system import System

MIB = 1024 * 1024
SIZE_MIB = 256
CHUNK = secrets.token_bytes(MIB)
WARM_UP_MIB = 16
ROUNDS = 3
LEAST_RATIO = 0.8


def measure(installation: Installation) -> list[Figure]:
    """MiB per second of one upload at a time."""
    names = installation.place()
    ours, bare = CpuMeter(), CpuMeter()
    with installation.system(names) as system:
        system.start("process-api")
        rounds = run(_rounds(installation, system, installation.settings(names), ours, bare))
    value, bare_value = rounds.medians
    cpu = ours.note("MiB", ROUNDS * SIZE_MIB), "bare " + bare.note("MiB", ROUNDS * SIZE_MIB)
    return [
        Figure(
            name=f"one upload of {SIZE_MIB} MiB",
            unit="MiB/s",
            value=value,
            bare=bare_value,
            least_ratio=LEAST_RATIO,
            notes=(rounds.note, *cpu),
        )
    ]


async def _rounds(
    installation: Installation, system: System, settings: Settings, ours_cpu: CpuMeter, bare_cpu: CpuMeter
) -> Rounds:
    ours: list[float] = []
    bare: list[float] = []
    async with bare_clients(settings) as clients:
        await _upload(system.process_url, WARM_UP_MIB)
        await _stage(clients, WARM_UP_MIB, settings.blobs.block_bytes)
        for _ in range(ROUNDS):
            with ours_cpu.running(installation.pids(system)):
                ours.append(await _upload(system.process_url, SIZE_MIB))
            with bare_cpu.running(installation.pids()):
                bare.append(await _stage(clients, SIZE_MIB, settings.blobs.block_bytes))
    return Rounds(ours, bare)


async def _upload(url: str, size_mib: int) -> float:
    """MiB per second until the 202."""
    async with HttpConnection(url) as connection:
        started = time.perf_counter()
        await connection.send(upload_request(size_mib * MIB))
        for _ in range(size_mib):
            await connection.send(CHUNK)
        status, body = await connection.ask(UPLOAD_END)
        assert status == 202, body
        return size_mib / (time.perf_counter() - started)


async def _stage(clients: Bare, size_mib: int, block_bytes: int) -> float:
    """MiB per second until the blob is visible."""
    started = time.perf_counter()
    blob: BlobClient = clients.blobs.get_blob_client(f"bare/{uuid.uuid4()}")
    block = CHUNK * (block_bytes // MIB)
    ids = [secrets.token_hex(16) for _ in range(size_mib * MIB // block_bytes)]
    turns = asyncio.Semaphore(STAGED_AT_ONCE)

    async def stage(block_id: str) -> None:
        async with turns:
            await blob.stage_block(block_id, block, length=block_bytes)

    await asyncio.gather(*(stage(block_id) for block_id in ids))
    await blob.commit_block_list([BlobBlock(block_id) for block_id in ids])
    return size_mib / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(run_alone(measure))
