"""One worker process, wired together; the one place that knows every part of it."""

from __future__ import annotations

import contextlib
import logging

from claimcheck.announcing import Announcer
from claimcheck.blobs import Blobs
from claimcheck.health import Health
from claimcheck.messaging import Queues
from claimcheck.records import Records
from claimcheck.settings import Settings
from claimcheck.tasks import QueueKind, catalogue
from services.worker.begin import Beginner
from services.worker.clock import ClockWatch
from services.worker.consumer import Consumer
from services.worker.drain import Drain
from services.worker.engines import Engines
from services.worker.handling import Handling, load_handlers
from services.worker.metrics import endpoint_pages
from services.worker.runner import Runner
from services.worker.scratch import Scratch
from services.worker.settle import Settler

log = logging.getLogger(__name__)

CALL_S = 10.0  # A worker may wait longer for an answer than a client would.
BLOCK_S = 60.0  # One chunk of a download.


class Worker:
    """One worker process, wired together."""

    def __init__(self, kind: QueueKind, settings: Settings) -> None:
        self._kind, self._settings = kind, settings
        self.drain = Drain(settings.worker.drain_s)
        self._records = Records(settings.records, timeout_s=CALL_S)
        self._blobs = Blobs(settings.blobs, timeout_s=BLOCK_S)
        self.queues = Queues(settings.queue, timeout_s=CALL_S)
        self._scratch = Scratch(settings.worker.scratch_dir, settings.worker.scratch_max_bytes)
        self._engines = Engines.of(settings)
        self.health = Health(
            {
                "records": self._records.ping,
                "storage": self._blobs.ping,
                "queue": lambda: self.queues.ping(kind),
            }
        )
        # A worker of another queue never asks its endpoints, and would call each of them ready.
        self.pages = endpoint_pages(lambda: self._engines.language.states()) if kind == "language" else []

    async def run(self) -> None:
        """Work until the drain is over, then close everything."""
        slots = self._slots()
        consumer = Consumer(
            kind=self._kind,
            queues=self.queues,
            runner=self.runner(),
            slots=slots,
            drain=self.drain,
            health=self.health,
            clock=ClockWatch(self._settings.queue.lease_s),
            ready_in_s=self._engines.language.next_in_s if self._kind == "language" else lambda: 0.0,
        )
        log.info("worker.started", extra={"role": self._kind, "slots": slots})
        try:
            async with self.health.watching():
                if self._kind == "language":
                    await self._engines.language.open()
                await consumer.run()
        finally:
            await self.close()
        log.info("worker.drained")

    def _slots(self) -> int:
        # A question to a model is waited for, an inference of our own is worked on.
        return self._settings.language.slots if self._kind == "language" else self._settings.worker.slots

    def runner(self) -> Runner:
        """What runs one delivery."""
        announcer = Announcer(self._records, self.queues)
        return Runner(
            kind=self._kind,
            queues=self.queues,
            beginner=Beginner(self._records, announcer, self._settings.job),
            handling=self._handling(),
            settler=Settler(
                kind=self._kind,
                records=self._records,
                blobs=self._blobs,
                queues=self.queues,
                announcer=announcer,
                settings=self._settings.job,
            ),
            lease_settings=self._settings.queue,
            settings=self._settings.job,
            drain=self.drain,
        )

    def _handling(self) -> Handling:
        return Handling(
            handlers=load_handlers(catalogue(), self._kind),
            records=self._records,
            blobs=self._blobs,
            scratch=self._scratch,
            engines=self._engines,
            drain=self.drain,
            heartbeat_s=self._settings.queue.lease_s,
            settings=self._settings.job,
        )

    async def close(self) -> None:
        """Close every connection and remove the scratch folder."""
        async with contextlib.AsyncExitStack() as closing:
            closing.callback(self._scratch.close)
            closing.push_async_callback(self._engines.close)
            for opened in (self._blobs, self._records, self.queues):
                closing.push_async_callback(opened.close)
