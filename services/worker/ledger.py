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

        An item without calls: its caller may ask, and the request is counted, be the item new or found (then the
        requests counted before are lost). One with calls is as it was found: its caller looks at them first, and calls
        `again` before it asks.
        """

    async def find(self, name: str) -> Asked | None:
        """What earlier deliveries left of this question, None if nothing; no request is counted."""

    async def again(self, asked: Asked) -> Asked:
        """Note that one more request is about to be made.

        The item as it is then. If it has calls that the caller has not seen, nothing was noted: it looks at those
        first, and calls this again if it still has to ask.
        """

    async def keep(self, asked: Asked, call: Call) -> Asked:
        """Keep an answer, behind those that are there. The item as it is then: whoever was first has an answer before
        this one, and that is the one that counts.

        Raises AnswerInvalid if it is too large to be kept.
        """

    async def withdraw(self, asked: Asked) -> Asked:
        """The request that was begun last has failed and was seen to fail: nothing of it is lost."""

    async def all(self) -> list[Asked]:
        """Everything that was asked for the job, by any stage and part."""
