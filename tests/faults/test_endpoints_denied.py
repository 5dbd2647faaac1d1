"""A wrong key: its endpoint is left alone for minutes, visibly, others take over, and no job fails for it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.conftest import RunSystem
from tests.faults.endpoint_pair import CONCURRENCY, KEY, MODELS, WORKER, Pair, running_pair
from tests.stack.client import ANSWER_S
from tests.stack.endpoints import RunEndpoint, variables
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.waiting import let_pass, until

WRONG_KEY = "a-key-of-yesterday"
COMMON, RARE = MODELS
JOBS = 12


RECEIVE_S = 3.0
"""Longer than a slot waits for a message."""
LOOK_S = 2.0
"""Longer than a slot waits until it looks again whether an endpoint is ready."""
FAILED_REST_S = 24.0
"""Half of it outlasts both, and what else is done meanwhile."""
WAITING_JOBS = 6


@pytest.fixture
def run_pair(
    run_system: RunSystem, run_endpoint: RunEndpoint, services: Services, name_stock: NameStock
) -> Callable[..., AbstractContextManager[Pair]]:
    """Its arguments are those of `running_pair`."""
    return functools.partial(running_pair, run_system, run_endpoint, services, name_stock)


def test_a_wrong_key_is_said_once_others_take_over_and_jobs_that_need_it_wait(
    run_pair: Callable[..., AbstractContextManager[Pair]],
) -> None:
    # The first endpoint has a model that the second has not.
    with run_pair(first={"key": WRONG_KEY, "model": RARE}) as pair:
        jobs = pair.succeeded([pair.submit() for _ in range(JOBS)])

        pair.check_usage(jobs)
        assert {job["result"]["model"] for job in jobs} == {COMMON}
        asked = pair.first.counts()["asked"]
        assert 1 <= asked <= CONCURRENCY
        [said] = [line for line in pair.logs().splitlines() if "endpoint.failed" in line]
        assert "first" in said
        assert "401" in said
        assert WRONG_KEY not in pair.logs()

        pinned = pair.submit(model=RARE)
        until(lambda: pair.stores.record(pinned)["turn"] == 1, "the job is put back")
        waiting = pair.client.until_status(pinned, "queued")
        due_in = datetime.fromisoformat(waiting["next_attempt_at"]) - datetime.now(UTC)
        assert (waiting["status"], waiting["attempt"]) == ("queued", 1)
        assert due_in > timedelta(seconds=100)
        assert pair.first.counts()["asked"] == asked
        assert "every endpoint that could answer refuses this installation: first (401)" in pair.logs()

        restart_with_right_key(pair)
        [job] = pair.succeeded([pair.submit(model=RARE)])
        assert job["result"]["model"] == RARE


def test_while_every_endpoint_denies_us_jobs_stay_on_the_queue_and_run_once_one_is_mended(
    run_pair: Callable[..., AbstractContextManager[Pair]],
) -> None:
    with run_pair(env={"CLAIMCHECK_LANGUAGE__FAILED_REST_S": str(FAILED_REST_S)}) as pair:
        rules = [endpoint.script(action="fail", status=401)[0] for endpoint in pair.endpoints]
        found_out = pair.submit()
        until(lambda: pair.logs().count("endpoint.failed") == 2, "both endpoints have failed")
        until(lambda: pair.stores.record(found_out)["turn"] == 1, "the job that found it out is put back")
        asked = [endpoint.counts()["asked"] for endpoint in pair.endpoints]
        # Then no slot waits for a message any more, if the worker has not stood still meanwhile.
        let_pass(RECEIVE_S)
        pair.system.wait_ready(WORKER)

        jobs = [pair.submit() for _ in range(WAITING_JOBS)]
        let_pass(LOOK_S)
        assert pair.stores.counts()["active"] == WAITING_JOBS
        assert {message.delivery_count for message in pair.stores.peek()} == {0}
        assert {pair.stores.record(job_id)["turn"] for job_id in jobs} == {0}
        assert [endpoint.counts()["asked"] for endpoint in pair.endpoints] == asked

        mended = first_due(pair)
        pair.endpoints[mended].remove(rules[mended])
        pair.succeeded([found_out, *jobs], deadline_s=2 * FAILED_REST_S + 30)
        assert "endpoint.ready" in pair.logs()


def first_due(pair: Pair) -> int:
    """Which endpoint the worker tries first."""
    address = pair.system.programs[WORKER].ready_url.replace("/readyz", "/endpoints")
    ready_in_s = [endpoint["ready_in_s"] for endpoint in httpx.get(address, timeout=ANSWER_S).json()["endpoints"]]
    return ready_in_s.index(min(ready_in_s))


def restart_with_right_key(pair: Pair) -> None:
    """What an operator does: set the right key, and start the worker again."""
    program = pair.system.programs[WORKER]
    pair.system.stop(WORKER)
    program.variables.update(variables(pair.first.endpoint_settings("first", key=KEY, model=RARE)))
    pair.system.restart(WORKER)
