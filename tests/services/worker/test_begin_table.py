"""Every row of the table of section 5, set up over the wire: what the record says, what is delivered, what is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claimcheck import protocol, writes
from claimcheck.announcing import Announcer
from claimcheck.job import End, Job, PartItem, Parts, Run, Status
from claimcheck.messages import Message
from tests.services.worker.conftest import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER_EPOCH = "ffffffff"


def runner(sequence_number: str) -> Run:
    return Run(sequence_number=sequence_number, owner="somebody", started_at=datetime.now(UTC))


def changed(message: Message, **changes: Any) -> Message:
    return message.model_copy(update=changes)


async def finish_part(bench: Bench, job: Job, part: int) -> None:
    """What another worker's batch would have written."""
    message = Message(tenant=job.tenant, job_id=job.job_id, epoch=job.epoch, stage=job.stage, part=part)
    item = PartItem(
        id=PartItem.id_of(job, job.stage, part),
        tenant=job.tenant,
        job_id=job.job_id,
        job_created_at=job.created_at,
        stage=job.stage,
        part=part,
        result={"part": part},
        ttl=3600,
    )
    await bench.records.write_with(item, writes.count_part(message, datetime.now(UTC)))


async def test_no_record_the_orphan_is_completed(bench: Bench) -> None:
    job = await bench.job("probe")
    await bench.records.delete_unchanged(job)
    await bench.deliver(protocol.message_for(job))
    assert await bench.waiting() == []
    assert await bench.records.read(job.tenant, job.job_id) is None


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
async def test_ended_job_is_left_alone(bench: Bench, status: Status) -> None:
    job = await bench.job("probe", status=status, end=End(at=datetime.now(UTC)))
    await bench.deliver(protocol.message_for(job))
    assert await bench.record(job) == job
    assert await bench.waiting() == []


async def test_finished_part_passes_on_and_is_completed(bench: Bench) -> None:
    job = await bench.job("fan", status=Status.RUNNING, stage="piece", parts=Parts(total=5))
    await finish_part(bench, job, 0)
    await bench.deliver(changed(protocol.message_for(job), part=0))
    assert [(m.stage, m.part) for m in await bench.messages()] == [("piece", 2)]
    assert (await bench.record(job)).parts.done == 1


async def test_finished_part_of_an_earlier_epoch_passes_on_with_the_records_epoch(bench: Bench) -> None:
    job = await bench.job("fan", status=Status.RUNNING, stage="piece", parts=Parts(total=5))
    await finish_part(bench, job, 0)
    await bench.deliver(changed(protocol.message_for(job), part=0, epoch=OTHER_EPOCH))
    assert [(m.epoch, m.part) for m in await bench.messages()] == [(job.epoch, 2)]


@pytest.mark.parametrize("change", [{"epoch": OTHER_EPOCH}, {"stage": "begin"}])
async def test_part_of_another_epoch_or_stage_announces_the_heads(bench: Bench, change: dict[str, str]) -> None:
    job = await bench.job("fan", status=Status.RUNNING, stage="piece", parts=Parts(total=5))
    await finish_part(bench, job, 1)
    await bench.deliver(changed(protocol.message_for(job), **{"part": 4, **change}))
    assert sorted((m.part or 0) for m in await bench.messages()) == [0, 3]
    assert {m.epoch for m in await bench.messages()} == {job.epoch}


async def test_part_over_the_limit_is_skipped_with_a_warning_and_passes_on(bench: Bench) -> None:
    job = await bench.job("fan", status=Status.RUNNING, stage="piece", parts=Parts(total=5))
    await bench.deliver(changed(protocol.message_for(job), part=1), earlier=3)
    items = await bench.records.parts(job, "piece")
    assert [(i.part, i.result, (i.warning or {})["type"]) for i in items] == [
        (1, None, "urn:claimcheck:problem:worker-died")
    ]
    assert [m.part for m in await bench.messages()] == [3]
    assert (await bench.record(job)).parts.done == 1


async def test_join_that_a_new_epoch_refuses_is_made_in_that_epoch(bench: Bench) -> None:
    job = await bench.job("fan", status=Status.RUNNING, stage="piece", parts=Parts(total=1))
    await finish_part(bench, job, 0)
    counted = await bench.record(job)
    rescued = writes.Write({"epoch": OTHER_EPOCH}, etag=counted.etag)
    await bench.records.write(job.tenant, job.job_id, rescued)

    await Announcer(bench.records, bench.queues).written(counted)
    assert (await bench.record(job)).stage == "assemble"
    assert [(m.epoch, m.stage) for m in await bench.messages()] == [(OTHER_EPOCH, "assemble")]


async def test_stage_without_parts_is_joined_also_where_the_record_leaves_its_counters_out(bench: Bench) -> None:
    job = await bench.job("fan", status=Status.RUNNING, stage="piece", parts=Parts())
    await Announcer(bench.records, bench.queues).written(job)
    assert (await bench.record(job)).stage == "assemble"


async def test_parts_of_an_earlier_job_of_the_same_id_are_not_this_jobs(bench: Bench) -> None:
    # As where an idempotency key came again after its job had expired, and before the parts had.
    earlier = await bench.job("fan", status=Status.RUNNING, stage="piece", parts=Parts(total=5))
    await finish_part(bench, earlier, 1)
    await bench.records.delete_unchanged(await bench.record(earlier))
    later = earlier.created_at + timedelta(days=8)
    job = await bench.records.create_job(earlier.model_copy(update={"created_at": later}))

    await bench.deliver(changed(protocol.message_for(job), part=1))
    assert [item.job_created_at for item in await bench.records.parts(job, "piece")] == [job.created_at]
    assert (await bench.record(job)).parts.done == 1


async def test_part_is_run_without_changing_the_jobs_status(bench: Bench) -> None:
    job = await bench.job("fan", status=Status.RUNNING, stage="piece", parts=Parts(total=5))
    await bench.deliver(changed(protocol.message_for(job), part=1))
    after = await bench.record(job)
    assert (after.status, after.attempt, after.run, after.parts.done) == (Status.RUNNING, 1, None, 1)
    assert [m.part for m in await bench.messages()] == [3]


@pytest.mark.parametrize(
    "change", [{"epoch": OTHER_EPOCH}, {"stage": "earlier"}, {"attempt": 1}, {"turn": 1}], ids=lambda c: next(iter(c))
)
@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
async def test_message_behind_the_record_announces_and_runs_nothing(
    bench: Bench, change: dict[str, Any], status: Status
) -> None:
    held = runner("12345") if status == Status.RUNNING else None
    job = await bench.job("probe", status=status, attempt=2, turn=2, run=held)
    await bench.deliver(changed(protocol.message_for(job), **change))
    assert await bench.messages() == [protocol.message_for(job)]
    after = await bench.record(job)
    assert (after.status, after.run) == (job.status, job.run)
    assert after.moved_at > job.moved_at


async def test_what_is_announced_waits_for_a_due_time_that_is_ahead(bench: Bench) -> None:
    due_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    job = await bench.job("probe", attempt=2, due_at=due_at)
    await bench.deliver(changed(protocol.message_for(job), attempt=1))
    (announced,) = await bench.waiting()
    assert announced.due_at == due_at


async def test_copy_of_the_running_message_is_completed_unrun(bench: Bench) -> None:
    job = await bench.job("probe", status=Status.RUNNING, run=runner("12345"))
    await bench.deliver(protocol.message_for(job))
    assert await bench.record(job) == job
    assert await bench.waiting() == []


async def test_copy_over_the_limit_does_not_fail_the_job_either(bench: Bench) -> None:
    job = await bench.job("probe", status=Status.RUNNING, run=runner("12345"))
    await bench.deliver(protocol.message_for(job), earlier=3)
    assert await bench.record(job) == job


async def test_job_over_the_limit_fails_without_being_run(bench: Bench) -> None:
    job = await bench.job("probe")
    await bench.deliver(protocol.message_for(job), earlier=3)
    after = await bench.record(job)
    assert after.status == Status.FAILED
    assert after.end is not None
    assert (after.end.error or {})["type"] == "urn:claimcheck:problem:worker-died"
    assert "3 deliveries" in (after.end.error or {})["detail"]
    assert await bench.waiting() == []


async def test_queued_job_is_taken_and_run(bench: Bench) -> None:
    job = await bench.job("probe", {"do": "read"})
    await bench.deliver(protocol.message_for(job))
    assert (await bench.record(job)).status == Status.SUCCEEDED
    assert (await bench.result(job))["text"] == "the upload"
    assert await bench.waiting() == []


async def test_stage_without_a_runner_is_taken_and_run(bench: Bench) -> None:
    job = await bench.job("fan", status=Status.RUNNING, stage="assemble")
    await bench.deliver(protocol.message_for(job))
    assert (await bench.record(job)).status == Status.SUCCEEDED


async def test_redelivery_takes_over_from_the_runner_of_the_same_message(bench: Bench) -> None:
    job = await bench.job("probe")
    await bench.queues.send("speech", protocol.message_for(job))
    (sent,) = await bench.waiting()
    dead = runner(sent.sequence_number)
    write = writes.take_unread(protocol.message_for(job), dead, datetime.now(UTC))
    await bench.records.write(job.tenant, job.job_id, write)
    await bench.run_next(earlier=1)
    after = await bench.record(job)
    assert (after.status, after.attempt) == (Status.SUCCEEDED, 1)


async def test_runner_whose_job_was_taken_over_cannot_write(bench: Bench) -> None:
    job = await bench.job("probe")
    await bench.queues.send("speech", protocol.message_for(job))
    (sent,) = await bench.waiting()
    stale = runner(sent.sequence_number)
    write = writes.take_unread(protocol.message_for(job), stale, datetime.now(UTC))
    await bench.records.write(job.tenant, job.job_id, write)
    await bench.run_next(earlier=1)
    ended = await bench.record(job)
    with pytest.raises(Exception, match="not what its writer took it for"):
        await bench.records.write(job.tenant, job.job_id, writes.heartbeat(stale.owner, 0.9, datetime.now(UTC)))
    assert await bench.record(job) == ended
