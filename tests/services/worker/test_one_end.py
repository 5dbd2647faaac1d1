"""A job ends once: in whatever order those who end it read and write, one of them wins, and an erased job stays so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claimcheck import writes
from claimcheck.errors import WriteRefused
from claimcheck.job import End, Job, Run, Status, Tombstone
from claimcheck.writes import Write
from tests.services.worker.conftest import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

TTL_S = 3600
OWNER = "0123456789abcdef"


class Scene:
    """One job and those who are about to write it; each remembers what it read."""

    def __init__(self, bench: Bench, job: Job) -> None:
        self._records, self._job = bench.records, job
        self._seen: dict[str, Job] = {}
        self.accepted: list[str] = []
        self.steps: dict[str, Callable[[], Awaitable[object]]] = {
            "worker reads": lambda: self._reads("worker"),
            "worker takes": lambda: self._judged("worker", lambda job, now: writes.take(job, _run(now), now)),
            "worker succeeds": lambda: self._writes(
                lambda now: writes.end_by_runner(OWNER, Status.SUCCEEDED, End(at=now), TTL_S, now)
            ),
            "keeper reads": lambda: self._reads("keeper"),
            "keeper fails it": lambda: self._judged(
                "keeper", lambda job, now: writes.fail_as_read(job, End(at=now, error={}), TTL_S, now)
            ),
            "client cancels": lambda: self._writes(lambda now: writes.cancel(TTL_S, now)),
            "client reads": lambda: self._reads("client"),
            "client touches": lambda: self._judged("client", writes.touch_as_read),
            "eraser reads": lambda: self._reads("eraser"),
            "eraser buries": self._buries,
        }

    async def record(self) -> Job | Tombstone:
        """What is stored now."""
        record = await self._records.read(self._job.tenant, self._job.job_id)
        assert record is not None
        return record

    async def take(self, step: str) -> None:
        """Take one step; a refused write is no step."""
        try:
            await self.steps[step]()
        except WriteRefused:
            return
        self.accepted.append(step)

    async def _reads(self, who: str) -> None:
        record = await self.record()
        # Who meets an ended job has nothing to decide, but it can be erased.
        if isinstance(record, Job) and (who == "eraser" or not record.ended):
            self._seen[who] = record

    async def _judged(self, who: str, write: Callable[[Job, datetime], Write]) -> None:
        if who not in self._seen:
            raise WriteRefused("it has read nothing to judge")
        await self._writes(lambda now: write(self._seen[who], now))

    async def _writes(self, write: Callable[[datetime], Write]) -> None:
        await self._records.write(self._job.tenant, self._job.job_id, write(datetime.now(UTC)))

    async def _buries(self) -> None:
        if "eraser" not in self._seen:
            raise WriteRefused("it has read nothing to bury")
        await self._records.bury(self._seen["eraser"], datetime.now(UTC))


def _run(now: datetime) -> Run:
    return Run(sequence_number="1", owner=OWNER, started_at=now)


ENDS = {"worker succeeds": "succeeded", "keeper fails it": "failed", "client cancels": "cancelled"}
STEPS = (
    *("worker reads", "worker takes", "worker succeeds", "keeper reads", "keeper fails it", "client cancels"),
    *("client reads", "client touches", "eraser reads", "eraser buries"),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(STEPS), erases=st.booleans())
async def test_job_ends_once_in_whatever_order_its_writers_come(bench: Bench, order: list[str], erases: bool) -> None:
    scene = Scene(bench, await bench.job("probe"))
    for step in order:
        if erases or not step.startswith("eraser"):
            before = await scene.record()
            await scene.take(step)
            after = await scene.record()
            if isinstance(before, Tombstone):
                assert after == before, f"{step} wrote an erased job"
            elif before.ended and isinstance(after, Job):
                assert after == before, f"{step} wrote a job that had ended"
    record, ended = await scene.record(), [ENDS[step] for step in scene.accepted if step in ENDS]
    assert len(ended) <= 1
    if isinstance(record, Job):
        assert [record.status] == ended, scene.accepted
    else:
        assert "eraser buries" in scene.accepted
