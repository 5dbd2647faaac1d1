"""What a worker adds to the time of a language model: `python -m benchmarks.language`.

The model is a scripted endpoint that takes half a second. Throughput: jobs that wait in the queue, and one worker
process with twice as many slots as the endpoint takes requests, so that the next question waits for its turn while
answers are stored; bare: what such an endpoint can do at the most, which is concurrency over latency. Overhead: one job
after another, from the take to the end as the worker's log tells; bare: the same requests by the SDK alone, in the same
run.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from openai import AsyncOpenAI

from benchmarks.alone import run_alone
from benchmarks.cpu import CpuMeter
from benchmarks.drain import ENDED, TAKEN, times
from benchmarks.figures import Figure, percentile
from benchmarks.installation import Installation, run
from benchmarks.jobs import AT_ONCE, TENANT, TIMEOUT_S
from claimcheck import protocol
from claimcheck.blobs import Blobs
from claimcheck.job import Job, Upload, new_job
from claimcheck.messaging import Queues
from claimcheck.records import Records
from claimcheck.settings import Settings
from tests.stack.endpoints import MODEL, ScriptedEndpoint, variables
from tests.stack.waiting import until

MODEL_S = 0.5
CONCURRENCY = 50
SLOTS = 100
JOBS = 3000
"""The first seconds are slower: all slots begin in one moment, and answers come in bursts until they drift apart."""
SINGLE_JOBS = 40
PROMPT = b"Why is the sky blue? " * 20
PROMPT_BLOB = f"uploads/{TENANT}/prompt/0123456789abcdef"
DEADLINE_S = 120.0
LEAST_RATIO = 0.95
MOST_MS = 15.0
"""Goal for the median of what a job takes beyond its model's answer."""


def measure(installation: Installation) -> list[Figure]:
    """Jobs per second, and milliseconds at the median."""
    endpoint = ScriptedEndpoint(delay_s=MODEL_S)
    endpoint.start()
    try:
        return [_throughput(installation, endpoint), _overhead(installation, endpoint)]
    finally:
        endpoint.close()


def _throughput(installation: Installation, endpoint: ScriptedEndpoint) -> Figure:
    cpu = CpuMeter()
    log = _worked(installation, endpoint, cpu, jobs=JOBS, slots=SLOTS)
    took_ms = [1000 * taken_s for taken_s in durations(log)]
    return Figure(
        name=f"language jobs, one worker, {CONCURRENCY} at once",
        unit="/s",
        value=steady_rate(log),
        bare=CONCURRENCY / MODEL_S,
        least_ratio=LEAST_RATIO,
        notes=(
            f"{JOBS} jobs; from take to end p50 {percentile(took_ms, 0.5):.0f} ms, p95 {percentile(took_ms, 0.95):.0f}",
            cpu.note("job", JOBS),
        ),
    )


def _overhead(installation: Installation, endpoint: ScriptedEndpoint) -> Figure:
    cpu = CpuMeter()
    log = _worked(installation, endpoint, cpu, jobs=SINGLE_JOBS, slots=1)
    bare_ms = run(_bare_ms(endpoint))
    bare = statistics.median(bare_ms)
    over_ms = [1000 * taken_s - bare for taken_s in durations(log)]
    return Figure(
        name="language job beyond its model's answer, median",
        unit="ms",
        value=percentile(over_ms, 0.5),
        most=MOST_MS,
        notes=(
            f"{SINGLE_JOBS} jobs; p95 {percentile(over_ms, 0.95):.1f} ms; the SDK alone {bare:.1f} ms at the median",
            cpu.note("job", SINGLE_JOBS),
        ),
    )


def _worked(installation: Installation, endpoint: ScriptedEndpoint, cpu: CpuMeter, *, jobs: int, slots: int) -> str:
    """The log of a worker that has found so many jobs in its queue."""
    names = installation.place()
    run(_submit(installation.settings(names), jobs))
    env = {
        **variables(endpoint.endpoint_settings("scripted", concurrency=CONCURRENCY)),
        "CLAIMCHECK_LANGUAGE__SLOTS": str(slots),
        "CLAIMCHECK_LOG__FORMAT": "json",
    }
    with installation.system(names, language_workers=1, env=env) as system:
        system.programs["language-1"].start()
        until(lambda: TAKEN in system.logs("language-1"), "the worker takes jobs", deadline_s=DEADLINE_S)
        with cpu.running({**installation.pids(system), "endpoint": endpoint.process.pid}):
            until(lambda: system.logs("language-1").count(f'"{ENDED}"') >= jobs, "the jobs end", deadline_s=DEADLINE_S)
        return system.logs("language-1")


def steady_rate(log: str, slots: int = SLOTS) -> float:
    """Jobs per second between the take by which every slot works and the last one: beyond them some are idle."""
    taken_at = sorted(times(log, TAKEN))
    since, until_at = taken_at[slots - 1], taken_at[-1]
    return sum(since < at <= until_at for at in times(log, ENDED)) / (until_at - since)


def durations(log: str) -> list[float]:
    """Seconds from the take to the end of each job in a worker's JSON log."""
    taken: dict[str, datetime] = {}
    found = []
    for line in (json.loads(line) for line in log.splitlines() if line.startswith("{")):
        if line["event"] == TAKEN:
            taken[line["job_id"]] = datetime.fromisoformat(line["at"])
        elif line["event"] == ENDED:
            found.append((datetime.fromisoformat(line["at"]) - taken[line["job_id"]]).total_seconds())
    return found


async def _bare_ms(endpoint: ScriptedEndpoint) -> list[float]:
    messages = [{"role": "system", "content": "Answer."}, {"role": "user", "content": PROMPT.decode()}]
    async with AsyncOpenAI(base_url=f"{endpoint.url}/v1", api_key="any", max_retries=0) as client:
        took = []
        for _ in range(SINGLE_JOBS + 1):
            began_at = time.perf_counter()
            await client.chat.completions.create(model=MODEL, messages=messages, max_tokens=1024)  # type: ignore[arg-type]
            took.append(1000 * (time.perf_counter() - began_at))
    return took[1:]  # The first opens the connection.


async def _submit(settings: Settings, count: int) -> None:
    """Create the records of so many jobs with one prompt, and queue their messages."""
    records, queues = Records(settings.records, timeout_s=TIMEOUT_S), Queues(settings.queue, timeout_s=TIMEOUT_S)
    blobs = Blobs(settings.blobs, timeout_s=TIMEOUT_S)
    jobs = [_new_job() for _ in range(count)]

    async def submit(some: Sequence[Job]) -> None:
        for job in some:
            await records.create_job(job)
            await queues.send("language", protocol.message_for(job), traceparent=f"00-{'0' * 31}1-{'0' * 15}1-01")

    try:
        await blobs.put(PROMPT_BLOB, PROMPT, "text/plain")
        await asyncio.gather(*(submit(jobs[n::AT_ONCE]) for n in range(AT_ONCE)))
    finally:
        for opened in (blobs, queues, records):
            await opened.close()


def _new_job() -> Job:
    """A job of `complete` as it is accepted."""
    now = datetime.now(UTC)
    return new_job(
        tenant=TENANT,
        job_id=str(uuid.uuid4()),
        task="complete",
        options={},
        upload=Upload(blob=PROMPT_BLOB, media_type="text/plain", size_bytes=len(PROMPT), sha256="0" * 64),
        stage="language",
        epoch="0123abcd",
        now=now,
        deadline_at=now + timedelta(days=1),
    )


if __name__ == "__main__":
    sys.exit(run_alone(measure))
