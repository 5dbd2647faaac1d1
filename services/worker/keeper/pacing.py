"""Do the same for each of many, a few at once and not too many in a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")


async def each(items: Sequence[T], work: Callable[[T], Awaitable[R]], *, per_s: float) -> list[R]:
    """What `work` returns for each item, in order. Raises what failed first, once the others of its few are done."""
    done: list[R] = []
    for first in range(0, len(items), AT_ONCE):
        few = items[first : first + AT_ONCE]
        # Everything is awaited before anything is raised: nothing may go on behind a round that has ended.
        working = asyncio.gather(*(work(item) for item in few), return_exceptions=True)
        # The pace goes beside the work, so that a round never takes more of the records than it was given.
        outcomes, _ = await asyncio.gather(working, asyncio.sleep(len(few) / per_s))
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            done.append(outcome)
    return done
