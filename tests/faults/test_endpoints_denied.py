"""A wrong key: its endpoint is asked no more, visibly, until a worker starts with another; others take over."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.conftest import RunSystem
from tests.faults.endpoint_pair import CONCURRENCY, KEY, MODELS, WORKER, Pair, running_pair
from tests.stack.endpoints import RunEndpoint, variables
from tests.stack.names import NameStock
from tests.stack.services import Services

WRONG_KEY = "a-key-of-yesterday"
COMMON, RARE = MODELS
JOBS = 12


@pytest.fixture
def pair(run_system: RunSystem, run_endpoint: RunEndpoint, services: Services, name_stock: NameStock) -> Iterator[Pair]:
    """The first endpoint has a wrong key, and a model that the second has not."""
    first = {"key": WRONG_KEY, "model": RARE}
    with running_pair(run_system, run_endpoint, services, name_stock, first=first) as pair:
        yield pair


def test_a_wrong_key_is_said_once_others_take_over_and_jobs_that_need_it_fail_until_it_is_right(pair: Pair) -> None:
    jobs = pair.succeeded([pair.submit() for _ in range(JOBS)])

    pair.check_usage(jobs)
    assert {job["result"]["model"] for job in jobs} == {COMMON}
    assert 1 <= pair.first.counts()["asked"] <= CONCURRENCY
    [said] = [line for line in pair.logs().splitlines() if "endpoint.failed" in line]
    assert "first" in said
    assert "401" in said
    assert WRONG_KEY not in pair.logs()

    asked = pair.first.counts()["asked"]
    pinned = pair.client.until_ended(pair.submit(model=RARE))
    assert pair.first.counts()["asked"] == asked
    assert pinned["status"] == "failed"
    assert pinned["error"]["type"] == "urn:claimcheck:problem:attempts-exhausted"
    assert "endpoints-failed" in json.dumps(pinned["error"])

    _set_key(pair)
    [pinned] = pair.succeeded([pair.submit(model=RARE)])
    assert pinned["result"]["model"] == RARE


def _set_key(pair: Pair) -> None:
    """What an operator does: set the right key, and start the worker again."""
    program = pair.system.programs[WORKER]
    pair.system.stop(WORKER)
    program.variables.update(variables(pair.first.endpoint_settings("first", key=KEY, model=RARE)))
    pair.system.restart(WORKER)
