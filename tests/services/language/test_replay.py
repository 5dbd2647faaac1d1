"""A dead letter of a long summary is replayed: only what is missing is asked again, from the text that was kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from claimcheck import protocol
from claimcheck.announcing import Announcer
from claimcheck.blobs import Blobs
from claimcheck.dead_letters import DeadLetter, encoded
from claimcheck.erasing import bury, erase_content
from claimcheck.job import Job, PartItem, timestamp
from claimcheck.messaging import Queues
from claimcheck.records import Records
from services.process_api.accept import Intake
from services.process_api.operator.replaying import Replayer
from tests.services.language.conftest import Workplace, succeeded
from tests.services.language.test_summarize import COMBINE, WINDOW, contents, sentences
from tests.services.operators.conftest import store
from tests.stack.client import Body

SKIPPED = 1
TTL_S = 3600


@pytest.fixture
async def records(workplace: Workplace) -> AsyncIterator[Records]:
    """The system's."""
    settings = workplace.stores.services.settings(workplace.stores.names)
    opened = Records(settings.records, timeout_s=10)
    yield opened
    await opened.close()


@pytest.fixture
async def intake(workplace: Workplace, records: Records) -> AsyncIterator[Intake]:
    """What accepts a replay."""
    settings = workplace.stores.services.settings(workplace.stores.names)
    blobs, queues = Blobs(settings.blobs, timeout_s=10), Queues(settings.queue, timeout_s=10)
    yield Intake(settings.job, blobs, records, Announcer(records, queues))
    await queues.close()
    await blobs.close()


async def test_replay_asks_for_the_window_that_was_skipped_and_combines_anew(
    workplace: Workplace, records: Records, intake: Intake
) -> None:
    text = sentences(60)
    workplace.endpoint.script(answer="A summary.")
    first = workplace.ask("summarize", {"text": text})
    windows = succeeded(first)["windows"]
    old = Job.model_validate(workplace.stores.record(first["id"]))
    skip(workplace, old)
    missing = sorted(contents(workplace, WINDOW))[SKIPPED]
    workplace.endpoint.clear()
    workplace.endpoint.script(answer="Another summary.")
    letter = letter_of(old)
    await records.keep_letter(letter)
    new_id = await Replayer(intake, records).replay(letter, force=True, traceparent="")
    # What the old job has is no longer needed.
    assert await bury(records, old.tenant, old.job_id)
    await erase_content(records, intake.blobs, old.tenant, old.job_id)
    result = succeeded(workplace.client.until_ended(new_id))
    assert contents(workplace, WINDOW) == [missing]
    (combined,) = contents(workplace, COMBINE)
    assert combined == "\n\n".join("Another summary." if n == SKIPPED else "A summary." for n in range(windows))
    assert (result["windows"], result["chars"], result["warnings"]) == (windows, len(text), [])
    assert (result["usage"]["requests"], result["usage"]["lost_requests"]) == (2, 0)


def skip(workplace: Workplace, job: Job) -> None:
    """Let one window of the job be one that could not be read."""
    item = PartItem(
        id=PartItem.id_of(job, "language", SKIPPED),
        tenant=job.tenant,
        job_id=job.job_id,
        job_created_at=job.created_at,
        stage="language",
        part=SKIPPED,
        warning={"type": "urn:claimcheck:problem:dead-lettered", "detail": "skipped", "part": SKIPPED},
        ttl=TTL_S,
    )
    body: Body = item.model_dump(mode="json")
    store(workplace.stores, body)


def letter_of(job: Job) -> DeadLetter:
    """The dead letter of that window."""
    now = datetime.now(UTC)
    message = protocol.message_for(job).model_copy(update={"stage": "language", "part": SKIPPED})
    return DeadLetter(
        id=DeadLetter.id_of("language", "1", timestamp(now)),
        tenant=job.tenant,
        job_id=job.job_id,
        task=job.task,
        queue="language",
        sequence_number="1",
        message_id=message.message_id,
        body_base64=encoded(message.encode()),
        reason="MaxDeliveryCountExceeded",
        description="it was delivered 10 times",
        delivery_count=10,
        enqueued_at=now,
        stored_at=now,
        ttl=TTL_S,
    )
