"""One keeper process, wired together. Its duties are independent: one that fails or takes long delays no other."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any, get_args

from aiohttp.web import RouteDef

from claimcheck.announcing import Announcer
from claimcheck.background import ended
from claimcheck.blobs import Blobs
from claimcheck.health import Health
from claimcheck.messaging import Queues, Receiver
from claimcheck.records import Records
from claimcheck.rescuing import PATIENCE_LOCKS
from claimcheck.settings import Settings
from claimcheck.tasks import QueueKind, catalogue
from services.worker.begin import Beginner
from services.worker.drain import Drain
from services.worker.keeper.deadlines import Deadlines
from services.worker.keeper.rescuer import Rescuer
from services.worker.keeper.rounds import Rounds
from services.worker.keeper.second_erase import SecondErase
from services.worker.keeper.sweeping import BlobSweep
from services.worker.keeper.watching import Watcher
from services.worker.settle import Settler

log = logging.getLogger(__name__)

CALL_S = 10.0  # Nobody waits for it, so it may wait longer for an answer than a client would.
KINDS: tuple[QueueKind, ...] = get_args(QueueKind)
# It sends and receives so seldom that one connection each is enough, and that a letter may wait for minutes should its
# connection be half open.
SELDOM = {"senders": 1, "quiet_s": 300.0}
LOOKS_PER_LOCK = 4  # A letter may wait on the link until the next look, and its lease runs meanwhile.


class Keeper:
    """One keeper process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.drain = Drain(settings.worker.drain_s)
        self._records = Records(settings.records, timeout_s=CALL_S)
        self._blobs = Blobs(settings.blobs, timeout_s=CALL_S)
        self._queues = Queues(settings.queue.model_copy(update=SELDOM), timeout_s=CALL_S)
        self._announcer = Announcer(self._records, self._queues)
        self._receivers = {kind: self._queues.receiver(kind, dead_letters=True) for kind in KINDS}
        queues = {f"queue-{kind}": functools.partial(self._queues.ping, kind) for kind in KINDS}
        self.health = Health({"records": self._records.ping, "storage": self._blobs.ping, **queues})
        self.pages: list[RouteDef] = []

    async def run(self) -> None:
        """Keep until the drain begins, then close everything."""
        log.info("keeper.started")
        try:
            async with self.health.watching():
                await self._until_drained(*(duty.run() for duty in self.duties()))
        finally:
            await self.close()
        log.info("keeper.drained")

    def duties(self) -> Iterator[Rounds]:
        """Everything that it does, each on its own."""
        records, blobs, settings = self._records, self._blobs, self._settings.keeper
        retention = timedelta(seconds=self._settings.job.retention_s)
        sweep = BlobSweep(records, blobs, settings, retention=retention)
        yield Rounds("blobs", settings.sweep_s, sweep.once)
        yield Rounds("second erase", settings.sweep_s, SecondErase(records, blobs, settings).once)
        yield Rounds("deadlines", settings.deadline_check_s, Deadlines(records, self._settings.job).once)
        for kind, receiver in self._receivers.items():
            every_s = self._settings.queue.lease_s / LOOKS_PER_LOCK
            yield Rounds(f"dead letters of {kind}", every_s, self._watcher(kind, receiver).once)
            yield Rounds(f"rescue of {kind}", settings.rescue_s, self._rescuer(kind).once)

    def _watcher(self, kind: QueueKind, receiver: Receiver) -> Watcher:
        records, settings = self._records, self._settings.job
        settler = Settler(
            kind=kind,
            records=records,
            blobs=self._blobs,
            queues=self._queues,
            announcer=self._announcer,
            settings=settings,
        )
        return Watcher(
            kind,
            receiver,
            records=records,
            beginner=Beginner(records, self._announcer, settings),
            settler=settler,
            lease_settings=self._settings.queue,
            settings=settings,
        )

    def _rescuer(self, kind: QueueKind) -> Rescuer:
        return Rescuer(
            kind,
            catalogue(),
            records=self._records,
            queues=self._queues,
            announcer=self._announcer,
            patience=timedelta(seconds=PATIENCE_LOCKS * self._settings.queue.lease_s),
            per_min=self._settings.keeper.rescues_per_min,
        )

    async def _until_drained(self, *duties: Coroutine[Any, Any, None]) -> None:
        # At once: a round that is cancelled is done again, by whoever keeps next.
        tasks = [asyncio.create_task(duty) for duty in duties]
        try:
            await self.drain.wait_begun()
        finally:
            await ended(*tasks)

    async def close(self) -> None:
        """Close every connection."""
        async with contextlib.AsyncExitStack() as closing:
            for opened in (self._blobs, self._records, self._queues):
                closing.push_async_callback(opened.close)
