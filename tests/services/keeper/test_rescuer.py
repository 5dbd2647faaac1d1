"""The rescuer alone, on a queue of its own: where the line begins, what is left alone, and how much at once."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from claimcheck import protocol, writes
from claimcheck.announcing import Announcer
from claimcheck.commands.up.provision import provision
from claimcheck.errors import QueueUnavailable
from claimcheck.job import Job, PartItem, Parts, Status, Upload, new_job, timestamp
from claimcheck.messages import Message, decode
from claimcheck.messaging import Queues
from claimcheck.records import Records
from claimcheck.settings import JobSettings
from claimcheck.tasks import catalogue
from services.worker.keeper.deadlines import Deadlines
from services.worker.keeper.rescuer import Rescuer
from tests.stack.by_hand import ByHand
from tests.stack.names import NameStock
from tests.stack.services import Services
from tests.stack.stores import Stores

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = timedelta(minutes=5)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Bench:
    """Records and a queue, and rescuers that look at them."""

    services: Services
    stores: Stores
    by_hand: ByHand
    records: Records
    queues: Queues

    def rescuer(self, *, per_min: float = 60) -> Rescuer:
        """As a keeper has it that has just started."""
        return Rescuer(
            "speech",
            catalogue(),
            records=self.records,
            queues=self.queues,
            announcer=Announcer(self.records, self.queues),
            patience=PATIENCE,
            per_min=per_min,
        )

    async def job(self, ago: timedelta, **changes: Any) -> Job:
        """The record of a job that moved so long ago, and no message."""
        then, job_id = datetime.now(UTC) - ago, str(uuid.uuid4())
        fresh = new_job(
            tenant="default",
            job_id=job_id,
            task="probe",
            options={},
            upload=Upload(blob=f"uploads/default/{job_id}/x", size_bytes=1, sha256=""),
            stage="probe",
            epoch=secrets.token_hex(4),
            now=then,
            deadline_at=then + 24 * HOUR,
        )
        return await self.records.create_job(fresh.model_copy(update=changes))

    async def waiting(self, ago: timedelta, **changes: Any) -> Job:
        """A job and its message, both so old; call it for the oldest first."""
        job = await self.job(ago, **changes)
        await self.queues.send("speech", protocol.message_for(job))
        return job

    async def epoch(self, job: Job) -> str:
        """The job's epoch now."""
        record = await self.records.read(job.tenant, job.job_id)
        assert isinstance(record, Job)
        return record.epoch

    async def rescued(self, *jobs: Job) -> list[bool]:
        """Which of the jobs have another epoch than they were made with."""
        return [await self.epoch(job) != job.epoch for job in jobs]

    async def messages(self) -> list[Message]:
        """What is on the queue, in order."""
        return [decode(peeked.body) for peeked in await self.queues.peek("speech", from_number=1, limit=250)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_bench(services: Services, name_stock: NameStock) -> AsyncIterator[Bench]:
    """A module's, since a connection to a queue takes half a second to open and one to close."""
    names = name_stock.take()
    settings = services.settings(names)
    await provision(settings)
    stores = Stores(services, names)
    records, queues = Records(settings.records, timeout_s=10), Queues(settings.queue, timeout_s=10)
    yield Bench(services, stores, ByHand(stores), records, queues)
    await queues.close()
    await records.close()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(module_bench: Bench) -> AsyncIterator[Bench]:
    """Nothing on the queue, and no job."""
    yield module_bench
    for item in module_bench.stores.items("job"):
        module_bench.stores.delete_record(item["job_id"])
    module_bench.by_hand.age(HOUR)  # whatever is scheduled comes due
    module_bench.by_hand.take_off(module_bench.stores.counts()["active"])


async def test_line_of_waiting_jobs_is_left_alone_and_the_one_without_a_message_is_found(bench: Bench) -> None:
    # The lost one is as old as the line's end, and older than its head by more than the patience.
    lost = await bench.job(HOUR + 2 * PATIENCE)
    behind = await bench.job(HOUR - PATIENCE)  # without a message too; its place in the line has not come
    jobs = [await bench.waiting(HOUR) for _ in range(20)]
    bench.by_hand.age(HOUR)
    for _ in range(2):
        await bench.rescuer().once()
        assert await bench.rescued(lost, behind, *jobs) == [True] + [False] * 21
    assert [m.job_id for m in await bench.messages()] == [job.job_id for job in (*jobs, lost)]


async def test_messages_that_are_not_in_the_line_do_not_hide_a_forgotten_job(bench: Bench) -> None:
    lost = await bench.job(HOUR)
    # One is being run for an hour already, by a worker of a newer release; another waits for its retry.
    running = await bench.job(timedelta(), status=Status.RUNNING)
    newer = protocol.message_for(running).model_dump() | {"v": 2, "epoch": ["of", "another", "shape"]}
    bench.stores.send({"running": json.dumps(newer).encode()})
    bench.by_hand.age(HOUR)
    retried = await bench.job(HOUR, due_at=datetime.now(UTC) + HOUR)
    await bench.queues.send("speech", protocol.message_for(retried), due_at=retried.due_at)
    await bench.rescuer().once()
    assert await bench.rescued(lost, running, retried) == [True, False, False]


@pytest.mark.parametrize("old", [b"no message", b'{"v": 1}'])
async def test_old_message_of_which_nothing_is_known_counts_as_waiting(bench: Bench, old: bytes) -> None:
    lost = await bench.job(HOUR)
    bench.stores.send({"strange": old})
    bench.by_hand.age(HOUR)
    await bench.rescuer().once()
    assert await bench.rescued(lost) == [False]
    bench.by_hand.take_off()  # a worker dead-letters it as soon as it comes to it
    await bench.rescuer().once()
    assert await bench.rescued(lost) == [True]


async def test_no_more_are_rescued_in_a_minute_than_may_be_and_those_first_that_waited_longest(bench: Bench) -> None:
    jobs = [await bench.job(HOUR - k * timedelta(minutes=1)) for k in range(5)]
    rescuer = bench.rescuer(per_min=3)
    for _ in range(3):
        await rescuer.once()
        assert await bench.rescued(*jobs) == [True, True, True, False, False]
    assert [m.job_id for m in await bench.messages()] == [job.job_id for job in jobs[:3]]


async def test_rescued_fan_out_stays_running_and_its_chains_go_on_where_they_stopped(bench: Bench) -> None:
    parts = Parts(total=5, done=1)
    lost = await bench.job(HOUR, task="fan", stage="piece", status=Status.RUNNING, parts=parts)
    now = datetime.now(UTC)
    item = PartItem(
        id=PartItem.id_of(lost, "piece", 0),
        tenant=lost.tenant,
        job_id=lost.job_id,
        job_created_at=lost.created_at,
        stage="piece",
        part=0,
        result={},
        ttl=60,
    )
    first = protocol.announce(lost, window=2).messages[0]
    counted = await bench.records.write_with(item, writes.count_part(first, now - HOUR))
    await bench.rescuer().once()
    record = await bench.records.read(lost.tenant, lost.job_id)
    assert isinstance(record, Job)
    assert (record.status, record.parts, record.attempt) == (Status.RUNNING, counted.parts, 1)
    assert {(m.part, m.epoch) for m in await bench.messages()} == {(1, record.epoch), (2, record.epoch)}


async def test_job_that_cannot_be_announced_is_told_and_holds_up_no_other(bench: Bench) -> None:
    first, second = await bench.job(2 * HOUR), await bench.job(HOUR)
    busy = bench.stores.queue_fault(kind="send", action="fail", error="com.microsoft:server-busy")
    with busy, pytest.raises(QueueUnavailable):
        await bench.rescuer().once()
    # The first has its new epoch: it is as fresh as if it had been sent, and is looked for again in time.
    assert await bench.rescued(first, second) == [True, True]
    assert [m.job_id for m in await bench.messages()] == [second.job_id]
    bench.stores.change_record(first.job_id, moved_at=timestamp(datetime.now(UTC) - HOUR))
    bench.by_hand.take_off()
    await bench.rescuer().once()
    assert [m.job_id for m in await bench.messages()] == [first.job_id]


async def test_record_that_a_newer_release_wrote_keeps_no_duty_from_the_others(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    now = timestamp(datetime.now(UTC) - HOUR)
    strange, lost = await bench.job(2 * HOUR), await bench.job(HOUR)
    bench.stores.change_record(strange.job_id, v=2, attempt="first", deadline_at=now)
    await bench.rescuer().once()
    assert await bench.rescued(lost) == [True]
    bench.stores.change_record(lost.job_id, deadline_at=now)
    await Deadlines(bench.records, JobSettings()).once()
    record = await bench.records.read(lost.tenant, lost.job_id)
    assert isinstance(record, Job)
    assert record.status == Status.FAILED
    bench.stores.change_record(strange.job_id, kind="tombstone", erased_at=now, swept=False)
    assert await bench.records.lists.tombstones(erased_before=datetime.now(UTC), limit=10) == []
    said = [line for line in caplog.records if line.message == "record.unreadable"]
    assert len(said) == 1
