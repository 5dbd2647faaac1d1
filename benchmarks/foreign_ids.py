"""Whether time tells a foreign job from one that does not exist: `python -m benchmarks.foreign_ids`.

One tenant asks by turns for ids that nobody has and for ids of another tenant's jobs, over one connection, one request
at a time, so that nothing else is in the figure.
"""

from __future__ import annotations

import json
import sys
import time
import uuid

from benchmarks.alone import run_alone
from benchmarks.figures import Figure, Rounds
from benchmarks.installation import Installation, run
from benchmarks.jobs import TIMEOUT_S, new_noop_job
from benchmarks.load import HttpConnection, get_request
from claimcheck.records import Records
from claimcheck.settings import Settings
from claimcheck.web.access import key_hash
from tests.stack.system import System

REQUESTS = 300  # Of each kind.
WARM_UP = 50
MOST_PERCENT = 10.0
KEY, FOREIGN_TENANT = "cck_benchmark", "default"


def measure(installation: Installation) -> list[Figure]:
    """How far the medians of both are apart."""
    names = installation.place()
    env = {"CLAIMCHECK_WEB__KEYS": json.dumps({key_hash(KEY): "asking", key_hash("cck_other"): FOREIGN_TENANT})}
    with installation.system(names, env=env) as system:
        system.start("status-api")
        found = run(_asked(system, run(_foreign_ids(installation.settings(names)))))
    return [_figure(found)]


def _figure(found: Rounds) -> Figure:
    foreign_ms, unknown_ms = found.medians
    return Figure(
        name="404 of a foreign id, off that of an unknown one",
        unit="%",
        value=abs(foreign_ms / unknown_ms - 1) * 100,
        most=MOST_PERCENT,
        notes=(f"medians of {REQUESTS} each, by turns: {foreign_ms:.3f} ms and {unknown_ms:.3f} ms",),
    )


async def _foreign_ids(settings: Settings) -> list[str]:
    """Ids of as many jobs of another tenant."""
    records = Records(settings.records, timeout_s=TIMEOUT_S)
    try:
        jobs = [await records.create_job(new_noop_job()) for _ in range(REQUESTS)]
    finally:
        await records.close()
    assert all(job.tenant == FOREIGN_TENANT for job in jobs)
    return [job.job_id for job in jobs]


async def _asked(system: System, foreign_ids: list[str]) -> Rounds:
    foreign: list[float] = []
    unknown: list[float] = []
    async with HttpConnection(system.status_url) as connection:
        for _ in range(WARM_UP):
            await _milliseconds(connection, str(uuid.uuid4()))
        for turn, foreign_id in enumerate(foreign_ids):
            pair = [(foreign, foreign_id), (unknown, str(uuid.uuid4()))]
            # Who comes first changes with each turn: what one leaves behind, such as a garbage collection, meets both.
            for found, job_id in reversed(pair) if turn % 2 else pair:
                found.append(await _milliseconds(connection, job_id))
    return Rounds(foreign, unknown)


async def _milliseconds(connection: HttpConnection, job_id: str) -> float:
    request = get_request(f"/v1/jobs/{job_id}", {"X-API-Key": KEY})
    began_at = time.perf_counter()
    status, body = await connection.ask(request)
    took_s = time.perf_counter() - began_at
    assert status == 404, body
    return took_s * 1000


if __name__ == "__main__":
    sys.exit(run_alone(measure))
