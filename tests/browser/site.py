"""The running system as the browser tests use it: addresses, programs, and jobs put straight into its records."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from claimcheck import writes
from claimcheck.job import End, Job, ResultItem, ResultRef, Run, Status, Upload, new_job
from claimcheck.records import Records
from claimcheck.settings import Settings
from claimcheck.tasks import find_task
from claimcheck.web.access import DEFAULT_TENANT
from tests.stack.services import Services
from tests.stack.system import System

TTL_S = 3600

T = TypeVar("T")


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result. In a thread of its own: Playwright's loop runs in the test's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@dataclass(frozen=True)
class Site:
    """Both APIs and perhaps workers. Jobs made here are `tenant`'s; `limit_bytes`, where set, bounds files."""

    system: System
    services: Services
    settings: Settings
    tenant: str = DEFAULT_TENANT
    limit_bytes: int = 0
    proxy_port: int = 0
    """A page that comes from this port of the machine may call both APIs."""

    @property
    def url(self) -> str:
        """The page."""
        return self.system.process_url

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """Inside, this program has crashed; afterwards it runs again and is ready."""
        self.system.kill(name)
        try:
            yield
        finally:
            self.system.restart(name)

    @contextmanager
    def frozen_records(self) -> Iterator[None]:
        """Inside, Cosmos DB accepts connections and answers nothing."""
        os.kill(self.services.cosmos.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.services.cosmos.pid, signal.SIGCONT)

    def succeeded(self, result: dict[str, Any], *, name: str = "talk.wav", task: str = "transcribe") -> str:
        """The id of a job that ended with this result, written as a worker writes it."""
        return finished(self._ended(Status.SUCCEEDED, name, task, result=result))

    def failed(self, error: dict[str, Any], *, name: str = "talk.wav", task: str = "transcribe") -> str:
        """The id of a job that failed with this problem."""
        return finished(self._ended(Status.FAILED, name, task, error=error))

    def fail(self, job_id: str, error: dict[str, Any]) -> None:
        """End this queued job with this problem."""
        finished(self._fail(job_id, error))

    def queued(self, *, age_s: float = 0, attempt: int = 1, due_in_s: float | None = None) -> str:
        """The id of a job without a message, so that it stays as it is: created `age_s` ago, due in `due_in_s`."""
        now = datetime.now(UTC)
        due_at = now + timedelta(seconds=due_in_s) if due_in_s is not None else None
        job = self._job("talk.wav", now - timedelta(seconds=age_s))
        return finished(self._create(job.model_copy(update={"attempt": attempt, "due_at": due_at})))

    def running(self, *, progress: float) -> str:
        """The id of a job that somebody runs and never ends."""
        now = datetime.now(UTC)
        run = Run(sequence_number="1", owner=secrets.token_hex(8), started_at=now, progress=progress)
        job = self._job("talk.wav", now)
        return finished(self._create(job.model_copy(update={"status": Status.RUNNING, "run": run})))

    async def _create(self, job: Job) -> str:
        async with self._records() as records:
            return (await records.create_job(job)).job_id

    async def _ended(self, status: Status, name: str, task: str, **how: dict[str, Any]) -> str:
        async with self._records() as records:
            job = await records.create_job(self._job(name, datetime.now(UTC), task))
            await self._end(records, job, status, **how)
            return job.job_id

    async def _fail(self, job_id: str, error: dict[str, Any]) -> None:
        async with self._records() as records:
            job = await records.read(self.tenant, job_id)
            assert isinstance(job, Job)
            await self._end(records, job, Status.FAILED, error=error)

    async def _end(self, records: Records, job: Job, status: Status, **how: dict[str, Any]) -> None:
        now, where = datetime.now(UTC), (self.tenant, job.job_id)
        owner, item = secrets.token_hex(8), f"result:{secrets.token_hex(8)}"
        await records.write(*where, writes.take(job, Run(sequence_number="1", owner=owner, started_at=now), now))
        if "error" in how:
            end = End(at=now, error=how["error"])
            await records.write(*where, writes.end_by_runner(owner, status, end, TTL_S, now))
        else:
            kept = ResultItem(id=item, tenant=self.tenant, job_id=job.job_id, result=how["result"], ttl=TTL_S)
            end = End(at=now, result=ResultRef(item=item))
            await records.write_with(kept, writes.end_by_runner(owner, status, end, TTL_S, now))

    @asynccontextmanager
    async def _records(self) -> AsyncIterator[Records]:
        records = Records(self.settings.records, timeout_s=10)
        try:
            yield records
        finally:
            await records.close()

    def _job(self, name: str, now: datetime, task: str = "transcribe") -> Job:
        return new_job(
            tenant=self.tenant,
            job_id=str(uuid.uuid4()),
            task=task,
            options={},
            upload=Upload(blob="none", name=name, media_type="audio/wav", size_bytes=352_044, sha256="0" * 64),
            stage=find_task(task).stages[0].name,
            epoch=secrets.token_hex(8),
            now=now,
            deadline_at=now + timedelta(hours=1),
        )


def answer(text: str, **more: Any) -> dict[str, Any]:
    """A result of a language task: what a model answered, and `more`."""
    usage = {"requests": 1, "lost_requests": 0, "input_tokens": 120, "output_tokens": 34, "endpoints": []}
    return {"v": 1, "text": text, "model": "scripted-1", "prompt": "complete/1", "usage": usage, "warnings": [], **more}


def transcript(*texts: str, every_s: float = 2.0, warnings: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    """A result of `transcribe` with one segment per text, each `every_s` long."""
    segments = [
        {"start_s": n * every_s, "end_s": (n + 1) * every_s, "text": text, "confidence": 0.9, "words": []}
        for n, text in enumerate(texts)
    ]
    return {
        "v": 1,
        "language": "en",
        "language_probability": 0.98,
        "duration_s": len(texts) * every_s,
        "model": "tiny.en",
        "text": " ".join(texts),
        "segments": segments,
        "warnings": list(warnings),
    }
