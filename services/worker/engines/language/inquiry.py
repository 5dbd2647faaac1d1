"""One question under way: what its ledger knows of it, and what this delivery has met."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, field

from claimcheck.errors import DependencyUnavailable, PermanentFailure
from claimcheck.language import Asked, Call
from services.worker.engines.language.question import Question
from services.worker.ledger import Ledger

log = logging.getLogger(__name__)

WITHDRAW_S = 1.0
"""A worker that drains, or that has lost the lease, waits no longer than this for a note to be taken back."""


@dataclass
class Inquiry:
    """`noted`: the ledger counts a request that has not been made yet, or has failed for sure."""

    question: Question
    ledger: Ledger
    asked: Asked
    noted: bool
    failing: dict[str, str] = field(default_factory=dict)
    """Endpoints that failed in this delivery, and why."""
    refusing: set[str] = field(default_factory=set)
    """Endpoints that refuse the question for what it is, or would."""
    refusals: list[PermanentFailure] = field(default_factory=list)
    """What those of them that were asked said, in order."""
    blamed: bool = False
    """Whether it is taken for the question's fault: see `blame`."""

    @classmethod
    async def begin(cls, question: Question, ledger: Ledger) -> Inquiry:
        """With what earlier deliveries left. Raises DependencyUnavailable."""
        asked = await ledger.begin(question.name)
        return cls(question, ledger, asked, noted=not asked.calls)

    @property
    def key(self) -> str:
        """Tells this question from every other."""
        return f"{self.asked.job_id}:{self.asked.id}"

    def left(self, names: Collection[str]) -> tuple[str, ...]:
        """Those of them that do not refuse it."""
        return tuple(name for name in names if name not in self.refusing)

    def untried(self, names: Collection[str]) -> tuple[str, ...]:
        """Those of them that have not failed at it either, in this delivery."""
        return tuple(name for name in self.left(names) if name not in self.failing)

    async def note(self) -> bool:
        """Note that a request is about to be made; False: somebody's answer has come, to be looked at first."""
        if not self.noted:
            seen = len(self.asked.calls)
            self.asked = await self.ledger.again(self.asked)
            self.noted = len(self.asked.calls) == seen
        return self.noted

    def made(self) -> None:
        """The request that was noted is made: whatever ends it may lose its answer."""
        self.noted = False

    def failed_for_sure(self) -> None:
        """Nothing of the request is lost, so its note will do for the next one."""
        self.noted = True

    async def keep(self, call: Call) -> None:
        """Keep the answer of the request that was noted. If that fails, the answer is lost."""
        self.asked = await self.ledger.keep(self.asked, call)

    async def withdraw(self) -> None:
        """Take back what was noted for a request that was not made, or failed for sure."""
        if not self.noted:
            return
        try:
            self.asked = await self.ledger.withdraw(self.asked)
            self.noted = False
        except DependencyUnavailable as error:
            # One request too many is called lost: at most so many are.
            log.warning("request.not_withdrawn", extra={"detail": error.detail})

    async def withdraw_soon(self) -> None:
        """The same within a second, whatever becomes of it: whoever asks is being cancelled."""
        if not self.noted:
            return
        withdrawing = asyncio.ensure_future(self.withdraw())
        done, _ = await asyncio.wait([withdrawing], timeout=WITHDRAW_S)
        if not done:
            withdrawing.cancel()
        elif (error := withdrawing.exception()) is not None:
            log.info("request.not_withdrawn", extra={"detail": type(error).__name__})
