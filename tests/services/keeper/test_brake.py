"""services/worker/keeper/brake.py: a sweep stops before it deletes by the wrong records, and for nothing else."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from claimcheck.sweeping import SAMPLE
from tests.services.keeper.conftest import Bench

FEW = 20


async def leave(bench: Bench, count: int) -> set[str]:
    """Store uploads without a record; their names."""
    return {*await asyncio.gather(*(bench.leave("uploads") for _ in range(count)))}


async def test_full_sweep_without_the_records_deletes_nothing_and_says_what_to_do(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    left, sweep = await leave(bench, SAMPLE), bench.sweep()
    bench.age()
    await sweep.once()
    await sweep.once()
    assert await bench.names() == left
    braked = [record for record in caplog.records if record.message == "sweep.braked"]
    assert [record.levelno for record in braked] == [logging.ERROR] * 2
    assert vars(braked[0])["without_record"] == SAMPLE
    assert "CLAIMCHECK_KEEPER__BRAKE=false" in vars(braked[0])["detail"]


async def test_installation_of_its_own_does_not_hide_the_blobs_of_another(bench: Bench) -> None:
    # Ours come first by name: who looked at the first by name only would see nothing wrong.
    jobs = await asyncio.gather(*(bench.job(f"00000000-0000-4000-8000-{number:012x}") for number in range(SAMPLE)))
    theirs = await leave(bench, 2 * SAMPLE)
    bench.age()
    await bench.sweep().once()
    assert await bench.names() == theirs | {job.upload.blob for job in jobs}


async def test_without_the_brake_the_same_blobs_go(bench: Bench) -> None:
    await leave(bench, SAMPLE)
    bench.age()
    await bench.sweep(brake=False).once()
    assert await bench.names() == set()


async def test_uploads_of_expired_jobs_go_however_many_they_are(bench: Bench) -> None:
    await leave(bench, SAMPLE)
    bench.age()
    await bench.sweep(retention=timedelta(seconds=bench.settings.orphan_age_s)).once()
    assert await bench.names() == set()


async def test_orphans_among_the_uploads_of_jobs_go(bench: Bench) -> None:
    jobs = await asyncio.gather(*(bench.job() for _ in range(3 * SAMPLE)))
    await leave(bench, FEW)
    bench.age()
    await bench.sweep().once()
    assert await bench.names() == {job.upload.blob for job in jobs}


async def test_orphans_of_a_small_installation_go(bench: Bench) -> None:
    await leave(bench, SAMPLE - 1)
    bench.age()
    await bench.sweep().once()
    assert await bench.names() == set()
