"""Which dependencies a program waits for, and which have failed since. Knows no HTTP framework."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from claimcheck.background import ended
from claimcheck.errors import ClaimcheckError
from claimcheck.representation import Answer

log = logging.getLogger(__name__)

CHECK_EVERY_S = 2.0
CHECK_S = 10.0  # Whoever asks may be more patient with an answer that it needs; by then this one is not well.

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
    degraded: dict[str, set[str]] = field(default_factory=dict)
    """Dependency that did not answer last time -> the causes since it last did."""
    _well: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def well(self) -> bool:
        """Whether every dependency has answered, and last time too."""
        return self._well.is_set()

    async def wait_well(self) -> None:
        """Return once that is so."""
        await self._well.wait()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Ask the dependencies in the background, each on its own, for as long as the context lasts."""
        tasks = [asyncio.create_task(self._watch(name, check)) for name, check in self.checks.items()]
        try:
            yield
        finally:
            self.stopping.set()
            await ended(*tasks)

    async def _watch(self, name: str, check: Check) -> None:
        while True:
            try:
                async with asyncio.timeout(CHECK_S):
                    await check()
                self._note(name, well=True)
            except TimeoutError:
                self._note(name, well=False, detail=f"no answer within {CHECK_S:g} s")
            except ClaimcheckError as error:
                self._note(name, well=False, detail=error.detail)
            except Exception as error:  # A malformed key, say: a watcher that died of it would say "starting" for ever.
                if name not in self.degraded:
                    log.exception("dependency.check_failed", extra={"dependency": name})
                self._note(name, well=False, detail=type(error).__name__)
            # Until the first answer a start waits for it, so ask more often. With jitter: an outage is the same moment
            # for everybody.
            every_s = CHECK_EVERY_S if name in self.answered else CHECK_EVERY_S / 10
            await asyncio.sleep(every_s * random.uniform(0.75, 1.25))

    def _note(self, name: str, *, well: bool, detail: str = "") -> None:
        if well and (name in self.degraded or name not in self.answered):
            log.info("dependency.available", extra={"dependency": name})
        # Again when the cause is another one: first nobody listens, then the key is refused.
        if not well and detail not in self.degraded.get(name, ()):
            log.warning("dependency.unavailable", extra={"dependency": name, "detail": detail})
        if well:
            self.degraded.pop(name, None)
            self.answered.add(name)
        else:
            self.degraded.setdefault(name, set()).add(detail)
        all_well = not self.degraded and self.answered.issuperset(self.checks)
        (self._well.set if all_well else self._well.clear)()

    def answer(self) -> Answer:
        """The answer of /readyz."""
        missing = sorted(set(self.checks) - self.answered)
        if self.stopping.is_set():
            return Answer(503, {"status": "draining", "waiting_for": missing})
        if missing:
            return Answer(503, {"status": "starting", "waiting_for": missing})
        return Answer(200, {"status": "ready", "degraded": sorted(self.degraded)})
