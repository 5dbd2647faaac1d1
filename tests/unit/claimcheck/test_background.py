"""Tasks that go on for ever end when they are told to, also one that has lost a cancel."""

from __future__ import annotations

import asyncio

from claimcheck.background import ended

DEADLINE_S = 30.0


class Listener:
    """Waits for one answer after the other, as the SDK of Service Bus does."""

    def __init__(self) -> None:
        self.answers: list[asyncio.Future[None]] = []
        self.asked = asyncio.Event()

    async def listen(self) -> None:
        """For ever."""
        while True:
            self.answers.append(asyncio.get_running_loop().create_future())
            self.asked.set()
            await asyncio.wait_for(self.answers[-1], DEADLINE_S)


async def test_a_task_whose_answer_comes_together_with_the_cancel_ends() -> None:
    listener = Listener()
    listening = asyncio.create_task(listener.listen())
    await listener.asked.wait()
    await asyncio.sleep(0)

    listener.answers[0].set_result(None)
    async with asyncio.timeout(DEADLINE_S):
        await ended(listening)

    assert listening.cancelled()


async def test_tasks_that_fail_or_have_ended_are_let_end() -> None:
    async def fail() -> None:
        raise ValueError("it fails")

    async def fail_when_cancelled() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("it fails")

    failed, failing = asyncio.create_task(fail()), asyncio.create_task(fail_when_cancelled())
    await asyncio.sleep(0)

    await ended(failed, failing)

    assert failed.done()
    assert failing.done()


async def test_whoever_waits_for_the_end_may_be_cancelled() -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def cling() -> None:
        while not may_end.is_set():
            try:
                begun.set()
                await may_end.wait()
            except asyncio.CancelledError:
                continue

    clinging = asyncio.create_task(cling())
    await begun.wait()
    waiting = asyncio.create_task(ended(clinging))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    may_end.set()
    await clinging
