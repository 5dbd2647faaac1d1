"""One keeper process, wired together. Its duties are independent: one that fails or takes long delays no other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from claimcheck.blobs import Blobs
from claimcheck.health import Health
from claimcheck.records import Records
from claimcheck.settings import Settings
from services.worker.drain import Drain
from services.worker.keeper.rounds import Rounds
from services.worker.keeper.second_erase import SecondErase
from services.worker.keeper.sweeping import BlobSweep

log = logging.getLogger(__name__)

CALL_S = 10.0  # Nobody waits for it, so it may wait longer for an answer than a client would.


class Keeper:
    """One keeper process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.keeper
        self._retention = timedelta(seconds=settings.job.retention_s)
        self.drain = Drain(settings.worker.drain_s)
        self._records = Records(settings.records, timeout_s=CALL_S)
        self._blobs = Blobs(settings.blobs, timeout_s=CALL_S)
        self.health = Health({"records": self._records.ping, "storage": self._blobs.ping})

    async def run(self) -> None:
        """Keep until the drain begins, then close everything."""
        log.info("keeper.started")
        try:
            async with self.health.watching():
                await self._until_drained(*(duty.run() for duty in self._duties()))
        finally:
            async with contextlib.AsyncExitStack() as closing:
                for opened in (self._blobs, self._records):
                    closing.push_async_callback(opened.close)
        log.info("keeper.drained")

    def _duties(self) -> list[Rounds]:
        records, blobs, settings = self._records, self._blobs, self._settings
        sweep = BlobSweep(records, blobs, settings, retention=self._retention)
        return [
            Rounds("blobs", settings.sweep_s, sweep.once),
            Rounds("second erase", settings.sweep_s, SecondErase(records, blobs, settings).once),
        ]

    async def _until_drained(self, *duties: Coroutine[Any, Any, None]) -> None:
        # At once: a round that is cancelled is done again, by whoever keeps next.
        tasks = [asyncio.create_task(duty) for duty in duties]
        try:
            await self.drain.wait_begun()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
