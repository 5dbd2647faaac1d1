"""Several questions of one delivery: some at a time, in order, and one that fails ends none that is under way."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from claimcheck.errors import ContentRefused
from services.worker.texts.summarizing import AT_ONCE, in_order


async def test_answers_are_in_order_however_late_each_comes() -> None:
    late = asyncio.Event()

    async def answer(number: int) -> int:
        if number == AT_ONCE - 1:
            late.set()
        await late.wait()
        return number

    assert await in_order([partial(answer, number) for number in range(2 * AT_ONCE + 1)]) == list(range(9))
    assert await in_order([]) == []


async def test_no_more_than_some_are_asked_at_a_time() -> None:
    asked: list[int] = []
    full, go = asyncio.Event(), asyncio.Event()

    async def answer(number: int) -> None:
        asked.append(number)
        if len(asked) == AT_ONCE:
            full.set()
        await go.wait()

    waiting = asyncio.ensure_future(in_order([partial(answer, number) for number in range(AT_ONCE + 1)]))
    await full.wait()
    await asyncio.sleep(0)
    assert asked == list(range(AT_ONCE))
    go.set()
    await waiting
    assert len(asked) == AT_ONCE + 1


async def test_a_failure_waits_for_those_begun_with_it_and_begins_no_other() -> None:
    ended: list[int] = []
    failed = asyncio.Event()

    async def answer(number: int) -> None:
        if number == 1:
            failed.set()
            raise ContentRefused("refused")
        await failed.wait()
        ended.append(number)

    with pytest.raises(ContentRefused):
        await in_order([partial(answer, number) for number in range(AT_ONCE + 1)])
    assert sorted(ended) == [number for number in range(AT_ONCE) if number != 1]


async def test_who_is_cancelled_leaves_no_question_under_way() -> None:
    left: list[int] = []
    begun = asyncio.Event()

    async def answer(number: int) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.append(number)

    waiting = asyncio.ensure_future(in_order([partial(answer, number) for number in range(AT_ONCE)]))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert left == list(range(AT_ONCE))
