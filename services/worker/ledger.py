"""Keep what models answered before anything is done with it, so that no answer is asked for, or paid for, twice.

One item a question. It is made before the first request, so that a request whose answer was lost in a crash is known.
Thin: what follows from the answers that are there, `engines.language` decides.
"""

from __future__ import annotations

from typing import Protocol

from claimcheck.language import Asked, Call


class Ledger(Protocol):
    """The questions of one stage (of one part) of one job. Every method raises DependencyUnavailable.

    A writer that finds the item changed under it reads it again: whoever wrote first has the answer that counts.
    """

    async def begin(self, name: str) -> Asked:
        """Note that a request is about to be made for this question; or what earlier deliveries left of it.

        A fresh item has `begun` 1 and no calls, and its caller may ask. One that is found is as it was: its caller
        looks at the calls first, and calls `again` before it asks.
        """

    async def again(self, asked: Asked) -> Asked:
        """Note that one more request is about to be made. The item as it is then: perhaps with somebody's answer."""

    async def keep(self, asked: Asked, call: Call) -> Asked:
        """Keep an answer. The item as it is then: with this answer, or with that of whoever was first."""

    async def withdraw(self, asked: Asked) -> Asked:
        """The request that was begun last has failed and was seen to fail: nothing of it is lost."""

    async def all(self) -> list[Asked]:
        """Everything that was asked for the job, by any stage and part."""
