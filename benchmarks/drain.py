"""How fast workers drain a queue of jobs that do nothing: `python -m benchmarks.drain`.

The jobs are queued before a worker starts; their rate counts from the first take to the last end, as the workers' logs
tell. Bare: one process with as many receivers makes the calls that a job consists of: receive, conditional take, the
result and the end in one batch, complete.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from azure.cosmos.aio import ContainerProxy
from azure.servicebus.aio import ServiceBusReceiver

from benchmarks.alone import run_alone
from benchmarks.bare import bare_bus, bare_records
from benchmarks.cpu import CpuMeter
from benchmarks.figures import Figure, Rounds
from benchmarks.installation import Installation, run
from benchmarks.jobs import submit_all
from claimcheck.job import timestamp
from tests.stack.system import System
from tests.stack.waiting import until

JOBS = 1500
RECEIVERS = 16
ROUNDS = 3
DEADLINE_S = 60.0
RECEIVE_S = 2.0  # As a worker does.
TAKEN, ENDED = "job.taken", "job.succeeded"
LEAST_RATIO = 0.8
LEAST_GAIN = 1.0
"""Two workers over one."""


def measure(installation: Installation) -> list[Figure]:
    """Jobs per second of one worker and of two."""
    one, two, bare = CpuMeter(), CpuMeter(), CpuMeter()
    found: dict[str, list[float]] = {"one": [], "two": [], "bare": []}
    for _ in range(ROUNDS):
        found["one"].append(_drained(installation, 1, one))
        found["bare"].append(_bare_drained(installation, bare))
        found["two"].append(_drained(installation, 2, two))
    rounds = Rounds(found["one"], found["bare"])
    value, bare_value = rounds.medians
    cpu = one.note("job", ROUNDS * JOBS), "bare " + bare.note("job", ROUNDS * JOBS)
    more = Rounds(found["two"], found["one"])
    return [
        Figure(
            name=f"no-op jobs drained, {RECEIVERS} slots",
            unit="/s",
            value=value,
            bare=bare_value,
            least_ratio=LEAST_RATIO,
            notes=(rounds.note, *cpu),
        ),
        Figure(
            name="no-op jobs drained by two workers, not one",
            unit="/s",
            value=statistics.median(found["two"]),
            bare=value,
            least_ratio=LEAST_GAIN,
            notes=(more.note, two.note("job", ROUNDS * JOBS)),
        ),
    ]


def _drained(installation: Installation, workers: int, cpu: CpuMeter) -> float:
    """Jobs per second of so many worker processes."""
    names = installation.place()
    run(submit_all(installation.settings(names), JOBS))
    env = {"CLAIMCHECK_WORKER__SLOTS": str(RECEIVERS), "CLAIMCHECK_LOG__FORMAT": "json"}
    with installation.system(names, workers=workers, env=env) as system:
        working = [name for name in system.programs if name.startswith("worker-")]
        for name in working:
            system.programs[name].start()
        until(lambda: all(_seen(system, [name], TAKEN) for name in working), "all take jobs", deadline_s=DEADLINE_S)
        with cpu.running(installation.pids(system)):
            until(lambda: _seen(system, working, ENDED) >= JOBS, f"{JOBS} jobs end", deadline_s=DEADLINE_S)
        return rate([system.logs(name) for name in working])


def _seen(system: System, programs: Sequence[str], event: str) -> int:
    return sum(system.logs(name).count(f'"{event}"') for name in programs)


def rate(logs: Sequence[str]) -> float:
    """Jobs per second while all workers worked: from the take by which the last one joined in to the last end."""
    joined_at = max(min(times(log, TAKEN)) for log in logs)
    ends = [at for log in logs for at in times(log, ENDED) if at > joined_at]
    return len(ends) / (max(ends) - joined_at)


def times(log: str, event: str) -> list[float]:
    """When a JSON log says that something happened, in seconds since the epoch."""
    lines = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    return [datetime.fromisoformat(line["at"]).timestamp() for line in lines if line["event"] == event]


def _bare_drained(installation: Installation, cpu: CpuMeter) -> float:
    settings = installation.settings(installation.place())

    async def drained() -> float:
        await submit_all(settings, JOBS)
        async with bare_records(settings) as records, bare_bus(settings) as bus:
            receivers = [bus.get_queue_receiver(settings.queue.speech, prefetch_count=0) for _ in range(RECEIVERS)]
            try:
                await asyncio.gather(*(receiver.__aenter__() for receiver in receivers))
                with cpu.running(installation.pids()):
                    return await BareDrain(records).of(receivers)
            finally:
                await asyncio.gather(*(receiver.close() for receiver in receivers))

    return run(drained())


class BareDrain:
    """What a worker does for a job, by the bare SDKs."""

    def __init__(self, records: ContainerProxy) -> None:
        self._records = records
        self._taken_at: list[float] = []
        self._ended_at: list[float] = []

    async def of(self, receivers: Sequence[ServiceBusReceiver]) -> float:
        """Jobs per second from the first take to the last end."""
        await asyncio.gather(*(self._consume(receiver) for receiver in receivers))
        return len(self._ended_at) / (max(self._ended_at) - min(self._taken_at))

    async def _consume(self, receiver: ServiceBusReceiver) -> None:
        while len(self._ended_at) < JOBS:
            for received in await receiver.receive_messages(max_message_count=1, max_wait_time=RECEIVE_S):
                await self._run(json.loads(b"".join(received.body)), str(received.sequence_number))
                await receiver.complete_message(received)

    async def _run(self, message: dict[str, Any], sequence_number: str) -> None:
        partition, owner = [message["tenant"], message["job_id"]], secrets.token_hex(8)
        row = f"c.status = 'queued' AND c.epoch = '{message['epoch']}' AND c.stage = 'noop' AND c.attempt = 1"
        taken = {"sequence_number": sequence_number, "owner": owner, "started_at": _now(), "progress": 0.0}
        await self._records.patch_item(
            "job",
            partition,
            _sets(status="running", run=taken, moved_at=_now()),
            filter_predicate=f"FROM c WHERE {row}",
        )
        self._taken_at.append(time.time())
        item = {
            "id": f"result:{owner}",
            "kind": "result",
            "tenant": partition[0],
            "job_id": partition[1],
            "ttl": 86_400,
        }
        end = {"at": _now(), "result": {"item": item["id"], "media_type": "application/json"}, "warnings": 0}
        ended = _sets(status="succeeded", run=None, end=end, ttl=86_400, moved_at=_now())
        mine = {"filter_predicate": f"FROM c WHERE c.status = 'running' AND c.run.owner = '{owner}'"}
        result = {**item, "result": {"entered_at": time.time()}}
        batch: list[Any] = [("create", (result,)), ("patch", ("job", ended), mine)]
        await self._records.execute_item_batch(batch, partition)
        self._ended_at.append(time.time())


def _now() -> str:
    return timestamp(datetime.now(UTC))


def _sets(**values: Any) -> list[dict[str, Any]]:
    return [{"op": "set", "path": f"/{path}", "value": value} for path, value in values.items()]


if __name__ == "__main__":
    sys.exit(run_alone(measure))
