"""How many polls the status API answers: `python -m benchmarks.polls`.

Bare: the point reads that an answer needs, by one process with the same SDK, as many at once: one of the record, and of
a finished job a second one of its result.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.cosmos.aio import ContainerProxy

from benchmarks.alone import run_alone
from benchmarks.bare import bare_records
from benchmarks.figures import Figure
from benchmarks.installation import Installation, run
from benchmarks.jobs import TENANT, TIMEOUT_S, new_noop_job
from benchmarks.load import CLIENTS, Contender, Duel, HttpConnection, Operation, duel, get_request
from claimcheck import protocol, writes
from claimcheck.job import JOB_ITEM_ID, End, Job, ResultItem, ResultRef, Run, Status
from claimcheck.records import Records
from claimcheck.settings import Settings
from tests.stack.system import System

ROUNDS = 3
ROUND_S = 3.0
LEAST_RATIO = 0.7
TEXT = "And so, my fellow Americans, ask not what your country can do for you. " * 10


@dataclass(frozen=True)
class Polled:
    """A job in a state, what its poll answers, and which items that answer needs."""

    state: str
    job_id: str
    status: int
    items: Sequence[str]


def measure(installation: Installation) -> list[Figure]:
    """Polls per second, of a job in each state."""
    names = installation.place()
    settings = installation.settings(names)
    with installation.system(names) as system:
        system.start("status-api")
        return [_figure(polled, run(_duel(polled, installation, system, settings))) for polled in run(_jobs(settings))]


def _figure(polled: Polled, found: Duel) -> Figure:
    value, bare = found.rounds.medians
    name = f"polls of a {polled.state} job, {CLIENTS} clients"
    return Figure(name=name, unit="/s", value=value, bare=bare, least_ratio=LEAST_RATIO, notes=found.notes)


async def _jobs(settings: Settings) -> list[Polled]:
    """A job in each state, as its writers leave it."""
    records = Records(settings.records, timeout_s=TIMEOUT_S)
    try:
        queued, running, finished = [await records.create_job(new_noop_job()) for _ in range(3)]
        await _take(records, running)
        item = await _finish(records, finished, await _take(records, finished))
    finally:
        await records.close()
    return [
        Polled("queued", queued.job_id, 202, [JOB_ITEM_ID]),
        Polled("running", running.job_id, 202, [JOB_ITEM_ID]),
        Polled("finished", finished.job_id, 200, [JOB_ITEM_ID, item]),
    ]


async def _take(records: Records, job: Job) -> str:
    now, owner = datetime.now(UTC), "0123456789abcdef"
    taken = Run(sequence_number="1", owner=owner, started_at=now)
    await records.write(TENANT, job.job_id, writes.take_unread(protocol.message_for(job), taken, now))
    return owner


async def _finish(records: Records, job: Job, owner: str) -> str:
    now = datetime.now(UTC)
    item = ResultItem(id="result:1", tenant=TENANT, job_id=job.job_id, result={"text": TEXT}, ttl=86_400)
    end = End(at=now, result=ResultRef(item=item.id))
    await records.write_with(item, writes.end_by_runner(owner, Status.SUCCEEDED, end, 86_400, now))
    return item.id


async def _duel(polled: Polled, installation: Installation, system: System, settings: Settings) -> Duel:
    async with contextlib.AsyncExitStack() as opened:
        connections = [await opened.enter_async_context(HttpConnection(system.status_url)) for _ in range(CLIENTS)]
        container = await opened.enter_async_context(bare_records(settings))
        ours = Contender(_poll(connections, polled), installation.pids(system))
        bare = Contender(_read(container, polled), installation.pids())
        return await duel(ours, bare, rounds=ROUNDS, seconds=ROUND_S, label="poll")


def _poll(connections: list[HttpConnection], polled: Polled) -> Operation:
    request = get_request(f"/v1/jobs/{polled.job_id}")

    async def poll(client: int) -> None:
        status, body = await connections[client].ask(request)
        assert status == polled.status, body

    return poll


def _read(container: ContainerProxy, polled: Polled) -> Operation:
    async def read(client: int) -> None:
        for item in polled.items:
            await container.read_item(item, partition_key=[TENANT, polled.job_id])

    return read


if __name__ == "__main__":
    sys.exit(run_alone(measure))
