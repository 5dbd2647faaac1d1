"""What a store that is not there looks like: a fault of the installation, never a job that does not exist."""

from __future__ import annotations

import uuid

import pytest

from claimcheck.errors import RecordsUnavailable
from claimcheck.records import Records
from claimcheck.settings import Settings
from tests.unit.claimcheck.samples import job


async def test_missing_container_of_records_is_unavailable_and_not_an_orphan(settings: Settings) -> None:
    records = Records(settings.records.model_copy(update={"container": "nowhere"}), timeout_s=10)
    try:
        with pytest.raises(RecordsUnavailable):
            await records.read("default", str(uuid.uuid4()))
        with pytest.raises(RecordsUnavailable):
            await records.create_job(job())
    finally:
        await records.close()
