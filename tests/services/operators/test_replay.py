"""A dead letter is replayed: one new job, which begins where the old one stood, however often and whatever fails."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claimcheck.announcing import Announcer
from claimcheck.erasing import bury, erase_content
from claimcheck.errors import LetterNotReplayable, LetterUnreadable
from claimcheck.job import Job, Parts, Status
from claimcheck.messaging import Queues
from claimcheck.replaying import new_job_id, replayed
from claimcheck.tasks import catalogue
from services.process_api.accept import Intake
from services.process_api.operator.replaying import Replayer
from services.worker.drain import Drain
from services.worker.kept import KeptBlobs
from services.worker.patience import Patience
from tests.services.operators.conftest import LETTERS, UPLOAD, Office, letter_id, newest_first, store
from tests.stack.client import Client
from tests.stack.services import Services
from tests.stack.stores import Stores
from tests.stack.system import System

UNREADABLE = f"urn:claimcheck:problem:{LetterUnreadable.slug}"
REFUSED = f"urn:claimcheck:problem:{LetterNotReplayable.slug}"


def jobs_made_of(stores: Stores, job: Job) -> list[str]:
    """The ids of the jobs that are its replays."""
    return [item["job_id"] for item in stores.items("job") if item.get("retry_of") == job.job_id]


async def test_replay_is_a_new_job_on_a_copy_of_the_upload(office: Office, client: Client, stores: Stores) -> None:
    old = await office.job()
    letter = await office.letter(old)
    outcome = office.outcome("replay", letter)
    assert outcome["outcome"] == "replayed"
    job = client.until_ended(outcome["job_id"])
    assert (job["status"], job["result"]["text"], job["retry_of"]) == ("succeeded", UPLOAD.decode(), old.job_id)
    assert (job["task"], job["options"], job["file"]["name"]) == (old.task, {**old.options}, "a.txt")
    record = stores.record(job["id"])
    assert record["upload"]["blob"].startswith(f"uploads/default/{job['id']}/")
    assert datetime.fromisoformat(record["deadline_at"]) > old.deadline_at
    assert client.job(old.job_id)["status"] == "failed"
    assert stores.read_blob(old.upload.blob) == UPLOAD
    assert office.show(letter)["replayed_as"] == job["id"]


async def test_however_often_a_letter_is_replayed_there_is_one_job(
    office: Office, client: Client, stores: Stores
) -> None:
    old = await office.job()
    letter = await office.letter(old)
    with ThreadPoolExecutor(5) as threads:
        outcomes = list(threads.map(lambda _: office.outcome("replay", letter), range(5)))
    assert {outcome["outcome"] for outcome in outcomes} == {"replayed"}
    (job_id,) = {outcome["job_id"] for outcome in outcomes}
    assert office.outcome("replay", letter)["job_id"] == job_id
    client.until_status(job_id, "succeeded")
    assert jobs_made_of(stores, old) == [job_id]
    assert stores.blobs(f"uploads/default/{job_id}/") == [stores.record(job_id)["upload"]["blob"]]


async def test_replay_that_died_before_its_note_is_found_by_the_next(
    office: Office, client: Client, stores: Stores
) -> None:
    old = await office.job()
    letter = await office.letter(old)
    first = office.outcome("replay", letter)["job_id"]
    client.until_status(first, "succeeded")
    store(stores, letter.model_dump(mode="json"))
    assert "replayed_as" not in office.show(letter)
    assert office.outcome("replay", letter)["job_id"] == first
    assert office.show(letter)["replayed_as"] == first
    assert jobs_made_of(stores, old) == [first]
    assert len(stores.blobs(f"uploads/default/{first}/")) == 1


# However often anybody asks: the worker that has the new job patches too. The create is the record's, the patch the
# letter's note.
AWAY = {"error": "503", "times": 1_000_000}


@pytest.mark.parametrize("kind", ["create", "patch"])
async def test_replay_that_cosmos_fails_says_so_and_the_next_makes_it_one_job(
    office: Office, client: Client, stores: Stores, kind: str
) -> None:
    old = await office.job()
    letter, other = await office.letter(old), await office.letter(await office.job())
    with stores.records_fault(kind=kind, action="fail", **AWAY):
        answer = office.act("replay", letter, other).json()
    (outcome,) = answer["letters"]
    assert (outcome["outcome"], outcome["problem"]["status"]) == ("failed", 503)
    assert answer["untried"] == [letter_id(other)]
    job_id = office.outcome("replay", letter)["job_id"]
    client.until_status(job_id, "succeeded")
    assert jobs_made_of(stores, old) == [job_id]


@pytest.mark.parametrize("kind", ["create", "patch"])
async def test_replay_whose_answer_from_cosmos_is_lost_finds_its_own_write(
    office: Office, client: Client, stores: Stores, kind: str
) -> None:
    old = await office.job()
    letter = await office.letter(old)
    with stores.records_fault(kind=kind, action="commit-then-fail", **AWAY):
        outcome = office.outcome("replay", letter)
    assert outcome["outcome"] == "replayed"
    client.until_status(outcome["job_id"], "succeeded")
    assert office.show(letter)["replayed_as"] == outcome["job_id"]
    assert jobs_made_of(stores, old) == [outcome["job_id"]]
    assert stores.blobs(f"uploads/default/{outcome['job_id']}/") == [stores.record(outcome["job_id"])["upload"]["blob"]]


async def test_finished_parts_are_reused_and_only_the_missing_ones_run(
    office: Office, client: Client, running: System
) -> None:
    old = await office.job(task="fan", options={"parts": 4}, stage="piece", parts=Parts(total=4, done=2))
    for number in (0, 3):
        office.part(old, "piece", number)
    letter = await office.letter(old, part=1)
    job_id = office.outcome("replay", letter)["job_id"]
    job = client.until_status(job_id, "succeeded")
    parts = {part["part"]: part.get("of", "new") for part in job["result"]["parts"]}
    assert parts == {0: old.job_id, 1: "new", 2: "new", 3: old.job_id}
    lines = [line for line in running.logs("worker-1").splitlines() if job_id in line]
    assert sum(" part.finished " in line for line in lines) == 2


async def test_job_whose_parts_are_all_done_is_joined(office: Office, client: Client) -> None:
    old = await office.job(task="fan", options={"parts": 2}, stage="piece", parts=Parts(total=2, done=2))
    for number in (0, 1):
        office.part(old, "piece", number)
    job_id = office.outcome("replay", await office.letter(old, part=1))["job_id"]
    job = client.until_status(job_id, "succeeded")
    assert [part["of"] for part in job["result"]["parts"]] == [old.job_id] * 2


async def test_job_that_failed_after_its_parts_begins_after_them(office: Office, client: Client) -> None:
    old = await office.job(task="fan", options={"parts": 2}, stage="assemble")
    office.part(old, "piece", 0)
    office.part(old, "piece", 1, skipped=True)
    job_id = office.outcome("replay", await office.letter(old))["job_id"]
    job = client.until_status(job_id, "succeeded")
    assert [part["of"] for part in job["result"]["parts"]] == [old.job_id]
    assert [warning["detail"] for warning in job["result"]["warnings"]] == ["skipped once"]


async def test_part_that_was_skipped_is_tried_again_by_force(office: Office, client: Client) -> None:
    old = await office.job(task="fan", options={"parts": 3}, stage="assemble", status=Status.SUCCEEDED)
    for number in range(3):
        office.part(old, "piece", number, skipped=number == 1)
    letter = await office.letter(old, stage="piece", part=1)
    assert (
        office.outcome("replay", letter)["problem"]["detail"] == "its job is succeeded; force replays it all the same"
    )
    job_id = office.outcome("replay", letter, force=True)["job_id"]
    job = client.until_status(job_id, "succeeded")
    assert [part.get("of", "new") for part in job["result"]["parts"]] == [old.job_id, "new", old.job_id]
    assert job["result"]["warnings"] == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": Status.SUCCEEDED}, "its job is succeeded; force replays it all the same"),
        ({"status": Status.CANCELLED}, "its job is cancelled; force replays it all the same"),
        ({"status": Status.RUNNING}, "its job is running and goes on by itself; cancel it first"),
        ({"task": "unheard-of"}, "stage probe of unheard-of is not installed here"),
    ],
    ids=["succeeded", "cancelled", "running", "task"],
)
async def test_job_that_needs_no_replay_or_can_have_none_is_refused(
    office: Office, stores: Stores, changes: dict[str, Any], why: str
) -> None:
    old = await office.job(**changes)
    letter = await office.letter(old)
    outcome = office.outcome("replay", letter)
    assert (outcome["outcome"], outcome["problem"]["status"]) == ("refused", 409)
    assert (outcome["problem"]["type"], outcome["problem"]["detail"]) == (REFUSED, why)
    assert office.show(letter)["refusal"]["detail"] == why
    assert jobs_made_of(stores, old) == []


async def test_cancelled_job_is_replayed_by_force(office: Office, client: Client) -> None:
    letter = await office.letter(await office.job(status=Status.CANCELLED))
    client.until_status(office.outcome("replay", letter, force=True)["job_id"], "succeeded")


@pytest.mark.parametrize("dry_run", [True, False])
async def test_what_is_gone_cannot_be_replayed(office: Office, stores: Stores, dry_run: bool) -> None:
    without_upload, erased, expired = [await office.job() for _ in range(3)]
    letters = [await office.letter(job) for job in (without_upload, erased, expired)]
    await office.blobs.delete(without_upload.upload.blob)
    await office.records.bury(erased, datetime.now(UTC))
    stores.delete_record(expired.job_id)
    unreadable = await office.letter(None)
    newer = await office.letter(await office.job(), body=b'{"v": 99}')
    answer = office.act("replay", *letters, unreadable, newer, dry_run=dry_run).json()
    assert [outcome["problem"]["detail"] for outcome in answer["letters"]] == [
        "the upload of its job is gone",
        "its job was erased",
        "its job has expired",
        "no job can be read from it; it can only be discarded",
        "its message cannot be decoded here: the message has version 99; this worker knows 1",
    ]
    assert {outcome["problem"]["status"] for outcome in answer["letters"]} == {409}
    assert stores.blobs(f"uploads/default/{new_job_id(letters[0])}/") == []


async def test_erased_replay_stays_erased(office: Office, client: Client, stores: Stores) -> None:
    letter = await office.letter(await office.job())
    job_id = office.outcome("replay", letter)["job_id"]
    client.until_ended(job_id)
    assert client.erase(job_id).status_code == 204
    store(stores, letter.model_dump(mode="json"))
    assert office.outcome("replay", letter)["problem"]["detail"] == ("it was replayed already, and that job was erased")
    assert stores.blobs(f"uploads/default/{job_id}/") == []


async def test_replay_that_died_before_its_messages_is_announced_by_the_next(office: Office, client: Client) -> None:
    old = await office.job(task="fan", options={"parts": 2}, stage="piece", parts=Parts(total=2, done=0))
    letter = await office.letter(old, part=1)
    now, job_id = datetime.now(UTC), new_job_id(letter)
    blob = f"uploads/default/{job_id}/0"
    await office.blobs.put(blob, UPLOAD, "text/plain")
    stage = catalogue()["fan"].stage("piece")
    made: dict[str, Any] = {"blob": blob, "epoch": "00000000", "now": now, "deadline_at": now + timedelta(hours=1)}
    await office.records.create_job(replayed(old, job_id=job_id, begin=stage, kept=[], reused=[], **made))
    assert office.outcome("replay", letter)["job_id"] == job_id
    assert len(client.until_status(job_id, "succeeded")["result"]["parts"]) == 2


async def test_replay_of_a_job_that_is_erased_meanwhile_is_erased_too(
    office: Office, client: Client, stores: Stores, services: Services
) -> None:
    old = await office.job()
    letter = await office.letter(old)
    settings = services.settings(stores.names)

    class Raced(Intake):
        async def take(self, job: Job, traceparent: str) -> Job:
            taken = await super().take(job, traceparent)
            assert await bury(office.records, old.tenant, old.job_id)
            await erase_content(office.records, office.blobs, old.tenant, old.job_id)
            return taken

    queues = Queues(settings.queue, timeout_s=10)
    try:
        intake = Raced(settings.job, office.blobs, office.records, Announcer(office.records, queues))
        with pytest.raises(LetterNotReplayable, match="erased while it was replayed"):
            await Replayer(intake, office.records).replay(letter, force=False, traceparent="")
    finally:
        await queues.close()
    job_id = new_job_id(letter)
    assert stores.record(job_id)["kind"] == "tombstone"
    assert stores.blobs(f"uploads/default/{job_id}/") == []


async def test_what_a_newer_release_wrote_is_refused_and_the_others_are_replayed(
    office: Office, client: Client, stores: Stores
) -> None:
    newer, old = await office.job(), await office.job()
    letters = [await office.letter(newer), await office.letter(old)]
    store(stores, {**stores.record(newer.job_id), "status": "dreaming"})
    refused, done = office.act("replay", *letters).json()["letters"]
    assert (refused["outcome"], refused["problem"]["type"]) == ("refused", UNREADABLE)
    client.until_status(done["job_id"], "succeeded")
    shown = office.api.get(f"{LETTERS}/{letter_id(letters[0])}")
    assert (shown.status_code, shown.json()["type"]) == (409, UNREADABLE)
    # Of the letter itself the same.
    store(stores, {**letters[0].model_dump(mode="json"), "delivery_count": "many"})
    assert office.outcome("discard", letters[0])["problem"]["type"] == UNREADABLE


async def test_dry_run_says_what_would_be_done_and_does_nothing(office: Office, stores: Stores) -> None:
    old = await office.job()
    letter = await office.letter(old)
    told = office.outcome("replay", letter, dry_run=True)
    assert told["outcome"] == "would-replay"
    assert jobs_made_of(stores, old) == []
    assert "replayed_as" not in office.show(letter)
    assert office.outcome("replay", letter)["job_id"] == told["job_id"]
    assert office.outcome("replay", letter, dry_run=True)["job_id"] == told["job_id"]


async def test_many_are_replayed_by_filter_page_by_page_and_none_twice(
    office: Office, client: Client, stores: Stores
) -> None:
    reason = f"Bulk{uuid.uuid4().hex}"
    jobs = [await office.job() for _ in range(5)]
    letters = [await office.letter(job, reason=reason) for job in jobs]
    refused = await office.letter(await office.job(status=Status.SUCCEEDED), reason=reason)
    seen: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        answer = office.act("replay", reason=reason, limit=2, **after).json()
        seen += answer["letters"]
        assert answer["untried"] == []
        if "after" not in answer:
            break
        after = {"after": answer["after"]}
    assert [outcome["id"] for outcome in seen] == newest_first([*letters, refused])
    became = {outcome["id"]: outcome["outcome"] for outcome in seen}
    assert became == {**{letter_id(letter): "replayed" for letter in letters}, letter_id(refused): "refused"}
    for outcome in seen:
        if outcome["outcome"] == "replayed":
            client.until_status(outcome["job_id"], "succeeded")
    # By filter only those are chosen that have no replay yet.
    again = office.act("replay", reason=reason).json()["letters"]
    assert [outcome["id"] for outcome in again] == [letter_id(refused)]
    assert [len(jobs_made_of(stores, job)) for job in jobs] == [1] * 5


async def test_pace_is_kept(office: Office) -> None:
    letters = [await office.letter(await office.job()) for _ in range(4)]
    began_at = time.monotonic()
    answer = office.act("replay", *letters, per_s=4)
    assert time.monotonic() - began_at >= 3 / 4
    assert len(answer.json()["letters"]) == 4


async def test_letters_that_are_due_after_the_answer_are_left_and_named(office: Office, stores: Stores) -> None:
    jobs = [await office.job() for _ in range(3)]
    letters = [await office.letter(job) for job in jobs]
    answer = office.act("replay", *letters, per_s=0.05).json()
    assert [outcome["id"] for outcome in answer["letters"]] == [letter_id(letters[0])]
    assert answer["untried"] == [letter_id(letter) for letter in letters[1:]]
    assert [len(jobs_made_of(stores, job)) for job in jobs] == [1, 0, 0]


async def test_replay_in_parts_has_what_earlier_stages_have_kept(
    office: Office, client: Client, stores: Stores
) -> None:
    options = {"parts": 2, "keep": "the text"}
    old = await office.job(task="fan", options=options, stage="piece", parts=Parts(total=2, done=1))
    office.part(old, "piece", 0)
    blobs = KeptBlobs(old, blobs=office.blobs, patience=Patience(Drain(25.0)))
    await blobs.put_once("manifest", (await blobs.put(b"the text")).encode())
    job_id = office.outcome("replay", await office.letter(old, part=1))["job_id"]
    client.until_status(job_id, "succeeded")
    assert client.erase(old.job_id).status_code == 204
    assert stores.blobs(f"parts/default/{old.job_id}/") == []
    assert len(stores.blobs(f"parts/default/{job_id}/")) == 2
    parts = client.job(job_id)["result"]["parts"]
    assert [(part["part"], part.get("kept")) for part in parts] == [(0, None), (1, "the text")]
