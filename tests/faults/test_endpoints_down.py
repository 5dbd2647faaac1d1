"""Every endpoint is down: jobs wait without a lease and without an attempt, and drain without a storm afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import RunSystem
from tests.faults.endpoint_pair import CONCURRENCY, Pair, running_pair
from tests.stack.endpoints import RunEndpoint
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.waiting import until

DOWN_S = 12.0
JOBS = 30
REST_MAX_S = 6.0
# Before an endpoint rests, three failures and what was under way then; then it is tried after about 1, 2, 4 and 6
# seconds, or after half of that.
MOST_ASKED = 3 + CONCURRENCY + 7
MOST_ASKED_A_SECOND = 2 / REST_MAX_S
"""Once it has been down for longer than `DOWN_S`."""
QUIET_SHARE = 0.6
"""Of the moments that are looked at: in the others, jobs try an endpoint that has rested, or are just put off."""
SETTLES_S = 20.0
"""By then nothing weighs any more that stood still with a lease for a moment."""
ENV = {
    "CLAIMCHECK_LANGUAGE__SLOTS": "4",
    "CLAIMCHECK_LANGUAGE__REST_FIRST_S": "1",
    "CLAIMCHECK_LANGUAGE__REST_MAX_S": str(REST_MAX_S),
}


@pytest.fixture(scope="module")
def modules_pair(
    run_system: RunSystem, run_endpoint: RunEndpoint, services: Services, name_stock: NameStock
) -> Iterator[Pair]:
    """Two endpoints of equal weight, and one worker."""
    with running_pair(run_system, run_endpoint, services, name_stock, env=ENV) as pair:
        pair.succeeded([pair.submit()])  # A worker loads its client at the first question, for seconds.
        yield pair


@pytest.fixture
def pair(modules_pair: Pair) -> Pair:
    """The module's, without what an earlier test has left."""
    modules_pair.forget()
    return modules_pair


def test_jobs_wait_without_leases_while_every_endpoint_is_down_and_drain_without_a_storm(pair: Pair) -> None:
    down = [endpoint.script(action="fail", status=503)[0] for endpoint in pair.endpoints]
    down_at = time.time()
    job_ids = [pair.submit() for _ in range(JOBS)]
    looks: list[dict[str, Any]] = []

    def over() -> bool:
        looks.append(pair.stores.counts())
        quiet = sum(look["locked"] == 0 for look in looks) / len(looks)
        return time.time() - down_at >= DOWN_S and quiet >= QUIET_SHARE

    until(over, "jobs have waited for long enough, and without leases", deadline_s=DOWN_S + SETTLES_S)
    waiting = [pair.client.job(job_id) for job_id in job_ids]
    for endpoint, rule in zip(pair.endpoints, down, strict=True):
        endpoint.remove(rule)
    down_s = time.time() - down_at
    jobs = pair.succeeded(job_ids, deadline_s=REST_MAX_S + 30)

    assert {job["attempt"] for job in waiting} == {1}
    assert sum(job["status"] == "queued" for job in waiting) >= QUIET_SHARE * JOBS
    counts = [endpoint.counts() for endpoint in pair.endpoints]
    in_vain = [count["statuses"]["503"] for count in counts]
    assert max(in_vain) <= MOST_ASKED + MOST_ASKED_A_SECOND * max(0.0, down_s - DOWN_S)
    assert {look["dead_lettered"] for look in looks} == {0}
    pair.check_usage(jobs)
    assert sum(count["asked"] for count in counts) - sum(in_vain) == JOBS
    assert max(count["most_at_once"] for count in counts) <= CONCURRENCY


def test_jobs_wait_as_long_as_the_services_ask_for(pair: Pair) -> None:
    asked_s = 6.0
    for endpoint in pair.endpoints:
        endpoint.script(action="fail", status=429, retry_after_s=asked_s, times=1)
    begun_at = time.time()

    [job] = pair.succeeded([pair.submit()])

    first, second = pair.first.requests(), pair.second.requests()
    assert [request["status"] for request in (first[0], second[0])] == [429, 429]
    again = sorted([*first[1:], *second[1:]], key=lambda request: float(request["at"]))
    assert len(again) == 1
    assert again[0]["at"] - begun_at >= asked_s
    assert job["result"]["usage"]["requests"] == 1
