"""Workers that die around a request to a model: what was kept is not asked for again, what was lost is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import RunSystem
from tests.faults.endpoint_pair import WORKER, Load, Pair, running_pair
from tests.stack.endpoints import RunEndpoint
from tests.stack.names import LOCK_S, NameStock
from tests.stack.services import Services
from tests.stack.waiting import until

SLOTS = 4
WORKERS = 2
HEAVIER = 3
SHARE_JOBS = 100
OTHER_WORKER = "language-2"
OUTLASTS_A_KILL_S = 10
"""No answer comes between the look at an endpoint and the kill, however busy the machine is."""
SOON_S = 30.0
ENV = {
    "CLAIMCHECK_JOB__MAX_ATTEMPTS": "3",  # a death counts as one
    "CLAIMCHECK_LANGUAGE__CALL_S": "20",
    "CLAIMCHECK_LANGUAGE__SLOTS": str(SLOTS),
}
WIDE = {"concurrency": SLOTS * WORKERS}


@pytest.fixture(scope="module")
def modules_pair(
    run_system: RunSystem, run_endpoint: RunEndpoint, services: Services, name_stock: NameStock
) -> Iterator[Pair]:
    """Two workers, and endpoints of weight 3 and 1 that take whatever comes."""
    with running_pair(
        run_system,
        run_endpoint,
        services,
        name_stock,
        first={**WIDE, "weight": HEAVIER},
        second=WIDE,
        language_workers=WORKERS,
        env=ENV,
    ) as pair:
        yield pair


@pytest.fixture
def pair(modules_pair: Pair) -> Pair:
    """The module's, without what an earlier test has left."""
    modules_pair.forget()
    if modules_pair.system.programs[OTHER_WORKER].process is None:
        modules_pair.system.restart(OTHER_WORKER)
    return modules_pair


@pytest.fixture
def alone(modules_pair: Pair) -> Pair:
    """The pair, with one worker; whoever needs both starts the other again."""
    modules_pair.forget()
    if modules_pair.system.programs[OTHER_WORKER].process is not None:
        modules_pair.system.stop(OTHER_WORKER)
    return modules_pair


def test_endpoints_are_asked_by_their_weights(pair: Pair) -> None:
    jobs = pair.succeeded([pair.submit() for _ in range(SHARE_JOBS)], deadline_s=60)

    share = pair.first.answered() / SHARE_JOBS
    assert abs(share - HEAVIER / (HEAVIER + 1)) <= 0.05
    pair.check_usage(jobs)


def test_a_request_whose_answer_died_with_its_worker_is_made_again_and_told_of(alone: Pair) -> None:
    slow = [endpoint.script(delay_s=OUTLASTS_A_KILL_S)[0] for endpoint in alone.endpoints]
    job_id = alone.submit()
    until(alone.under_way, "the model is asked")
    alone.system.kill(WORKER)
    for endpoint, rule in zip(alone.endpoints, slow, strict=True):
        endpoint.remove(rule)
    alone.system.restart(WORKER)

    [job] = alone.succeeded([job_id], deadline_s=LOCK_S + 15)

    usage = job["result"]["usage"]
    assert (usage["requests"], usage["lost_requests"]) == (1, 1)
    alone.check_usage([job])


@pytest.mark.parametrize(("death", "lost"), [("kill-instead", 1), ("kill-before", 0), ("kill-after", 0)])
def test_an_answer_that_was_kept_before_its_worker_died_is_not_asked_for_again(
    alone: Pair, death: str, lost: int
) -> None:
    worker = alone.system.programs[WORKER]
    with alone.stores.records_fault(kind="replace", action=death, pid=alone.pid()):
        job_id = alone.submit()
        until(lambda: worker.process is not None and worker.process.poll() is not None, "the worker has died")
    worker.process = None
    alone.system.restart(WORKER)

    [job] = alone.succeeded([job_id], deadline_s=LOCK_S + 15)

    usage = job["result"]["usage"]
    assert (usage["requests"], usage["lost_requests"]) == (1, lost)
    assert sum(endpoint.answered() for endpoint in alone.endpoints) == 1 + lost
    assert len(alone.stores.results_of(job_id)) == 1


def test_of_two_workers_one_dies_under_load_and_every_answer_is_counted_once(pair: Pair) -> None:
    with Load(pair.submit, every_s=0.05).running() as load:
        until(lambda: pair.first.answered() >= SLOTS, "jobs run")
        slow = [endpoint.script(delay_s=OUTLASTS_A_KILL_S)[0] for endpoint in pair.endpoints]
        every_slot = SLOTS * WORKERS
        until(lambda: pair.under_way() == every_slot, "every slot of both workers waits for a model", deadline_s=SOON_S)
        pair.system.kill(WORKER)
        for endpoint, rule in zip(pair.endpoints, slow, strict=True):
            endpoint.remove(rule)
        answered = sum(endpoint.answered() for endpoint in pair.endpoints)
        until(
            lambda: sum(endpoint.answered() for endpoint in pair.endpoints) >= answered + SLOTS,
            "the other worker goes on",
            deadline_s=OUTLASTS_A_KILL_S + SOON_S,
        )
        pair.system.restart(WORKER)

    jobs = pair.succeeded(load.job_ids, deadline_s=LOCK_S + 40)

    assert sum(job["result"]["usage"]["lost_requests"] for job in jobs) >= SLOTS
    pair.check_usage(jobs, never_sent=SLOTS)
