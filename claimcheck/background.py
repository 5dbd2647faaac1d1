"""Tasks that run in the background for ever, until they are ended."""

from __future__ import annotations

import asyncio

AGAIN_S = 1.0


async def ended(*tasks: asyncio.Task[None]) -> None:
    """Cancel the tasks and return once they have ended, whatever they raise.

    A task that has not ended a second later is cancelled again: `asyncio.wait_for` of Python 3.11, through which the
    SDK of Service Bus reads, loses a cancel that comes in the moment in which its answer does.
    """
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
