"""Two endpoints under load, and one fails, in each way that services fail: no job notices, nothing is paid twice.

The other endpoint takes its share over after a few requests, and it has its share again once it is well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import RunSystem
from tests.faults.endpoint_pair import CALL_S, REST_MAX_S, WAYS, Load, Pair, running_pair, share_of_first
from tests.stack.endpoints import RunEndpoint, ScriptedEndpoint
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.waiting import until

EVERY_S = 0.06
FEW, MANY = 8, 20
"""Requests of which a share is taken."""
# The last request that hangs, the longest rest, and slack for a loaded machine.
BACK_S = CALL_S + REST_MAX_S + 20.0
# Three failures, and what is under way then; each answer from before, of three at most, begins the count anew. Then it
# is tried after a quarter, a half and a whole second, or half of that, and at most once a second from then on.
MOST_TRIED = 15
MOST_TRIED_A_SECOND = 1


@pytest.fixture(scope="module")
def modules_pair(
    run_system: RunSystem, run_endpoint: RunEndpoint, services: Services, name_stock: NameStock
) -> Iterator[Pair]:
    """Two endpoints of equal weight, and one worker."""
    with running_pair(run_system, run_endpoint, services, name_stock) as pair:
        yield pair


@pytest.fixture
def pair(modules_pair: Pair) -> Pair:
    """The module's, without what an earlier test has left."""
    modules_pair.forget()
    return modules_pair


@pytest.mark.parametrize("way", WAYS)
def test_an_endpoint_that_fails_loses_its_share_and_gets_it_back_and_no_job_fails(pair: Pair, way: str) -> None:
    with Load(pair.submit, EVERY_S).running() as load:
        _until_share(pair, lambda share: 0.25 <= share <= 0.75, "both are asked", of=FEW)

        failing_at = time.time()
        [rule] = pair.first.script(WAYS[way])
        _until_share(pair, lambda share: share <= 0.25, "the other one takes over", of=MANY)
        until(lambda: _failed(pair.first) > 0, "it has failed", deadline_s=BACK_S)
        [armed] = pair.first.rules()
        assert armed["struck"] <= MOST_TRIED + MOST_TRIED_A_SECOND * (time.time() - failing_at)
        pair.first.remove(rule)

        _until_share(pair, lambda share: share >= 0.25, "it is asked again", of=FEW)

    pair.check_usage(pair.succeeded(load.job_ids))


def _failed(endpoint: ScriptedEndpoint) -> int:
    """How many requests have ended without an answer."""
    outcomes: dict[str, int] = endpoint.counts()["outcomes"]
    return sum(outcomes.values()) - outcomes.get("answered", 0)


def _until_share(pair: Pair, wanted: Callable[[float], bool], what: str, *, of: int) -> None:
    def reached() -> bool:
        share = share_of_first(pair, since=begun_at, requests=of)
        return share is not None and wanted(share)

    begun_at = time.time()
    until(reached, what, deadline_s=BACK_S)


@pytest.mark.parametrize(
    ("rule", "slug"),
    [
        ({"action": "filter-prompt"}, "content-refused"),
        ({"action": "filter-answer"}, "content-refused"),
        ({"action": "too-long"}, "context-too-long"),
    ],
)
def test_what_no_endpoint_would_answer_fails_once_and_nobody_else_is_asked(
    pair: Pair, rule: dict[str, Any], slug: str
) -> None:
    for endpoint in pair.endpoints:
        endpoint.script(rule)

    job = pair.client.until_ended(pair.submit())

    assert (job["status"], job["error"]["type"]) == ("failed", f"urn:claimcheck:problem:{slug}")
    assert sum(endpoint.counts()["asked"] for endpoint in pair.endpoints) == 1


def test_what_every_endpoint_refuses_fails_once_each_was_asked(pair: Pair) -> None:
    for endpoint in pair.endpoints:
        endpoint.script(action="fail", status=400, code="invalid_value")

    job = pair.client.until_ended(pair.submit())

    assert (job["status"], job["error"]["type"]) == ("failed", "urn:claimcheck:problem:model-request-refused")
    assert [endpoint.counts()["asked"] for endpoint in pair.endpoints] == [1, 1]


def test_an_endpoint_that_breaks_the_schema_repairs_once_then_the_other_is_asked_and_all_is_paid_for(
    pair: Pair,
) -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    pair.first.script(action="break-schema")

    jobs = pair.succeeded([pair.submit(json_schema=schema) for _ in range(4)])

    usages = [job["result"]["usage"] for job in jobs]
    counts = [endpoint.counts() for endpoint in pair.endpoints]
    assert {usage["requests"] for usage in usages} == {1, 3}
    for name, served in (
        ("requests", "asked"),
        ("input_tokens", "prompt_tokens"),
        ("output_tokens", "completion_tokens"),
    ):
        assert sum(usage[name] for usage in usages) == sum(count[served] for count in counts)
