"""services/process_api/accept.py: what is left when a job cannot be queued."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from claimcheck.announcing import Announcer
from claimcheck.blobs import Blobs
from claimcheck.job import Upload
from claimcheck.messaging import Queues
from claimcheck.records import Records
from claimcheck.settings import Settings
from claimcheck.tasks import find_task
from claimcheck.telemetry import traceparent
from services.process_api.accept import Intake
from tests.services.http.test_refusals import refused
from tests.stack.client import Client
from tests.stack.names import Names
from tests.stack.services import Services
from tests.stack.stores import Stores

SEND_REFUSED = {"kind": "send", "action": "fail", "error": "com.microsoft:server-busy"}


@pytest.mark.parametrize("error", ["drop", "503"])
def test_job_whose_delete_was_not_answered_is_taken_back_with_its_blob(
    client: Client, stores: Stores, error: str
) -> None:
    """The SDK repeats the delete and finds no record; the blob goes all the same."""
    jobs, blobs = stores.items("job"), set(stores.blobs())
    delete = {"kind": "delete", "action": "commit-then-fail", "error": error}
    with stores.queue_fault(**SEND_REFUSED), stores.records_fault(**delete):
        refused(client.post(), 503, "queue-unavailable")
    assert len(stores.items("job")) == len(jobs)
    assert set(stores.blobs()) == blobs


@pytest.fixture
async def intake(settings: Settings) -> AsyncIterator[Intake]:
    """The component inside the test."""
    blobs, records = Blobs(settings.blobs, timeout_s=10), Records(settings.records, timeout_s=10)
    queues = Queues(settings.queue, timeout_s=10)
    yield Intake(settings.job, blobs, records, Announcer(records, queues))
    for opened in (queues, records, blobs):
        await opened.close()


async def test_job_that_no_message_can_name_leaves_no_record(intake: Intake, services: Services, names: Names) -> None:
    job_id, blob, _ = intake.writer("default", None)
    with pytest.raises(ValidationError, match="tenant"):
        await intake.accept(
            tenant="No Name",
            job_id=job_id,
            task=find_task("probe"),
            options={},
            upload=Upload(blob=blob, size_bytes=1, sha256=""),
            traceparent=traceparent(None),
        )
    assert Stores(services, names).items("job") == []
