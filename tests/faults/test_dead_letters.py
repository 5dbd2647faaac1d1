"""What the broker has given up: the keeper ends the job, skips the part or drops the copy, and keeps the letter."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claimcheck.job import timestamp
from services.worker.keeper.keeper import CALL_S
from tests.faults.conftest import WORKER, RunScene, Scene
from tests.faults.test_strange_messages import message
from tests.stack.by_hand import MAX_DELIVERY_COUNT, ByHand
from tests.stack.client import Body
from tests.stack.stores import Item
from tests.stack.waiting import until

KEEPER = "keeper-1"
NOBODY = "-"
SOON_S = 60.0  # Calls to what is away, a lease, and the pauses between two rounds.
RETENTION_S, DEADLINE_S = 7 * 24 * 3600, 24 * 3600


@pytest.fixture(scope="module")
def scene(run_scene: RunScene) -> Iterator[Scene]:
    """A keeper, and a worker that a test starts when it needs one; no rescuer comes between."""
    with run_scene(keepers=1, env={"CLAIMCHECK_KEEPER__RESCUE_S": "3600"}) as scene:
        assert scene.system.stop(WORKER) == 0
        yield scene


@pytest.fixture
def by_hand(scene: Scene) -> ByHand:
    """The queue, in the test's hands."""
    return ByHand(scene.stores)


def letters_of(scene: Scene, job_id: str) -> list[Item]:
    """The letters that are kept of a job."""
    return [letter for letter in scene.stores.items("dead-letter") if letter["job_id"] == job_id]


def until_taken(scene: Scene) -> None:
    """Wait until the keeper has taken every letter off the broker."""
    until(lambda: scene.stores.counts()["dead_lettered"] == 0, "no dead letter is left", deadline_s=SOON_S)


def until_failed(scene: Scene, job_id: str) -> Body:
    """Wait until the job has failed because its message was given up."""
    job = scene.client.until_ended(job_id, deadline_s=SOON_S)
    assert (job["status"], job["error"]["type"]) == ("failed", "urn:claimcheck:problem:dead-lettered")
    until_taken(scene)
    return job


def message_of(record: Item, **changes: Any) -> bytes:
    """The message that a record waits for, or another one of its job."""
    fields = {name: record[name] for name in ("tenant", "job_id", "epoch", "stage", "attempt", "turn")}
    return message(**{**fields, **changes})


def given_up(scene: Scene, by_hand: ByHand) -> str:
    """A job whose message was delivered too often; its id."""
    job_id = scene.client.submit()
    by_hand.exhaust()
    return job_id


def keep_in_mind(scene: Scene, job_id: str) -> None:
    """Let no keeper take the job for forgotten when it starts, however late that is."""
    scene.stores.change_record(job_id, moved_at=timestamp(datetime.now(UTC) + timedelta(hours=1)))


def test_job_whose_message_was_delivered_too_often_fails_and_its_letter_is_kept(scene: Scene, by_hand: ByHand) -> None:
    job_id = given_up(scene, by_hand)
    job = until_failed(scene, job_id)
    assert job["error"]["reason"] == "MaxDeliveryCountExceeded"
    record = scene.stores.record(job_id)
    assert record["ttl"] == RETENTION_S
    (letter,) = letters_of(scene, job_id)
    assert letter["tenant"] == "default"
    assert (letter["task"], letter["queue"], letter["reason"]) == ("probe", "speech", "MaxDeliveryCountExceeded")
    assert letter["delivery_count"] >= MAX_DELIVERY_COUNT
    assert json.loads(base64.b64decode(letter["body_base64"]))["epoch"] == record["epoch"]
    assert letter["ttl"] == RETENTION_S + DEADLINE_S
    assert scene.stores.counts()["active"] == 0


def test_letter_that_is_older_than_its_record_announces_what_the_record_waits_for(
    scene: Scene, by_hand: ByHand
) -> None:
    job_id = scene.client.submit()
    scene.stores.change_record(job_id, turn=1)  # handed back since, and whoever did it died before it sent the copy
    by_hand.exhaust()
    until_taken(scene)
    (body,) = by_hand.take_off()
    assert (json.loads(body)["job_id"], json.loads(body)["turn"]) == (job_id, 1)
    assert scene.client.cancel(job_id).json()["status"] == "cancelled"  # or a keeper that starts would rescue it
    assert letters_of(scene, job_id) == []


def test_letter_that_is_a_copy_of_a_running_message_is_dropped(scene: Scene, by_hand: ByHand) -> None:
    job_id = scene.client.submit()
    started_at = scene.stores.record(job_id)["moved_at"]
    run = {"sequence_number": "987654", "owner": "0123456789abcdef", "started_at": started_at}
    scene.stores.change_record(job_id, status="running", run=run)
    before = scene.stores.record(job_id)
    by_hand.exhaust()
    until_taken(scene)
    assert scene.stores.record(job_id) == before
    assert letters_of(scene, job_id) == []
    assert scene.client.cancel(job_id).json()["status"] == "cancelled"


def test_letter_of_a_part_skips_the_part_and_the_job_goes_on(scene: Scene, by_hand: ByHand) -> None:
    job_id = scene.client.submit(task="fan", options={"parts": 3})
    by_hand.take_off()
    parts = {"total": 3, "done": 0}
    scene.stores.change_record(job_id, status="running", stage="piece", parts=parts)
    by_hand.park(message_of(scene.stores.record(job_id), part=0))
    until_taken(scene)
    (item,) = [item for item in scene.stores.items("part") if item["job_id"] == job_id]
    assert item["warning"]["type"] == "urn:claimcheck:problem:dead-lettered"
    assert [json.loads(body)["part"] for body in by_hand.take_off()] == [2]  # the next of its chain
    assert len(letters_of(scene, job_id)) == 1
    # Of the others a worker takes care, and of the join.
    record = scene.stores.record(job_id)
    scene.stores.send({f"{job_id}:{part}": message_of(record, part=part) for part in (1, 2)})
    scene.system.restart(WORKER)
    job = scene.succeeded_once(job_id)
    assert scene.system.stop(WORKER) == 0
    assert [part["part"] for part in job["result"]["parts"]] == [1, 2]
    assert [warning["part"] for warning in job["result"]["warnings"]] == [0]


@pytest.mark.parametrize("body", [b"\x00\xff{", b"", message(job_id="../../job"), b"x" * 100_000])
def test_letter_that_nobody_can_read_is_kept_under_no_job(scene: Scene, by_hand: ByHand, body: bytes) -> None:
    known = {letter["id"] for letter in letters_of(scene, NOBODY)}
    by_hand.park(body, reason="undecodable-message", description="why")
    until_taken(scene)
    (letter,) = [letter for letter in letters_of(scene, NOBODY) if letter["id"] not in known]
    assert (letter["tenant"], letter["task"]) == (NOBODY, "")
    assert (letter["reason"], letter["description"]) == ("undecodable-message", "why")
    assert base64.b64decode(letter["body_base64"]) == body


def test_job_whose_message_expired_fails(scene: Scene, by_hand: ByHand) -> None:
    job_id = scene.client.submit()
    (body,) = by_hand.take_off()
    by_hand.send_mortal(body, timedelta(minutes=1))
    by_hand.age(timedelta(minutes=2))
    assert until_failed(scene, job_id)["error"]["reason"] == "TTLExpiredException"
    assert len(letters_of(scene, job_id)) == 1


def test_letter_about_an_ended_job_or_none_is_dropped(scene: Scene, by_hand: ByHand) -> None:
    job_id = scene.client.submit()
    assert scene.client.cancel(job_id).status_code == 200
    by_hand.exhaust()
    stranger = str(uuid.uuid4())
    by_hand.park(message(job_id=stranger))
    until_taken(scene)
    assert scene.client.job(job_id)["status"] == "cancelled"
    assert letters_of(scene, job_id) == letters_of(scene, stranger) == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"action": "fail", "error": "412"}, id="somebody wrote first"),
        pytest.param({"action": "commit-then-fail", "error": "drop", "times": 20}, id="the answer is lost"),
        pytest.param({"action": "fail", "error": "503", "times": 20}, id="the records are away"),
    ],
)
def test_letter_whose_end_cannot_be_written_is_judged_again(
    scene: Scene, by_hand: ByHand, fault: dict[str, Any]
) -> None:
    job_id = scene.client.submit()
    with scene.stores.records_fault(kind="patch", **fault):
        by_hand.exhaust()
        until(lambda: _begun_again(scene, job_id), "the keeper begins again", deadline_s=SOON_S)
    until_failed(scene, job_id)
    assert len(letters_of(scene, job_id)) == 1


def _begun_again(scene: Scene, job_id: str) -> bool:
    """Whether the keeper has judged the letter again, or given its round up."""
    said = scene.system.logs(KEEPER).partition(job_id)[2]
    return "letter.judged_again" in said or "round.failed" in said


@pytest.mark.parametrize("request_kind", ["create", "patch"])
def test_keeper_that_is_killed_after_one_of_its_writes_is_followed_by_one_that_ends_the_job_once(
    scene: Scene, by_hand: ByHand, request_kind: str
) -> None:
    keeper = scene.system.programs[KEEPER].process
    assert keeper is not None
    job_id = scene.client.submit()
    keep_in_mind(scene, job_id)
    with scene.stores.records_fault(kind=request_kind, action="kill-after", pid=keeper.pid):
        by_hand.exhaust()
        until(lambda: keeper.poll() is not None, "the keeper is killed", deadline_s=SOON_S)
    scene.system.kill(KEEPER)
    scene.system.restart(KEEPER)
    until_failed(scene, job_id)
    assert len(letters_of(scene, job_id)) == 1


def test_keeper_that_is_told_to_end_with_a_letter_in_hand_ends_and_the_next_deals_with_it(
    scene: Scene, by_hand: ByHand
) -> None:
    job_id = scene.client.submit()
    keep_in_mind(scene, job_id)
    with scene.stores.records_fault(kind="create", action="delay", delay_s=2 * CALL_S) as struck:
        by_hand.exhaust()
        until(struck, "the keeper has it in hand and stores it", deadline_s=SOON_S)
        began_at = time.monotonic()
        assert scene.system.stop(KEEPER) == 0
        # It did not wait for the answer, which would have taken the call's limit and failed the round.
        assert time.monotonic() - began_at < 0.8 * CALL_S
        assert "round.failed" not in scene.system.logs(KEEPER).partition(job_id)[2]
    scene.system.restart(KEEPER)
    until_failed(scene, job_id)
    assert len(letters_of(scene, job_id)) == 1


def test_letter_outlasts_the_records_being_away(scene: Scene, by_hand: ByHand) -> None:
    failed = scene.system.logs(KEEPER).count("round.failed")
    scene.services.cosmos.kill()
    try:
        by_hand.park(message(job_id=str(uuid.uuid4())))
        until(lambda: scene.system.logs(KEEPER).count("round.failed") > failed, "a round fails", deadline_s=SOON_S)
        assert scene.stores.counts()["dead_lettered"] == 1
    finally:
        scene.services.cosmos.start()
    until_taken(scene)


def test_letter_of_a_newer_release_is_left_for_a_newer_keeper_and_holds_up_no_other(
    scene: Scene, by_hand: ByHand
) -> None:
    newer = message(v=2, shape="unknown")
    by_hand.park(newer)
    until(lambda: "letters.left" in scene.system.logs(KEEPER), "the keeper leaves it", deadline_s=SOON_S)
    job_id = given_up(scene, by_hand)
    assert scene.client.until_ended(job_id, deadline_s=SOON_S)["status"] == "failed"
    until(lambda: scene.stores.counts()["dead_lettered"] == 1, "only that one is left", deadline_s=SOON_S)
    # It stays: no test after this one waits until no letter is left.
    (left,) = scene.stores.dead_letters()
    assert b"".join(left.body) == newer
