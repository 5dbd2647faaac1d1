"""Wait for a condition with a deadline: how tests wait for what no event announces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

EVERY_S = 0.05
DEADLINE_S = 30.0

T = TypeVar("T")


def until(look: Callable[[], T | None], what: str, *, deadline_s: float = DEADLINE_S) -> T:
    """Call `look` until it gives something truthy, and return that. Fails with `what` after `deadline_s` seconds."""
    ends_at = time.monotonic() + deadline_s
    while not (seen := look()):
        if time.monotonic() > ends_at:
            raise AssertionError(f"not within {deadline_s:g} s: {what}")
        time.sleep(EVERY_S)
    return seen


def let_pass(seconds: float) -> None:
    """Return after so long: for what must not have happened by then."""
    ends_at = time.monotonic() + seconds
    until(lambda: time.monotonic() >= ends_at, f"{seconds:g} s pass", deadline_s=seconds + 10)


async def eventually(look: Callable[[], Awaitable[T | None]], what: str, *, deadline_s: float = DEADLINE_S) -> T:
    """The same for a coroutine function: `look` is awaited again and again."""
    ends_at = time.monotonic() + deadline_s
    while not (seen := await look()):
        if time.monotonic() > ends_at:
            raise AssertionError(f"not within {deadline_s:g} s: {what}")
        await asyncio.sleep(EVERY_S)
    return seen
