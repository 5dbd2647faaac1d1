"""What a replay makes of a dead letter, decided from the old job and its parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from claimcheck.dead_letters import NOBODY, DeadLetter, encoded
from claimcheck.errors import LetterNotReplayable
from claimcheck.idempotency import job_id_for, read_key
from claimcheck.job import Job, PartItem, Parts, Status, is_job_id, tombstone
from claimcheck.replaying import (
    KeptPart,
    check,
    copied,
    first_stage,
    new_job_id,
    read_message,
    replayed,
    reusable,
)
from claimcheck.tasks import Stage, Task
from tests.unit.claimcheck.samples import JOB_ID, NOW, job, message

NEW_ID = "1f9619ff-8b86-4d01-b42d-00cf4fc964ff"
LATER = NOW + timedelta(hours=2)
TASK = Task(
    name="film",
    media_types=("*",),
    options=BaseModel,
    stages=(
        Stage("split", "media", "x:split"),
        Stage("speech", "speech", "x:speech", window=2),
        Stage("translate", "language", "x:translate", window=2),
        Stage("layout", "media", "x:layout"),
    ),
)
KEPT = [
    KeptPart("speech", 0, skipped=False),
    KeptPart("speech", 1, skipped=True),
    KeptPart("speech", 2, skipped=False),
    KeptPart("translate", 0, skipped=True),
    KeptPart("translate", 4, skipped=False),
]


def letter(**changes: Any) -> DeadLetter:
    """The letter of a job's first message."""
    fields: dict[str, Any] = {
        "id": DeadLetter.id_of("speech", "7", "2026-05-04T12:00:00.000Z"),
        "tenant": "default",
        "job_id": JOB_ID,
        "queue": "speech",
        "sequence_number": "7",
        "message_id": "x",
        "body_base64": encoded(message().encode()),
        "reason": "MaxDeliveryCountExceeded",
        "description": "",
        "delivery_count": 10,
        "enqueued_at": NOW,
        "stored_at": NOW,
        "ttl": 60,
        **changes,
    }
    return DeadLetter(**fields)


def film(stage: str, **changes: Any) -> Job:
    """A failed job of that task."""
    return job(task="film", stage=stage, status=Status.FAILED, **changes)


def test_new_id_is_a_job_id_of_this_letter_alone() -> None:
    other_job, other_letter = letter(job_id=NEW_ID), letter(id="dead-letter:speech:8:2026-05-04T12:00:00.000Z")
    ids = {new_job_id(one) for one in (letter(), other_job, other_letter, letter(tenant="acme"))}
    assert len(ids) == 4
    assert all(is_job_id(made) for made in ids)
    assert new_job_id(letter(stored_at=LATER, replayed_as="x")) == new_job_id(letter())


def test_no_idempotency_key_makes_the_id_of_a_replay() -> None:
    key = f"{JOB_ID}\n{letter().id}"
    assert job_id_for("default", key) == new_job_id(letter())
    with pytest.raises(Exception, match="visible ASCII"):
        read_key([key])


def test_message_of_nobody_and_what_is_no_message_cannot_be_replayed() -> None:
    assert read_message(letter()) == message()
    for unreadable in (letter(tenant=NOBODY, job_id=NOBODY), letter(body_base64=encoded(b"{}"))):
        with pytest.raises(LetterNotReplayable):
            read_message(unreadable)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("force", [False, True])
def test_failed_jobs_are_replayed_ended_ones_by_force_and_others_never(status: Status, force: bool) -> None:
    record = job(status=status)
    if status == Status.FAILED or (force and record.ended):
        assert check(record, force=force) is record
    else:
        with pytest.raises(LetterNotReplayable, match=status):
            check(record, force=force)


@pytest.mark.parametrize(("record", "why"), [(None, "expired"), (tombstone(job(), NOW), "erased")])
def test_what_is_gone_is_not_replayed_by_force_either(record: Any, why: str) -> None:
    with pytest.raises(LetterNotReplayable, match=why):
        check(record, force=True)


@pytest.mark.parametrize(
    ("at", "letter_of", "part", "begins"),
    [
        ("split", "split", None, "split"),
        ("speech", "speech", 1, "speech"),
        ("layout", "layout", None, "layout"),
        ("layout", "speech", 1, "speech"),  # The part was skipped, and the job went on.
        ("translate", "speech", 0, "speech"),
        ("translate", "split", None, "translate"),  # A copy of a message that was done.
        ("speech", "translate", 1, "speech"),  # Of another life; a record's stage only moves on.
    ],
)
def test_new_job_begins_where_the_old_one_stood_or_at_the_part_that_was_skipped(
    at: str, letter_of: str, part: int | None, begins: str
) -> None:
    assert first_stage(TASK, film(at), message(stage=letter_of, part=part)).name == begins


@pytest.mark.parametrize(("task", "at"), [(None, "split"), (TASK, "dub")])
def test_task_and_stage_must_be_installed(task: Task | None, at: str) -> None:
    with pytest.raises(LetterNotReplayable, match=f"stage {at} of film is not installed here"):
        first_stage(task, film(at), message(stage="split"))


@pytest.mark.parametrize(
    ("begin", "reused"),
    [
        ("split", []),
        ("speech", [KEPT[0], KEPT[2]]),
        ("translate", [KEPT[0], KEPT[1], KEPT[2], KEPT[4]]),
        ("layout", KEPT),
    ],
)
def test_parts_before_the_first_stage_are_taken_over_and_finished_ones_of_it(
    begin: str, reused: list[KeptPart]
) -> None:
    assert reusable(TASK, TASK.stage(begin), KEPT) == reused


def made(old: Job, begin: str, kept: list[KeptPart]) -> Job:
    """The new job."""
    stage = TASK.stage(begin)
    return replayed(
        old,
        job_id=NEW_ID,
        begin=stage,
        kept=kept,
        reused=reusable(TASK, stage, kept),
        blob="uploads/default/new/1",
        epoch="00000000",
        now=LATER,
        deadline_at=LATER + timedelta(days=1),
    )


def test_new_job_is_the_old_one_with_a_life_of_its_own() -> None:
    old = film("split", options={"language": "en"}, attempt=5, turn=3, due_at=NOW, ttl=9, input_of="earlier")
    new = made(old, "split", [])
    assert (new.job_id, new.retry_of, new.tenant, new.task, new.options) == (
        NEW_ID,
        JOB_ID,
        "default",
        "film",
        {"language": "en"},
    )
    assert new.input_of == "earlier"
    assert new.upload == old.upload.model_copy(update={"blob": "uploads/default/new/1"})
    assert (new.status, new.stage, new.attempt, new.turn, new.epoch) == (Status.QUEUED, "split", 1, 0, "00000000")
    assert (new.created_at, new.moved_at, new.deadline_at) == (LATER, LATER, LATER + timedelta(days=1))
    assert (new.due_at, new.run, new.end, new.ttl) == (None, None, None, None)


def test_fan_out_goes_on_running_with_its_finished_parts_counted() -> None:
    new = made(film("speech", parts=Parts(total=5, done=3)), "speech", KEPT[:3])
    assert (new.status, new.stage, new.parts) == (Status.RUNNING, "speech", Parts(total=5, done=2))


def test_fan_out_that_is_over_has_as_many_parts_as_it_left() -> None:
    new = made(film("layout"), "speech", KEPT[:3])
    assert (new.status, new.parts) == (Status.RUNNING, Parts(total=3, done=2))


def test_stage_of_the_whole_job_is_queued_and_counts_nothing() -> None:
    new = made(film("layout"), "layout", KEPT)
    assert (new.status, new.stage, new.parts) == (Status.QUEUED, "layout", Parts())


def test_copied_part_is_the_new_jobs_own() -> None:
    old = film("speech")
    item = PartItem(
        id=PartItem.id_of(old, "speech", 2),
        tenant="default",
        job_id=JOB_ID,
        job_created_at=NOW,
        stage="speech",
        part=2,
        result={"text": "hello"},
        ttl=60,
    )
    new = made(old, "speech", KEPT)
    own = copied(item, new)
    assert (own.id, own.job_id, own.job_created_at) == (PartItem.id_of(new, "speech", 2), NEW_ID, LATER)
    assert own.model_dump(exclude={"id", "job_id", "job_created_at"}) == item.model_dump(
        exclude={"id", "job_id", "job_created_at"}
    )
