"""services/worker/engines/language/turns.py: who waits for an endpoint gets it as soon as it may be asked."""

from __future__ import annotations

import asyncio
from typing import Any

from claimcheck.settings import Endpoint, LanguageSettings
from services.worker.engines.language.outcomes import Answered, Busy, Failing
from services.worker.engines.language.pool import Turn
from services.worker.engines.language.turns import Turns

AB = ("a", "b")
PATIENCE_S = 30.0
ANSWERED = Answered(text="Hi", model="m", finish_reason="stop", input_tokens=1, output_tokens=1)
BUSY = Busy(status=429, retry_after_s=0.05)
FAILING = Failing(why="500", lost=False)


def endpoint(name: str, **fields: Any) -> Endpoint:
    return Endpoint(name=name, url="http://a", model="m", concurrency=1, **fields)


def turns_of(*endpoints: Endpoint, **fields: Any) -> Turns:
    return Turns(LanguageSettings(endpoints=endpoints, **{"call_s": 10 * PATIENCE_S, **fields}))


async def take(turns: Turns, *, prefer: str | None = None) -> Turn:
    async with asyncio.timeout(PATIENCE_S):
        choice = await turns.take(AB, prefer=prefer)
    assert isinstance(choice, Turn), choice
    return choice


async def test_who_waits_for_a_slot_gets_an_endpoint_that_has_cooled_meanwhile() -> None:
    turns = turns_of(endpoint("a"), endpoint("b"))
    await take(turns, prefer="a")
    turns.ended(await take(turns), BUSY, asker="q")
    turn = await take(turns)
    assert (turn.endpoint.name, turn.probe) == ("b", False)


async def test_who_waits_for_a_slot_tries_an_endpoint_that_has_rested_meanwhile() -> None:
    turns = turns_of(endpoint("a"), endpoint("b"), failures_to_open=1, rest_first_s=0.05)
    await take(turns, prefer="a")
    turns.ended(await take(turns), FAILING, asker="q")
    turn = await take(turns)
    assert (turn.endpoint.name, turn.probe) == ("b", True)


async def test_those_who_wait_for_the_clock_are_served_in_the_order_in_which_they_came() -> None:
    turns, order = turns_of(endpoint("a"), endpoint("b")), list[int]()

    async def wait(number: int) -> None:
        turn = await take(turns)
        order.append(number)
        turns.ended(turn, ANSWERED, asker=str(number))

    await take(turns, prefer="a")
    turns.ended(await take(turns), BUSY, asker="q")
    await asyncio.gather(*(wait(number) for number in range(4)))
    assert order == [0, 1, 2, 3]


async def test_one_who_wants_another_endpoint_is_not_kept_by_one_who_waits_in_vain() -> None:
    turns = turns_of(endpoint("a"), endpoint("b", priority=1))
    first, second = await take(turns), await take(turns, prefer="b")
    anyone, repairing = asyncio.ensure_future(take(turns)), asyncio.ensure_future(take(turns, prefer="b"))
    asyncio.get_running_loop().call_soon(lambda: turns.ended(second, ANSWERED, asker="q"))  # After both wait.
    assert (await repairing).endpoint.name == "b"
    turns.ended(first, ANSWERED, asker="q")
    assert (await anyone).endpoint.name == "a"
