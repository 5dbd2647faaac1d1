"""What the client handed in, in memory: all of it, or a failure that says that it is gone."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from claimcheck.blobs import Blobs
from claimcheck.commands.up.addresses import blob_connection_string
from claimcheck.errors import BlobsUnavailable, UploadMissing
from claimcheck.settings import BlobSettings
from services.worker import fetching
from services.worker.drain import Drain
from services.worker.fetching import Fetching
from services.worker.patience import Patience
from tests.services.worker.conftest import CONTENT, Bench
from tests.stack.ports import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_upload_is_read_into_memory(bench: Bench) -> None:
    job = await bench.job("probe")
    upload = Fetching(job.upload, bench.blobs, Patience(Drain(25.0)))
    assert await upload.in_memory() == CONTENT


async def test_upload_that_is_gone_is_a_failure_of_the_job(bench: Bench) -> None:
    job = await bench.job("probe")
    await bench.blobs.delete(job.upload.blob)
    with pytest.raises(UploadMissing):
        await Fetching(job.upload, bench.blobs, Patience(Drain(25.0))).in_memory()


async def test_storage_that_stays_away_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "STORAGE_S", 0.1)
    job = await bench.job("probe")
    nowhere = SecretStr(blob_connection_string(free_port()))
    blobs = Blobs(BlobSettings(connection_string=nowhere), timeout_s=1)
    with pytest.raises(BlobsUnavailable):
        await Fetching(job.upload, blobs, Patience(Drain(25.0))).in_memory()
    await blobs.close()
