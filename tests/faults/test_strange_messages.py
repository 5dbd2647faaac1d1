"""Messages that are none of ours, newer than us, or about nothing: the queue keeps moving."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.conftest import Scene
from tests.stack.waiting import until


def message(**changes: Any) -> bytes:
    """The body of a message about a job that nobody submitted."""
    fields: dict[str, Any] = {
        "v": 1,
        "tenant": "default",
        "job_id": str(uuid.uuid4()),
        "epoch": "0123abcd",
        "stage": "probe",
        "part": None,
        "attempt": 1,
        "turn": 0,
    }
    return json.dumps({**fields, **changes}).encode()


def messages_about(scene: Scene, job_id: str) -> list[str | None]:
    """Ids of the messages on the queue, scheduled ones too, that name the job."""
    return [seen.message_id for seen in scene.stores.peek() if job_id.encode() in b"".join(seen.body)]


POISON = {
    "no JSON": b"\x00\xff{",
    "nothing": b"",
    "another kind of JSON": b"[1, 2]",
    "no version": b'{"job_id": "1"}',
    "version 0": message(v=0),
    "an id that is none": message(job_id="../../job"),
    "an epoch that is none": message(epoch="' OR 1=1"),
    "an attempt that is text": message(attempt="1"),
    "far too long": message(filler="x" * 10_000),
}


def test_undecodable_messages_are_dead_lettered_with_their_reasons_and_the_queue_moves_on(scene: Scene) -> None:
    scene.stores.send(POISON)
    scene.succeeded_once(scene.client.submit())
    until(lambda: scene.stores.counts()["dead_lettered"] == len(POISON), "all are dead-lettered")
    letters = {letter.message_id: letter for letter in scene.stores.dead_letters()}
    assert set(letters) == set(POISON)
    for letter in letters.values():
        assert letter.dead_letter_reason == "undecodable-message"
        assert letter.dead_letter_error_description


def test_newer_message_comes_back_later_under_another_id(scene: Scene) -> None:
    sent = "newer"
    job_id = scene.client.submit()
    scene.succeeded_once(job_id)
    scene.stores.until_empty()
    scene.stores.change_record(job_id, status="queued", end=None)
    body = message(v=2, shape="unknown", job_id=job_id)
    sent_at = datetime.now(UTC)
    scene.stores.send({sent: body})
    until(lambda: scene.stores.counts()["scheduled"] == 1, "a copy is scheduled")
    scene.stores.until_empty()
    seen_at = datetime.now(UTC)
    (copy,) = scene.stores.peek()
    assert b"".join(copy.body) == body
    assert copy.message_id is not None
    assert copy.message_id.startswith(f"{sent}:")
    assert copy.scheduled_enqueue_time_utc is not None
    # Both to within what the queue and the record leave of a second.
    assert sent_at + timedelta(seconds=29) < copy.scheduled_enqueue_time_utc < seen_at + timedelta(seconds=31)
    # Else the keeper would take the job for forgotten.
    assert datetime.fromisoformat(scene.stores.record(job_id)["due_at"]) > sent_at + timedelta(seconds=29)
    scene.succeeded_once(scene.client.submit())


@pytest.mark.parametrize("v", [1, 2])
def test_message_without_a_record_is_completed(scene: Scene, v: int) -> None:
    job_id = str(uuid.uuid4())
    scene.stores.send({f"orphan of version {v}": message(v=v, job_id=job_id)})
    scene.stores.until_empty()
    scene.succeeded_once(scene.client.submit())
    assert messages_about(scene, job_id) == []


def test_newer_message_of_an_ended_job_does_not_come_back_for_ever(scene: Scene) -> None:
    job_id = scene.client.submit()
    scene.succeeded_once(job_id)
    scene.stores.send({"newer, of an ended job": message(v=2, job_id=job_id)})
    scene.stores.until_empty()
    scene.succeeded_once(scene.client.submit())
    assert messages_about(scene, job_id) == []


def test_second_message_of_an_ended_job_is_completed_unrun(scene: Scene) -> None:
    job_id = scene.client.submit()
    scene.succeeded_once(job_id)
    record = scene.stores.record(job_id)
    scene.stores.send({"copy": message(job_id=job_id, epoch=record["epoch"])})
    scene.stores.until_empty()
    assert scene.taken(job_id) == 1
    assert scene.stores.record(job_id) == record
