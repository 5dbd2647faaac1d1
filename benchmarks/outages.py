"""What outages of model endpoints cost, at full length and with the default rests: `python -m benchmarks.outages`.

A quarter of an hour. Two endpoints of equal weight and one language worker: under a steady load the first one fails for
a minute, in each way that services fail; then both are down for two minutes while jobs come in. No job may fail or take
a second attempt, and results must account for exactly the tokens that the endpoints served. The suite does the same
shortened (`tests/faults/test_endpoints.py`, `test_endpoints_down.py`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from benchmarks.alone import run_alone
from benchmarks.figures import Figure, percentile
from benchmarks.installation import Installation, run
from claimcheck.commands.up.provision import provision
from tests.faults.endpoint_pair import WAYS, Load, Pair, running_pair, share_of_first
from tests.stack.client import Body
from tests.stack.endpoints import serving
from tests.stack.names import Names
from tests.stack.system import System
from tests.stack.waiting import let_pass, until

EVERY_S = 0.1
"""Between two jobs of the load: a sixth of what one endpoint can answer."""
WARM_S = 5.0
FAILS_S = 60.0
SHIFT_S = 2.0
"""So long an endpoint that begins to fail may still be asked as before."""
MOST_SHARE = 10.0
"""Percent of the requests after that: what tries whether it is well again."""
BACK_S = 180.0
BACK_SHARE, BACK_OF = 0.25, 20
"""It has its share again once so many of so many requests are its own."""
DOWN_S = 120.0
DOWN_JOBS = 100
DRAIN_S = 120.0
MOST_ASKED = 30
"""Requests of an endpoint that is down for that long: failures until it rests, what was under way, and its tries."""
CONCURRENCY = 6
DEFAULTS = {
    "CLAIMCHECK_LANGUAGE__CALL_S": "60",
    "CLAIMCHECK_LANGUAGE__REST_FIRST_S": "1",
    "CLAIMCHECK_LANGUAGE__REST_MAX_S": "60",
}
SLOW = {"action": "drip", "drip_s": 90}
"""Slower than a request may be by default."""


def measure(installation: Installation) -> list[Figure]:
    """The share of a failing endpoint in percent, and how often one that is down is asked."""

    @contextlib.contextmanager
    def running(*, workers: int, language_workers: int, names: Names, env: Mapping[str, str]) -> Iterator[System]:
        run(provision(installation.settings(names)))
        with installation.system(names, workers=workers, language_workers=language_workers, env=env) as system:
            system.start()
            yield system

    alike = {"concurrency": CONCURRENCY}
    with running_pair(
        running, serving, installation.services, installation.names, first=alike, second=alike, env=DEFAULTS
    ) as pair:
        figures = [_failing(pair, way, {**rule, **(SLOW if way == "too slow" else {})}) for way, rule in WAYS.items()]
        return [*figures, _down(pair)]


def _failing(pair: Pair, way: str, rule: Mapping[str, Any]) -> Figure:
    pair.forget()
    with Load(pair.submit, EVERY_S).running() as load:
        let_pass(WARM_S)
        [armed] = pair.first.script(dict(rule))
        failing_at = time.time()
        let_pass(FAILS_S)
        well_at = time.time()
        pair.first.remove(armed)
        until(lambda: _is_back(pair, well_at), f"{way}: it is asked again", deadline_s=BACK_S)
        back_s = time.time() - well_at
    jobs = _ended(pair, load.job_ids)
    asked = [
        (endpoint is pair.first)
        for endpoint in pair.endpoints
        for request in endpoint.requests()
        if failing_at + SHIFT_S <= request["at"] < well_at
    ]
    return Figure(
        name=f"share of one that fails for {FAILS_S:g} s: {way}",
        unit="%",
        value=100 * sum(asked) / len(asked),
        most=MOST_SHARE,
        notes=(f"{_said(jobs)}; back {back_s:.1f} s after it was well",),
    )


def _down(pair: Pair) -> Figure:
    pair.forget()
    down = [endpoint.script(action="fail", status=503)[0] for endpoint in pair.endpoints]
    begun_at = time.time()
    job_ids = [pair.submit() for _ in range(DOWN_JOBS)]
    leased = []

    def over() -> bool:
        leased.append(pair.stores.counts()["locked"] > 0)
        return time.time() - begun_at >= DOWN_S

    until(over, "they have been down for long enough", deadline_s=DOWN_S + 10)
    asked = [endpoint.counts()["asked"] for endpoint in pair.endpoints]
    up_at = time.time()
    for endpoint, rule in zip(pair.endpoints, down, strict=True):
        endpoint.remove(rule)
    jobs = _ended(pair, job_ids)
    answered_at = sorted(r["at"] for e in pair.endpoints for r in e.requests() if r["outcome"] == "answered")
    return Figure(
        name=f"requests of one of two that are down for {DOWN_S:g} s",
        unit="",
        value=max(asked),
        most=MOST_ASKED,
        notes=(
            f"{_said(jobs)}; a lease was held in {100 * sum(leased) / len(leased):.0f} % of {len(leased)} looks",
            f"all had ended {answered_at[-1] - up_at:.1f} s after both were up; at most {_densest(answered_at)}"
            " answers in a second",
        ),
    )


def _ended(pair: Pair, job_ids: Sequence[str]) -> list[Body]:
    """The jobs at their end: each a success on its first attempt, and none paid for twice."""
    jobs = pair.succeeded(list(job_ids), deadline_s=DRAIN_S)
    pair.check_usage(jobs)
    return jobs


def _said(jobs: Sequence[Body]) -> str:
    took_s = [
        (datetime.fromisoformat(job["ended_at"]) - datetime.fromisoformat(job["created_at"])).total_seconds()
        for job in jobs
    ]
    lost = sum(job["result"]["usage"]["lost_requests"] for job in jobs)
    times = f"p50 {percentile(took_s, 0.5):.1f} s, p99 {percentile(took_s, 0.99):.1f} s"
    return f"{len(jobs)} jobs, all on attempt 1: {times}; {lost} answers lost"


def _is_back(pair: Pair, since: float) -> bool:
    share = share_of_first(pair, since=since, requests=BACK_OF)
    return share is not None and share >= BACK_SHARE


def _densest(moments: Sequence[float]) -> int:
    """The most of them within one second."""
    return max(sum(at <= other < at + 1 for other in moments) for at in moments)


if __name__ == "__main__":
    sys.exit(run_alone(measure))
