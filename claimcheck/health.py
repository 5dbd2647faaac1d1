"""Which dependencies a program waits for, and which have failed since. Knows no HTTP framework."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from claimcheck.errors import ClaimcheckError
from claimcheck.representation import Answer

log = logging.getLogger(__name__)

CHECK_EVERY_S = 2.0

Check = Callable[[], Awaitable[None]]


@dataclass
class Health:
    """Whether this process is of use: not ready until every dependency has answered once, nor while it drains.

    A dependency that fails later only degrades it; each route answers its own 503.
    """

    checks: Mapping[str, Check]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when this process has been told to end."""
    answered: set[str] = field(default_factory=set)
    degraded: set[str] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Ask the dependencies in the background, each on its own, for as long as the context lasts."""
        tasks = [asyncio.create_task(self._watch(name, check)) for name, check in self.checks.items()]
        try:
            yield
        finally:
            self.stopping.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, name: str, check: Check) -> None:
        while True:
            try:
                await check()
                self._note(name, well=True)
            except ClaimcheckError as error:
                self._note(name, well=False, detail=error.detail)
            except Exception as error:  # A malformed key, say: a watcher that died of it would say "starting" for ever.
                if name not in self.degraded:
                    log.exception("dependency.check_failed", extra={"dependency": name})
                self._note(name, well=False, detail=type(error).__name__)
            # Until the first answer a start waits for it, so ask more often.
            await asyncio.sleep(CHECK_EVERY_S if name in self.answered else CHECK_EVERY_S / 10)

    def _note(self, name: str, *, well: bool, detail: str = "") -> None:
        if well and (name in self.degraded or name not in self.answered):
            log.info("dependency.available", extra={"dependency": name})
        if not well and name not in self.degraded:
            log.warning("dependency.unavailable", extra={"dependency": name, "detail": detail})
        (self.degraded.discard if well else self.degraded.add)(name)
        if well:
            self.answered.add(name)

    def answer(self) -> Answer:
        """The answer of /readyz."""
        missing = sorted(set(self.checks) - self.answered)
        if self.stopping.is_set():
            return Answer(503, {"status": "draining", "waiting_for": missing})
        if missing:
            return Answer(503, {"status": "starting", "waiting_for": missing})
        return Answer(200, {"status": "ready", "degraded": sorted(self.degraded)})
