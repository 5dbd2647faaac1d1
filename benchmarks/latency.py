"""How soon an idle worker starts what was accepted: `python -m benchmarks.latency`.

From the record's `created_at` (the process API has stored the upload and is about to create the record) to the entry of
the stage's handler (the take is durable). So it holds everything between the two: create, send, receive, take. Both
moments are read from one machine's clock. One job at a time; the next comes after a random pause, so that it meets the
worker at no particular point of its waiting. Bare: the same calls by one process.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from datetime import UTC, datetime

from azure.servicebus.aio import ServiceBusReceiver

from benchmarks.alone import run_alone
from benchmarks.bare import Bare, bare_bus, bare_clients
from benchmarks.figures import Figure, percentile
from benchmarks.installation import Installation, run
from benchmarks.jobs import new_noop_job
from claimcheck import protocol, writes
from claimcheck.client import AsyncClient
from claimcheck.job import Run
from claimcheck.settings import Settings
from tests.stack.system import System

JOBS = 60
FILE = b"nothing"
PAUSE_S = (0.15, 0.35)
MOST_MS = 60.0
"""Goal for the median."""


def measure(installation: Installation) -> list[Figure]:
    """Milliseconds at the median."""
    names = installation.place()
    with installation.system(names, workers=1) as system:
        system.start()
        ours = run(_waits_ms(system))
    bare = run(_bare_waits_ms(installation.settings(installation.place())))
    return [
        Figure(
            name=f"accept to start, idle, median of {JOBS}",
            unit="ms",
            value=percentile(ours, 0.5),
            bare=percentile(bare, 0.5),
            most=MOST_MS,
            notes=(
                f"p95 {percentile(ours, 0.95):.1f} ms, longest {max(ours):.1f}; bare p95 {percentile(bare, 0.95):.1f}",
            ),
        )
    ]


async def _waits_ms(system: System) -> list[float]:
    async with AsyncClient(system.process_url, system.status_url) as client:
        await _wait_ms(client)
        return [await _wait_ms(client) for _ in range(JOBS)]


async def _wait_ms(client: AsyncClient) -> float:
    """Submit one job, and wait until it has ended."""
    await asyncio.sleep(random.uniform(*PAUSE_S))
    job = await client.wait((await client.submit(FILE, task="noop")).id)
    assert job.result is not None, job
    return 1000 * float(job.result["entered_at"] - job.created_at.timestamp())


async def _bare_waits_ms(settings: Settings) -> list[float]:
    async with (
        bare_clients(settings) as clients,
        bare_bus(settings) as bus,
        bus.get_queue_receiver(settings.queue.speech, prefetch_count=0) as receiver,
    ):
        await _bare_wait_ms(clients, receiver)
        return [await _bare_wait_ms(clients, receiver) for _ in range(JOBS)]


async def _bare_wait_ms(clients: Bare, receiver: ServiceBusReceiver) -> float:
    """Create and send while a receiver waits; receive and patch."""
    receiving = asyncio.ensure_future(receiver.receive_messages(max_message_count=1, max_wait_time=10))
    await asyncio.sleep(random.uniform(*PAUSE_S))
    job = new_noop_job()
    message = protocol.message_for(job)
    record = job.model_dump(mode="json")
    started = time.perf_counter()
    await clients.records.create_item(record)
    await clients.senders.send(message.encode(), message.message_id)
    received = (await receiving)[0]
    now = datetime.now(UTC)
    take = writes.take_unread(
        message, Run(sequence_number=str(received.sequence_number), owner="0", started_at=now), now
    )
    await clients.records.patch_item(
        "job", [job.tenant, job.job_id], take.operations(), filter_predicate=f"FROM c WHERE {take.condition}"
    )
    waited_ms = 1000 * (time.perf_counter() - started)
    await receiver.complete_message(received)
    return waited_ms


if __name__ == "__main__":
    sys.exit(run_alone(measure))
