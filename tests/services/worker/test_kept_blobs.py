"""What the stages of a job leave for each other: kept once, found by erase and sweep, gone with the job."""

from __future__ import annotations

import pytest

from claimcheck.erasing import erase_content
from claimcheck.errors import BlobMissing
from claimcheck.job import Job
from claimcheck.sweeping import owned
from services.worker.drain import Drain
from services.worker.kept import KeptBlobs
from services.worker.patience import Patience
from tests.services.worker.conftest import Bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = bytes(range(256)) * 40


def kept_of(bench: Bench, job: Job) -> KeptBlobs:
    """What one run has."""
    return KeptBlobs(job, blobs=bench.blobs, patience=Patience(Drain(25.0)))


async def names(bench: Bench, job: Job) -> list[str]:
    """Of everything that is kept under the job's id."""
    pages = bench.blobs.pages(f"parts/{job.tenant}/{job.job_id}/")
    return [blob.name async for page in pages for blob in page.blobs]


async def test_what_one_run_keeps_another_reads_in_pieces(bench: Bench) -> None:
    job = await bench.job("probe")
    name = await kept_of(bench, job).put(TEXT)
    later = kept_of(bench, job)
    assert await later.read(name) == TEXT
    assert await later.read(name, 5000) == TEXT[5000:]
    assert await later.read(name, 5000, 300) == TEXT[5000:5300]
    assert await later.read(name, len(TEXT) - 10, 300) == TEXT[-10:]
    assert await later.read(name, len(TEXT), 300) == b""


async def test_nothing_is_kept_as_nothing(bench: Bench) -> None:
    kept = kept_of(bench, await bench.job("probe"))
    name = await kept.put(b"")
    assert (await kept.read(name), await kept.read(name, 0, 10)) == (b"", b"")


async def test_second_run_takes_what_the_first_has_kept_under_a_key(bench: Bench) -> None:
    job = await bench.job("probe")
    assert await kept_of(bench, job).put_once("manifest", b"first") == b"first"
    second = kept_of(bench, job)
    assert await second.put_once("manifest", b"second") == b"first"
    assert await second.get("manifest") == b"first"
    assert await second.put_once("other", b"second") == b"second"


async def test_later_job_of_the_same_id_finds_nothing_of_the_earlier(bench: Bench) -> None:
    job = await bench.job("probe")
    await kept_of(bench, job.model_copy(update={"created_at": job.created_at.replace(year=2020)})).put_once("m", b"old")
    kept = kept_of(bench, job)
    with pytest.raises(BlobMissing):
        await kept.get("m")
    assert await kept.put_once("m", b"new") == b"new"


async def test_what_is_deleted_is_gone_and_may_be_deleted_again(bench: Bench) -> None:
    job = await bench.job("probe")
    kept = kept_of(bench, job)
    name = await kept.put(TEXT)
    await kept.delete(name)
    await kept.delete(name)
    with pytest.raises(BlobMissing):
        await kept.read(name)
    assert await names(bench, job) == []


async def test_sweep_knows_every_name_and_erase_deletes_them(bench: Bench) -> None:
    job = await bench.job("probe")
    kept = kept_of(bench, job)
    await kept.put(TEXT)
    await kept.put_once("manifest", b"x")
    found = [owned(name) for name in await names(bench, job)]
    assert [(blob.folder, blob.job_id) for blob in found if blob] == [("parts", job.job_id)] * 2
    await erase_content(bench.records, bench.blobs, job.tenant, job.job_id)
    assert await names(bench, job) == []
