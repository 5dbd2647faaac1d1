"""When this worker stops, and how long what it runs may still take."""

from __future__ import annotations

import asyncio
import contextlib
import time

PUT_BACK_S = 5.0  # Kept of the drain time for putting back what does not end: a write, a send, a complete.


class Drain:
    """Set once, by SIGTERM."""

    def __init__(self, drain_s: float) -> None:
        self._drain_s = drain_s
        self._begun = asyncio.Event()
        self._begun_at = 0.0

    @property
    def begun(self) -> bool:
        """Whether no new delivery may be taken."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Stop taking work."""
        if not self.begun:
            self._begun_at = time.monotonic()
            self._begun.set()

    @property
    def over(self) -> bool:
        """Whether the process should have ended by now."""
        return self.begun and time.monotonic() > self._begun_at + self._drain_s

    async def wait_begun(self) -> None:
        """Return when the drain begins."""
        await self._begun.wait()

    async def wait_begun_for(self, limit_s: float) -> None:
        """Wait so long, but not through a drain."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._begun.wait()

    async def wait_over(self) -> None:
        """Return when what still runs must be put back."""
        await self._begun.wait()
        allowed_s = max(self._drain_s - PUT_BACK_S, self._drain_s / 2)
        await asyncio.sleep(self._begun_at + allowed_s - time.monotonic())
