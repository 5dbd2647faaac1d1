"""One run: hand so many uploads in, wait for every job's end, read everything a second time, and judge."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from claimcheck.client import AsyncClient
from claimcheck.commands.verify.history import Attempt, History, Listed, Reading
from claimcheck.commands.verify.reading import jobs_between, listed_of, read, read_at_end
from claimcheck.commands.verify.submitting import Submitter
from claimcheck.commands.verify.verdict import Verdict, judge
from claimcheck.commands.verify.workload import mark, piece

if TYPE_CHECKING:
    from claimcheck.commands.verify.chaos import Chaos

IN_FLIGHT_S: Final = 120.0
"""How long a job keeps its place among those in flight; after that it is waited for at the end."""
CLOCKS: Final = timedelta(minutes=10)
"""How far the server's clock may be behind ours."""
TELL_EVERY_S: Final = 5.0
PASS_S: Final = 1.0
"""Rest after each pass over the jobs that have not ended."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do."""

    run: str
    """Names the run: in the file names of its uploads and in their Idempotency-Keys."""
    task: str
    jobs: int
    concurrency: int
    """How many jobs are in flight at once."""
    wait_s: float
    """How long to wait for the last ones, once all are handed in and nothing is struck any more."""


@dataclass
class Run:
    """The run as far as it has come."""

    plan: Plan
    client: AsyncClient
    submitter: Submitter
    say: Callable[[str], None]
    attempts: list[Attempt]
    """Those that have been made; the first is given."""
    readings: list[Reading] = field(default_factory=list)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def verdict(self, chaos: Chaos | None) -> Verdict:
        """Carry it out. Raises ClientError if the jobs cannot be listed, NoSystem if the system has gone away."""
        # Nothing is struck before a job has ended: then the workers have started too.
        await self._follow(self.attempts[0])
        async with self._telling():
            await self._submit_under(chaos, iter(range(len(self.attempts), self.plan.jobs)))
        self.say(f"all handed in; waiting for {len(self._unended(self._known()))} jobs, {self.plan.wait_s:g} s at most")
        listed = await self._settled()
        await self._each(self._known(listed), self._read)
        history = History(attempts=tuple(self.attempts), readings=tuple(self.readings), listed=tuple(listed))
        return judge(history, now=datetime.now(UTC))

    async def _submit_under(self, chaos: Chaos | None, numbers: Iterator[int]) -> None:
        submitting = asyncio.create_task(self._submit(numbers), name="submitting")
        try:
            async with chaos.raging() if chaos else _nothing() as striking:
                await asyncio.wait({submitting, *([striking] if striking else [])}, return_when="FIRST_COMPLETED")
                if striking and striking.done():
                    striking.result()
            await submitting
        finally:
            submitting.cancel()

    async def _submit(self, numbers: Iterator[int]) -> None:
        async def work() -> None:
            for number in numbers:  # Shared: each takes the next one.
                await self._one(number)

        async with asyncio.TaskGroup() as workers:
            for _ in range(self.plan.concurrency):
                workers.create_task(work())

    async def _one(self, number: int) -> None:
        attempt = await self.submitter.hand_in(number, piece(self.plan.task, self.plan.run, number))
        self.attempts.append(attempt)
        await self._follow(attempt)

    async def _follow(self, attempt: Attempt) -> None:
        for job_id in dict.fromkeys(attempt.accepted):
            self._keep(await read_at_end(self.client, job_id, timeout_s=min(IN_FLIGHT_S, self.plan.wait_s)))

    async def _settled(self) -> list[Listed]:
        """Wait for every job, those in the list too that no answer told of; what the list shows at last."""
        ends_at = time.monotonic() + self.plan.wait_s

        async def wait(job_id: str) -> None:
            left_s = max(0.0, ends_at - time.monotonic())
            self._keep(await read_at_end(self.client, job_id, timeout_s=left_s))

        listed = await self._list()
        while (unended := self._unended(self._known(listed))) and time.monotonic() < ends_at:
            await self._each(unended, wait)
            await asyncio.sleep(PASS_S)  # A refusal is there at once, and would be again.
            listed = await self._list()
        return listed

    async def _list(self) -> list[Listed]:
        now = datetime.now(UTC)
        found = await jobs_between(self.client, self.began_at - CLOCKS, now + CLOCKS)
        return [listed_of(job) for job in found if job.file.name.startswith(mark(self.plan.run))]

    async def _read(self, job_id: str) -> None:
        self._keep(await read(self.client, job_id))

    async def _each(self, job_ids: Iterable[str], do: Callable[[str], Awaitable[None]]) -> None:
        waiting = iter(list(job_ids))

        async def work() -> None:
            for job_id in waiting:
                await do(job_id)

        async with asyncio.TaskGroup() as workers:
            for _ in range(self.plan.concurrency):
                workers.create_task(work())

    def _keep(self, reading: Reading | None) -> None:
        if reading:
            self.readings.append(reading)

    def _known(self, listed: Iterable[Listed] = ()) -> list[str]:
        told = [job_id for attempt in self.attempts for job_id in attempt.accepted]
        return list(dict.fromkeys([*told, *(job.job_id for job in listed)]))

    def _unended(self, job_ids: Iterable[str]) -> list[str]:
        """Those that no reading has shown ended, or gone."""
        done = {reading.job_id for reading in self.readings if reading.ended or reading.status is None}
        return [job_id for job_id in job_ids if job_id not in done]

    @contextlib.asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        async def tell() -> None:
            while True:
                await asyncio.sleep(TELL_EVERY_S)
                ended = len({reading.job_id for reading in self.readings if reading.ended})
                self.say(f"{len(self.attempts)} of {self.plan.jobs} handed in, {ended} ended")

        telling = asyncio.create_task(tell(), name="telling")
        try:
            yield
        finally:
            telling.cancel()


@contextlib.asynccontextmanager
async def _nothing() -> AsyncIterator[asyncio.Task[None] | None]:
    yield None
