"""An earlier job's text as the input of another: what is copied, what is refused, and what a key remembers."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from claimcheck.blobs import Blobs
from claimcheck.job import End, Job, ResultRef, Status, Upload, new_job
from claimcheck.records import Records
from claimcheck.tasks import find_task
from tests.services.http.conftest import Idle
from tests.services.http.test_refusals import refused
from tests.stack.client import Client
from tests.stack.services import Services
from tests.stack.stores import Stores

TEXT = "Grüße aus dem früheren Job 🎙"


@dataclass(frozen=True)
class Earlier:
    """Stores jobs as workers leave them."""

    records: Records
    blobs: Blobs

    async def job(
        self,
        *,
        task: str = "complete",
        text: str | None = TEXT,
        status: Status = Status.SUCCEEDED,
        tenant: str = "default",
        name: str = "talk.mp3",
    ) -> str:
        """The id of a job with this text; None: it has no result."""
        now, job_id = datetime.now(UTC), str(uuid.uuid4())
        result = f"results/{tenant}/{job_id}/{secrets.token_hex(8)}"
        await self.blobs.put(result, json.dumps({"text": text}).encode(), "application/json")
        made: Job = new_job(
            tenant=tenant,
            job_id=job_id,
            task=task,
            options={},
            upload=Upload(blob=f"uploads/{tenant}/{job_id}/0", name=name, size_bytes=1, sha256="0" * 64),
            stage=find_task(task).stages[0].name,
            epoch="0123abcd",
            now=now,
            deadline_at=now + timedelta(hours=1),
        )
        end = End(at=now, result=None if text is None else ResultRef(blob=result))
        ended: dict[str, Any] = {} if status in (Status.QUEUED, Status.RUNNING) else {"end": end, "ttl": 3600}
        await self.records.create_job(made.model_copy(update={"status": status, **ended}))
        return job_id


@pytest.fixture
async def earlier(services: Services, idle: Idle) -> AsyncIterator[Earlier]:
    """Of the system whose jobs stay queued."""
    settings = services.settings(idle.stores.names)
    records, blobs = Records(settings.records, timeout_s=10), Blobs(settings.blobs, timeout_s=10)
    yield Earlier(records, blobs)
    for opened in (records, blobs):
        await opened.close()


def summarize(client: Client, job_id: str, *, key: str | None = None, **options: Any) -> httpx.Response:
    """Whatever is answered to a wish for a summary of that job's text."""
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"task": "summarize", "input": {"job_id": job_id}, "options": options}
    return client.process.post("/v1/jobs", json=body, headers=headers)


async def test_text_of_an_earlier_job_is_copied(idle: Idle, earlier: Earlier) -> None:
    source = await earlier.job()
    answer = summarize(idle.client, source)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert (made["input_of"], made["file"]["name"], made["file"]["media_type"]) == (source, "talk.txt", "text/plain")
    assert idle.client.job(made["id"])["input_of"] == source
    idle.client.erase(source)
    record = idle.stores.record(made["id"])
    assert idle.stores.read_blob(record["upload"]["blob"]).decode() == f"{TEXT}\n"


async def test_text_that_came_without_a_file_name_has_none(idle: Idle, earlier: Earlier) -> None:
    assert summarize(idle.client, await earlier.job(name="")).json()["file"]["name"] == ""


async def test_unknown_foreign_erased_and_malformed_ids_are_the_same_404(idle: Idle, earlier: Earlier) -> None:
    foreign, erased = await earlier.job(tenant="acme"), await earlier.job()
    idle.client.erase(erased)
    answers = [summarize(idle.client, i) for i in (str(uuid.uuid4()), foreign, erased, "", "../jobs", erased.upper())]
    problems = [refused(answer, 404, "job-not-found", "there is no job with this id") for answer in answers]
    assert all(problem == problems[0] for problem in problems)


@pytest.mark.parametrize("status", ["queued", "running"])
async def test_job_that_has_not_ended_is_409(idle: Idle, earlier: Earlier, status: str) -> None:
    answer = summarize(idle.client, await earlier.job(status=Status(status)))
    refused(answer, 409, "job-has-not-ended", f"is {status}; its result can be an input once it has succeeded")


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_job_that_has_failed_or_was_cancelled_is_409(idle: Idle, earlier: Earlier, status: str) -> None:
    answer = summarize(idle.client, await earlier.job(status=Status(status), text=None))
    refused(answer, 409, "job-has-no-result", f"is {status}, so it has no result")


async def test_job_whose_result_is_no_text_is_refused(idle: Idle, earlier: Earlier) -> None:
    answer = summarize(idle.client, await earlier.job(task="probe"))
    refused(answer, 400, "input-not-taken", "is of the task probe, whose result is no text")


@pytest.mark.parametrize("text", ["", " \n"])
async def test_empty_text_is_refused(idle: Idle, earlier: Earlier, text: str) -> None:
    refused(summarize(idle.client, await earlier.job(text=text)), 400, "empty-upload", "is empty")


async def test_refused_source_leaves_no_job_and_no_blob(idle: Idle, earlier: Earlier) -> None:
    source = await earlier.job(text="")
    jobs, blobs = len(idle.stores.items("job")), idle.stores.blobs()
    summarize(idle.client, source)
    assert (len(idle.stores.items("job")), idle.stores.blobs()) == (jobs, blobs)


async def test_key_finds_its_job_when_the_earlier_one_is_erased(idle: Idle, earlier: Earlier) -> None:
    source, key = await earlier.job(), secrets.token_hex(8)
    first = summarize(idle.client, source, key=key)
    idle.client.erase(source)
    blobs = idle.stores.blobs()
    second = summarize(idle.client, source, key=key)
    assert (second.status_code, second.json()["id"]) == (202, first.json()["id"])
    assert idle.stores.blobs() == blobs
    refused(summarize(idle.client, source, key=secrets.token_hex(8)), 404, "job-not-found")


async def test_key_of_another_request_is_422_and_of_an_erased_job_409(idle: Idle, earlier: Earlier) -> None:
    source, other, key = await earlier.job(), await earlier.job(), secrets.token_hex(8)
    made = summarize(idle.client, source, key=key).json()["id"]
    refused(summarize(idle.client, other, key=key), 422, "idempotency-key-reused", "another file")
    refused(summarize(idle.client, source, key=key, max_words=50), 422, "idempotency-key-reused", "other options")
    idle.client.erase(made)
    refused(summarize(idle.client, source, key=key), 409, "idempotency-key-erased")


async def test_key_finds_its_job_and_sends_the_message_that_is_missing(
    idle: Idle, earlier: Earlier, services: Services
) -> None:
    stores, source, key = Stores(services, idle.stores.names, "language"), await earlier.job(), secrets.token_hex(8)
    refuse_send = stores.queue_fault(kind="send", action="fail", error="com.microsoft:server-busy")
    with refuse_send, stores.records_fault(kind="delete", action="fail", error="503", times=20):
        refused(summarize(idle.client, source, key=key), 503, "queue-unavailable")
    answer = summarize(idle.client, source, key=key)
    assert answer.status_code == 202
    assert any(answer.json()["id"] in str(message.message_id) for message in stores.peek())


def test_transcript_is_the_file_that_its_own_job_gives_as_txt(client: Client, stores: Stores, recording: Path) -> None:
    source = client.submit(recording.read_bytes(), task="transcribe", name="jfk.wav", media_type="audio/wav")
    client.until_ended(source, deadline_s=60)
    made = summarize(client, source).json()
    kept = stores.read_blob(stores.record(made["id"])["upload"]["blob"])
    assert kept == client.status.get(f"/v1/jobs/{source}/result?format=txt").content
    assert made["file"]["name"] == "jfk.txt"
