"""The engine over the wire: shares by weight, slots, and the shift when one of two endpoints fails."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from claimcheck.errors import EndpointsNotReady
from services.worker.engines.language import LanguageEngine
from tests.services.language.engine.conftest import Lab, question
from tests.stack.waiting import eventually

REQUESTS = 100


async def asked(lab: Lab, engine: LanguageEngine, count: int, *, at_once: int) -> None:
    """So many questions, each of a job of its own."""
    free = asyncio.Semaphore(at_once)

    async def one() -> None:
        async with free:
            await engine.ask(question(), lab.ledger())

    await asyncio.gather(*(one() for _ in range(count)))


@pytest.mark.parametrize("at_once", [1, 3, 20])
async def test_shares_are_within_5_percent_of_the_weights(lab: Lab, at_once: int) -> None:
    engine = lab.engine(lab.endpoint("a", weight=3, concurrency=50), lab.endpoint("b", weight=1, concurrency=50))
    await asked(lab, engine, REQUESTS, at_once=at_once)
    shares = lab.asked_by_key()
    assert shares["a"] == pytest.approx(REQUESTS * 3 / 4, rel=0.05)
    assert shares["b"] == pytest.approx(REQUESTS / 4, rel=0.05)


async def test_no_endpoint_has_more_requests_under_way_than_it_may(lab: Lab) -> None:
    lab.service.script(action="answer", delay_s=0.05)
    engine = lab.engine(lab.endpoint("a", concurrency=2), lab.endpoint("b", concurrency=3))
    await asked(lab, engine, 30, at_once=30)
    assert lab.service.counts()["most_at_once"] == 5
    assert {state.name: state.in_flight for state in engine.states()} == {"a": 0, "b": 0}


async def test_question_that_finds_no_slot_in_time_is_put_back(lab: Lab) -> None:
    lab.service.script(action="hang")
    engine = lab.engine(lab.endpoint(concurrency=1), call_s=0.3)
    ended = await asyncio.gather(*(engine.ask(question(), lab.ledger()) for _ in range(4)), return_exceptions=True)
    assert [type(error) for error in ended] == [EndpointsNotReady] * 4
    assert any("as many requests as it may have" in str(error) for error in ended)
    assert lab.service.counts()["asked"] < 4


async def test_who_waits_and_is_cancelled_takes_no_slot_along(lab: Lab) -> None:
    lab.service.script(action="answer", delay_s=0.2)
    engine = lab.engine(lab.endpoint(concurrency=1))
    asking = [asyncio.ensure_future(engine.ask(question(), lab.ledger())) for _ in range(6)]
    await eventually(lambda: is_asked(lab), "the first is asked")
    for cancelled in asking[1::2]:
        cancelled.cancel()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in ended] == [False, True] * 3
    assert (await engine.ask(question(), lab.ledger())).call.text


async def is_asked(lab: Lab) -> bool:
    return bool(lab.service.counts()["asked"])


async def test_share_of_a_failing_endpoint_goes_to_the_other_and_comes_back(lab: Lab) -> None:
    engine = lab.engine(lab.endpoint("a"), lab.endpoint("b"), call_s=0.5)
    lab.service.script(action="fail", status=500, match={"key": "a"})
    await asked(lab, engine, 40, at_once=4)
    failing = Counter(request["status"] for request in lab.service.requests() if request["key"] == "a")
    assert failing[500] <= 12, "it rests, and is only tried"
    lab.service.clear()
    await asked(lab, engine, 10, at_once=1)
    ends_at = time.monotonic() + 5
    while not lab.asked_by_key()["a"] and time.monotonic() < ends_at:
        await asked(lab, engine, 1, at_once=1)
    lab.service.clear()
    await asked(lab, engine, 40, at_once=4)
    assert lab.asked_by_key() == {"a": 20, "b": 20}
