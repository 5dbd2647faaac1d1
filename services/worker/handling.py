"""Give a stage's handler what it needs, run it, and stop it when the lease, the job or the worker's time is over."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from claimcheck import writes
from claimcheck.blobs import Blobs
from claimcheck.errors import TaskNotInstalled, WriteRefused
from claimcheck.job import Job, PartItem, Status
from claimcheck.pipeline import MoveOn
from claimcheck.records import Records
from claimcheck.settings import JobSettings
from claimcheck.tasks import QueueKind, Task
from services.worker.begin import Begun
from services.worker.drain import Drain
from services.worker.engines import Engines
from services.worker.fetching import Fetching
from services.worker.kept import KeptBlobs
from services.worker.lease import Heartbeats, Lease, Overtaken
from services.worker.patience import Patience
from services.worker.scratch import RunFolder, Scratch
from services.worker.stage import Handler, StageRun
from services.worker.stage_ledger import StageLedger

Handlers = Mapping[tuple[str, str], Handler]


def load_handlers(tasks: Mapping[str, Task], kind: QueueKind) -> Handlers:
    """The handlers of every stage on a queue, imported. Raises ImportError, AttributeError at start, not at a job."""
    handlers: dict[tuple[str, str], Handler] = {}
    for task in tasks.values():
        for stage in task.stages:
            if stage.queue == kind:
                module, _, function = stage.handler.partition(":")
                handlers[task.name, stage.name] = getattr(importlib.import_module(module), function)
    return handlers


class Handling:
    """Runs handlers."""

    def __init__(
        self,
        *,
        handlers: Handlers,
        records: Records,
        blobs: Blobs,
        scratch: Scratch,
        engines: Engines,
        drain: Drain,
        heartbeat_s: float,
        settings: JobSettings,
    ) -> None:
        self._handlers, self._records, self._blobs = handlers, records, blobs
        self._scratch, self._engines, self._drain = scratch, engines, drain
        self._patience, self._heartbeat_s, self._settings = Patience(drain), heartbeat_s, settings

    async def run(self, begun: Begun, lease: Lease) -> dict[str, Any] | MoveOn | None:
        """What the handler returned; None if the worker drains and the handler would not end in time.

        Raises what the handler raises, and TaskNotInstalled. It is cancelled when the lease or the job is lost.
        """
        handler = self._handlers.get((begun.job.task, begun.message.stage))
        if handler is None:
            raise TaskNotInstalled(f"this worker has no stage {begun.message.stage} of {begun.job.task}")
        watch = _Watch(self._records, begun, Heartbeats(self._heartbeat_s))
        with self._scratch.run() as folder, lease.checking(watch.check):
            return await self._until_drained(handler(self._stage_run(begun, folder, watch)))

    def _stage_run(self, begun: Begun, folder: RunFolder, watch: _Watch) -> StageRun:
        job = begun.job

        fetching = Fetching(job.upload, self._blobs, self._patience)

        async def fetch_upload(path: Path) -> None:
            await fetching.to_file(folder, path)

        async def finished_parts(stage: str) -> list[PartItem]:
            return await self._records.parts(job, stage)

        return StageRun(
            tenant=job.tenant,
            job_id=job.job_id,
            task=job.task,
            stage=begun.message.stage,
            part=begun.message.part,
            attempt=begun.message.attempt,
            options=job.options,
            upload=job.upload,
            read_upload=fetching.in_memory,
            open_folder=folder.open,
            fetch_upload=fetch_upload,
            finished_parts=finished_parts,
            kept=KeptBlobs(job, blobs=self._blobs, patience=self._patience),
            ledger=self._ledger(begun),
            progress=watch.note_progress,
            engines=self._engines,
        )

    def _ledger(self, begun: Begun) -> StageLedger:
        return StageLedger(
            begun.job,
            begun.message.stage,
            begun.message.part,
            items=self._records.asked,
            patience=self._patience,
            ttl_s=self._settings.deadline_s + self._settings.retention_s,
        )

    async def _until_drained(self, work: Awaitable[dict[str, Any] | MoveOn]) -> dict[str, Any] | MoveOn | None:
        running = asyncio.ensure_future(work)
        over = asyncio.ensure_future(self._drain.wait_over())
        try:
            await asyncio.wait({running, over}, return_when=asyncio.FIRST_COMPLETED)
            return running.result() if running.done() else None
        finally:
            for task in (running, over):
                task.cancel()
            # The handler ends its child processes before the scratch folder goes away under them.
            await asyncio.gather(running, over, return_exceptions=True)


class _Watch:
    """Shows that the stage is alive, and notices when it need not be: at each renewal of the lease."""

    def __init__(self, records: Records, begun: Begun, heartbeats: Heartbeats) -> None:
        self._records, self._begun, self._heartbeats = records, begun, heartbeats
        self._progress = 0.0

    def note_progress(self, progress: float) -> None:
        """Keep the handler's progress for the next heartbeat."""
        self._progress = min(max(progress, 0.0), 1.0)

    async def check(self) -> None:
        """Heartbeat if one is due, else read. Raises Overtaken if the job no longer waits for this run."""
        if self._heartbeats.due():
            await self._heartbeat()
            self._heartbeats.done()
        elif not self._waits_for_us(await self._records.read(self._begun.job.tenant, self._begun.job.job_id)):
            raise Overtaken("the job has ended or is run by someone else")

    async def _heartbeat(self) -> None:
        begun, now = self._begun, datetime.now(UTC)
        write = writes.heartbeat(begun.owner, self._progress, now) if begun.owner else writes.beat(begun.message, now)
        try:
            await self._records.write(begun.job.tenant, begun.job.job_id, write)
        except WriteRefused as cause:
            raise Overtaken("the job has ended or is run by someone else") from cause

    def _waits_for_us(self, record: object) -> bool:
        if not isinstance(record, Job) or record.status != Status.RUNNING:
            return False
        if self._begun.owner:
            return record.run is not None and record.run.owner == self._begun.owner
        return record.epoch == self._begun.message.epoch and record.stage == self._begun.message.stage
