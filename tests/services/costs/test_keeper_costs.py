"""What a keeper costs in request units: the tables in `docs/architecture.md`, measured by what the emulator charges."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claimcheck import protocol
from claimcheck.job import Job, Status, Upload, new_job
from claimcheck.messaging import Queues
from claimcheck.records import Records
from claimcheck.settings import KeeperSettings, Settings
from claimcheck.tasks import catalogue
from services.worker.keeper.keeper import Keeper
from services.worker.keeper.rounds import Rounds
from tests.services.costs.conftest import Meter
from tests.stack.by_hand import ByHand
from tests.stack.names import Names
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.waiting import eventually

PARTITIONS = 2  # of the emulator
QUERY, READ, CREATE, PATCH = 2 * 2.79, 2.0, 5.71, 10.67
HOUR_S = 3600
HOUR = timedelta(hours=1)
PAGE_RU = 1741
"""An idle keeper's hour with one physical partition, and stages on two queues, as the page says."""


@dataclass(frozen=True)
class Bench:
    """A keeper whose rounds are run one by one, and what it works on."""

    duties: dict[str, Rounds]
    records: Records
    queues: Queues
    by_hand: ByHand

    async def job(self, ago: timedelta, **changes: Any) -> Job:
        """The record of a job that moved so long ago."""
        then, job_id = datetime.now(UTC) - ago, str(uuid.uuid4())
        fresh = new_job(
            tenant="default",
            job_id=job_id,
            task="transcribe",
            options={},
            upload=Upload(blob=f"uploads/default/{job_id}/{secrets.token_hex(8)}", size_bytes=1, sha256="0" * 64),
            stage="whole",
            epoch=secrets.token_hex(4),
            now=then,
            deadline_at=then + 24 * HOUR,
        )
        return await self.records.create_job(fresh.model_copy(update=changes))


@pytest.fixture
async def bench(settings: Settings, services: Services, names: Names) -> AsyncIterator[Bench]:
    """Queues and records that nobody else uses."""
    keeper = Keeper(settings)
    records, queues = Records(settings.records, timeout_s=10), Queues(settings.queue, timeout_s=10)
    duties = {duty.name: duty for duty in keeper.duties()}
    yield Bench(duties, records, queues, ByHand(Stores(services, names)))
    await keeper.close()
    await queues.close()
    await records.close()


async def test_idle_keeper_costs_a_query_of_each_partition_for_each_look(bench: Bench, meter: Meter) -> None:
    hour = 0.0
    for name, duty in bench.duties.items():
        with meter() as used:
            await duty.once()
        looks = name in ("second erase", "deadlines") or (name.startswith("rescue") and _has_stages(name))
        assert used.requests == ({"query": PARTITIONS} if looks else {}), name
        assert used.total == pytest.approx(PARTITIONS * QUERY if looks else 0.0, abs=0.1), name
        hour += HOUR_S / duty.every_s * used.total / PARTITIONS
    assert bench.duties["rescue of speech"].every_s == KeeperSettings().rescue_s, "the page is about the defaults"
    assert hour == pytest.approx(PAGE_RU, rel=0.02)


def _has_stages(duty: str) -> bool:
    return any(stage.queue == duty.split()[-1] for task in catalogue().values() for stage in task.stages)


async def test_letter_costs_a_read_a_create_and_a_patch(bench: Bench, meter: Meter) -> None:
    job = await bench.job(timedelta())
    bench.by_hand.park(protocol.message_for(job).encode())

    async def taken() -> bool:
        # A round that waits too short for the broker costs nothing.
        await bench.duties["dead letters of speech"].once()
        return not bench.by_hand.stores.counts()["dead_lettered"]

    with meter() as used:
        await eventually(taken, "the letter is taken")
    assert used.requests == {"read": 1, "create": 1, "patch": 1}
    assert used.total == pytest.approx(READ + CREATE + PATCH, abs=0.3)


async def test_deadline_costs_a_patch(bench: Bench, meter: Meter) -> None:
    await bench.job(25 * HOUR)
    with meter() as used:
        await bench.duties["deadlines"].once()
    assert used.requests == {"query": PARTITIONS, "patch": 1}
    assert used.without("query").total == pytest.approx(PATCH, abs=0.3)


async def test_rescue_costs_a_patch_and_a_read_of_each_job_that_is_being_run_for_long(
    bench: Bench, meter: Meter
) -> None:
    running = [await bench.job(timedelta(), status=Status.RUNNING) for _ in range(3)]
    for job in running:
        await bench.queues.send("speech", protocol.message_for(job))
    bench.by_hand.age(HOUR)
    await bench.job(HOUR)
    with meter() as used:
        await bench.duties["rescue of speech"].once()
    assert used.requests == {"query": PARTITIONS, "read": len(running), "patch": 1}
    assert used.without("query").total == pytest.approx(len(running) * READ + PATCH, abs=0.3)
    assert used.request_units["query"] == pytest.approx(PARTITIONS * QUERY, abs=0.5)  # and a row
