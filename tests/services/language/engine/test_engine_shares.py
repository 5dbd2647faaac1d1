"""The engine over the wire: shares by weight, slots, and the shift when one of two endpoints fails."""

from __future__ import annotations

import asyncio

import pytest

from claimcheck.errors import EndpointsNotReady
from services.worker.engines.language import LanguageEngine, State
from tests.services.language.engine.conftest import Begun, Lab, question, state_of
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
    lab.service.script(action="hang")
    engine = lab.engine(lab.endpoint("a", concurrency=2), lab.endpoint("b", concurrency=3))
    hanging = [asyncio.ensure_future(engine.ask(question(), lab.ledger())) for _ in range(5)]
    await eventually(lambda: are_under_way(lab, 5), "every slot is taken")
    assert lab.asked_by_key() == {"a": 2, "b": 3}
    begun = Begun(30)
    others = [asyncio.ensure_future(engine.ask(question(), lab.ledger(begun=begun))) for _ in range(30)]
    await begun.until_all()
    assert lab.service.counts()["asked"] == 5
    lab.service.clear()
    lab.service.script(action="answer", delay_s=0.05)
    for each in hanging:
        each.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    await asyncio.gather(*others)
    assert lab.service.counts()["asked"] == 30
    assert lab.service.counts()["most_at_once"] <= 5
    assert {state.name: state.in_flight for state in engine.states()} == {"a": 0, "b": 0}


async def test_question_that_finds_no_slot_in_time_is_put_back(lab: Lab) -> None:
    lab.service.script(action="hang")
    engine, begun = lab.engine(lab.endpoint(concurrency=1), call_s=0.3, failures_to_open=99), Begun(4, held=True)
    await engine.open()
    ledgers = [lab.ledger(begun=begun) for _ in range(4)]
    ended = await asyncio.gather(*(engine.ask(question(), ledger) for ledger in ledgers), return_exceptions=True)
    assert [type(error) for error in ended] == [EndpointsNotReady] * 4
    assert any("as many requests as it may have" in str(error) for error in ended)
    assert lab.service.counts()["asked"] < 4


async def test_who_waits_and_is_cancelled_takes_no_slot_along(lab: Lab) -> None:
    lab.service.script(action="hang", times=1)
    engine, begun = lab.engine(lab.endpoint(concurrency=1)), Begun(6)
    hanging = asyncio.ensure_future(engine.ask(question(), lab.ledger()))
    await eventually(lambda: are_under_way(lab, 1), "the slot is taken")
    asking = [asyncio.ensure_future(engine.ask(question(), lab.ledger(begun=begun))) for _ in range(6)]
    await begun.until_all()
    for cancelled in asking[1::2]:
        cancelled.cancel()
    hanging.cancel()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in ended] == [False, True] * 3
    assert (await engine.ask(question(), lab.ledger())).call.text


async def are_under_way(lab: Lab, count: int) -> bool:
    return bool(lab.service.counts()["under_way"] == count)


async def test_share_of_a_failing_endpoint_goes_to_the_other(lab: Lab) -> None:
    lab.service.script(action="fail", status=500, match={"key": "a"})
    engine = lab.engine(lab.endpoint("a"), lab.endpoint("b"), rest_first_s=60.0, rest_max_s=60.0)
    await asked(lab, engine, 40, at_once=4)
    assert 2 <= lab.asked_by_key()["a"] <= 5, "those that it failed at, and those that were under way then"


async def test_share_of_an_endpoint_that_has_failed_comes_back(lab: Lab) -> None:
    lab.service.script(action="fail", status=500, match={"key": "a"})
    engine = lab.engine(lab.endpoint("a"), lab.endpoint("b"))
    await asked(lab, engine, 10, at_once=4)
    assert state_of(engine, "a").state == State.RESTING
    lab.service.clear()
    await eventually(lambda: has_asked(lab, engine, "a"), "it is tried and comes back")
    lab.service.clear()
    await asked(lab, engine, 40, at_once=4)
    shares = lab.asked_by_key()
    assert abs(shares["a"] - shares["b"]) <= 2, "the turns may begin and end with the same one"
    assert shares.total() == 40


async def has_asked(lab: Lab, engine: LanguageEngine, key: str) -> bool:
    await asked(lab, engine, 1, at_once=1)
    return lab.asked_by_key()[key] > 0
