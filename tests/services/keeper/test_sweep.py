"""services/worker/keeper/sweeping.py, round by round: which blobs go, and when a round looks at them."""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from claimcheck import writes
from claimcheck.blobs import listing
from claimcheck.errors import BlobsUnavailable, RecordsUnavailable
from claimcheck.job import End, ResultRef
from claimcheck.sweeping import FOLDERS
from tests.services.keeper.conftest import Bench
from tests.stack.stores import Stores


async def test_blobs_without_a_record_go_and_those_of_jobs_stay(bench: Bench) -> None:
    jobs = [await bench.job() for _ in range(3)]
    for folder in ("uploads", "parts", "results"):
        await bench.leave(folder)
    bench.age()
    await bench.sweep().once()
    assert await bench.names() == {job.upload.blob for job in jobs}


async def test_young_blob_is_left_to_the_request_that_is_about_to_record_it(bench: Bench) -> None:
    sweep, blob = bench.sweep(), await bench.leave("uploads")
    await sweep.once()
    assert await bench.names() == {blob}
    bench.age()
    await sweep.once()
    assert await bench.names() == set()


async def test_upload_that_lost_against_another_of_its_key_goes(bench: Bench) -> None:
    job = await bench.job()
    await bench.leave("uploads", job.job_id)
    bench.age()
    await bench.sweep().once()
    assert await bench.names() == {job.upload.blob}


async def test_result_that_lost_goes_once_the_job_has_ended_and_the_named_one_stays(bench: Bench) -> None:
    job = await bench.job()
    result, lost = [await bench.leave("results", job.job_id) for _ in range(2)]
    bench.age()
    await bench.sweep().once()
    assert await bench.names() == {job.upload.blob, result, lost}
    now = datetime.now(UTC)
    await bench.records.write(
        job.tenant, job.job_id, writes.fail_as_read(job, End(at=now, result=ResultRef(blob=result)), 60, now)
    )
    await bench.sweep().once()
    assert await bench.names() == {job.upload.blob, result}


async def test_blobs_of_an_erased_job_go(bench: Bench) -> None:
    job = await bench.job()
    await bench.leave("results", job.job_id)
    await bench.records.bury(job, datetime.now(UTC))
    bench.age()
    await bench.sweep().once()
    assert await bench.names() == set()


async def test_expired_job_is_found_by_the_next_full_sweep_and_by_none_before(bench: Bench) -> None:
    job, sweep = await bench.job(), bench.sweep()
    result = await bench.leave("results", job.job_id)
    bench.age()
    await sweep.once()
    await bench.records.delete_unchanged(job)
    await sweep.once()
    assert await bench.names() == {job.upload.blob, result}
    await bench.sweep().once()
    assert await bench.names() == set()


async def test_blob_with_a_name_of_somebody_else_is_left_alone_and_told_of_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    others = {"uploads/notes.txt", f"uploads/default/{uuid.uuid4()}/notes.txt", "backups/default/a", "results/x/y/z"}
    for name in others:
        await bench.blobs.put(name, b"theirs", "text/plain")
    sweep = bench.sweep()
    bench.age()
    with caplog.at_level(logging.WARNING):
        await sweep.once()
        await sweep.once()
    assert await bench.names() == others
    assert caplog.messages.count("blob.not_ours") == 1


async def test_blobs_over_several_pages_are_each_judged_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listing, "PAGE_BLOBS", 20)
    jobs = await asyncio.gather(*(bench.job() for _ in range(25)))
    orphans = await asyncio.gather(*(bench.leave("results") for _ in range(90)))
    bench.age()
    with caplog.at_level(logging.INFO):
        await bench.sweep().once()
    assert await bench.names() == {job.upload.blob for job in jobs}
    assert caplog.messages.count("blob.swept") == len(orphans)
    (ended,) = [vars(record) for record in caplog.records if record.message == "sweep.ended"]
    assert (ended["listed"], ended["read"], ended["deleted"]) == (115, 115, 90)


async def test_round_that_deleted_nothing_says_nothing_at_info(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.job()
    bench.age()
    with caplog.at_level(logging.INFO, logger="services"):
        await bench.sweep().once()
    assert "sweep.ended" not in caplog.messages


async def test_round_whose_reads_fail_is_made_up_for_by_the_next(bench: Bench, stores: Stores) -> None:
    sweep = bench.sweep()
    await sweep.once()
    await bench.leave("uploads")
    bench.age()
    with stores.records_fault(kind="read", action="fail", error="503", times=50), pytest.raises(RecordsUnavailable):
        await sweep.once()
    await sweep.once()
    assert await bench.names() == set()


async def test_blob_that_cannot_be_deleted_or_judged_keeps_no_other_from_being_swept(
    bench: Bench, stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    names = [await bench.leave(folder, "0" * 8 + str(uuid.uuid4())[8:]) for folder in FOLDERS for _ in range(10)]
    newer = await bench.job()
    stores.change_record(newer.job_id, status="hibernating")
    held = min(names)
    sweep = bench.sweep()
    bench.age()
    with stores.held_blob(held), pytest.raises((BlobsUnavailable, ValidationError)):
        await sweep.once()
    assert await bench.names() == {held, newer.upload.blob}
    failed = [vars(record)["blob"] for record in caplog.records if record.message == "blob.sweep_failed"]
    assert sorted(failed) == sorted([held, newer.upload.blob])
    stores.change_record(newer.job_id, status="queued")
    await sweep.once()
    assert await bench.names() == {newer.upload.blob}


async def test_sweep_keeps_to_its_pace(bench: Bench) -> None:
    for _ in range(8):
        await bench.leave("uploads")
    bench.age()
    began_at = asyncio.get_running_loop().time()
    await bench.sweep(reads_per_s=10.0).once()
    assert asyncio.get_running_loop().time() - began_at >= timedelta(seconds=0.8).total_seconds()
    assert await bench.names() == set()


async def test_two_sweeps_at_once_do_no_harm(bench: Bench) -> None:
    jobs = await asyncio.gather(*(bench.job() for _ in range(20)))
    await asyncio.gather(*(bench.leave(folder) for folder in ("uploads", "parts", "results") for _ in range(20)))
    bench.age()
    await asyncio.gather(bench.sweep().once(), bench.sweep().once())
    assert await bench.names() == {job.upload.blob for job in jobs}
