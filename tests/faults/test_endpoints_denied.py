"""A wrong key: its endpoint is asked no more, visibly, until a worker starts with another; others take over."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import RunSystem
from tests.faults.endpoint_pair import CONCURRENCY, KEY, MODELS, WORKER, Pair, running_pair
from tests.stack.endpoints import RunEndpoint, variables
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.waiting import until

WRONG_KEY = "a-key-of-yesterday"
COMMON, RARE = MODELS
JOBS = 12


LOOK_S = 3.0
"""Longer than a slot waits for a message."""
QUICK_LOOK = {"CLAIMCHECK_LANGUAGE__FAILED_LOOK_S": str(LOOK_S)}


@pytest.fixture
def run_pair(
    run_system: RunSystem, run_endpoint: RunEndpoint, services: Services, name_stock: NameStock
) -> Callable[..., AbstractContextManager[Pair]]:
    """Its arguments are those of `running_pair`."""
    return functools.partial(running_pair, run_system, run_endpoint, services, name_stock, env=QUICK_LOOK)


def test_a_wrong_key_is_said_once_others_take_over_and_jobs_that_need_it_wait_until_it_is_right(
    run_pair: Callable[..., AbstractContextManager[Pair]],
) -> None:
    # The first endpoint has a model that the second has not.
    with run_pair(first={"key": WRONG_KEY, "model": RARE}) as pair:
        jobs = pair.succeeded([pair.submit() for _ in range(JOBS)])

        pair.check_usage(jobs)
        assert {job["result"]["model"] for job in jobs} == {COMMON}
        asked = pair.first.counts()["asked"]
        assert 1 <= asked <= CONCURRENCY
        check_said_once(pair, "first")

        pinned = pair.submit(model=RARE)
        until(lambda: pair.stores.record(pinned)["turn"] >= 2, "the job has come back, and waits again")
        waiting = pair.client.job(pinned)
        assert (waiting["status"], waiting["attempt"]) == ("queued", 1)
        assert pair.first.counts()["asked"] == asked
        assert "every endpoint that could answer refuses this installation: first (401)" in pair.logs()

        restart_with_right_keys(pair, first=RARE)
        [job] = pair.succeeded([pinned])
        assert job["result"]["model"] == RARE


def test_while_every_key_is_wrong_jobs_stay_on_the_queue_and_run_once_one_is_right(
    run_pair: Callable[..., AbstractContextManager[Pair]],
) -> None:
    with run_pair(first={"key": WRONG_KEY}, second={"key": WRONG_KEY}) as pair:
        found_out = pair.submit()
        until(lambda: pair.logs().count("endpoint.failed") == 2, "both endpoints have failed")
        until(lambda: pair.stores.record(found_out)["turn"] == 1, "the job that found it out is put back")
        asked = [endpoint.counts()["asked"] for endpoint in pair.endpoints]
        until_past(pair.client.job(found_out)["next_attempt_at"])  # By then no slot waits for a message any more.

        jobs = [pair.submit() for _ in range(JOBS)]
        until_past((datetime.now(UTC) + timedelta(seconds=LOOK_S)).isoformat())
        assert pair.stores.counts()["active"] == JOBS + 1
        assert {message.delivery_count for message in pair.stores.peek()} == {0}
        assert {pair.stores.record(job_id)["turn"] for job_id in jobs} == {0}
        assert [endpoint.counts()["asked"] for endpoint in pair.endpoints] == asked

        restart_with_right_keys(pair, first=COMMON)
        pair.succeeded([found_out, *jobs])


def until_past(moment: str) -> None:
    """Wait for a time of day, as the API gives it."""
    until(lambda: datetime.now(UTC) > datetime.fromisoformat(moment), f"it is {moment}")


def check_said_once(pair: Pair, name: str) -> None:
    [said] = [line for line in pair.logs().splitlines() if "endpoint.failed" in line]
    assert name in said
    assert "401" in said
    assert WRONG_KEY not in pair.logs()


def restart_with_right_keys(pair: Pair, *, first: str) -> None:
    """What an operator does: set the right key, and start the worker again. `first`: the first endpoint's model."""
    program = pair.system.programs[WORKER]
    pair.system.stop(WORKER)
    program.variables.update(variables(pair.first.endpoint_settings("first", key=KEY, model=first)))
    pair.system.restart(WORKER)
