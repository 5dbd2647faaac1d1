"""Who may write the job item, and what: the table as conditions and operations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from claimcheck import writes
from claimcheck.job import End, Status, timestamp
from claimcheck.writes import Write
from tests.unit.claimcheck.samples import EPOCH, NOW, job, message, run

OWNER = "0123456789abcdef"
END = End(at=NOW)
EVERY_WRITE = [
    writes.take_unread(message(), run(), NOW),
    writes.take(job(_etag='"1"'), run(), NOW),
    writes.heartbeat(OWNER, 0.5, NOW),
    writes.beat(message(part=1), NOW),
    writes.retry(OWNER, message(attempt=2), NOW, NOW),
    writes.hand_back(OWNER, message(turn=1), NOW),
    writes.advance(OWNER, "speech", 3, NOW),
    writes.join(job(), "assemble", NOW),
    writes.count_part(message(part=1), NOW),
    writes.end_by_runner(OWNER, Status.SUCCEEDED, END, 60, NOW),
    writes.fail_as_read(job(_etag='"1"'), END, 60, NOW),
    writes.touch(NOW),
    writes.postpone(NOW, NOW),
    writes.cancel(60, NOW),
    writes.exceed_deadline(END, 60, NOW),
    writes.touch_as_read(job(_etag='"1"'), NOW),
    writes.rescue(job(_etag='"1"'), "ffffffff", NOW, fan_out=False),
]


@pytest.mark.parametrize("write", EVERY_WRITE)
def test_every_write_moves_the_record_under_exactly_one_condition(write: Write) -> None:
    assert write.changes["moved_at"] == timestamp(NOW)
    assert bool(write.condition) != bool(write.etag)
    assert len(write.operations()) <= writes.MAX_OPERATIONS


@pytest.mark.parametrize(
    "write",
    [
        writes.heartbeat(OWNER, 0.5, NOW),
        writes.retry(OWNER, message(attempt=2), NOW, NOW),
        writes.hand_back(OWNER, message(turn=1), NOW),
        writes.advance(OWNER, "speech", 3, NOW),
        writes.end_by_runner(OWNER, Status.FAILED, END, 60, NOW),
    ],
)
def test_runner_is_fenced_by_its_own_token(write: Write) -> None:
    assert write.condition == f"c.status = 'running' AND c.run.owner = '{OWNER}'"


def test_taking_unread_checks_the_whole_row() -> None:
    write = writes.take_unread(message(attempt=3, turn=2), run(), NOW)
    assert write.condition == (
        f"c.status = 'queued' AND c.epoch = '{EPOCH}' AND c.stage = 'whole' AND c.attempt = 3 AND c.turn = 2"
    )


def test_write_that_ends_a_stage_resets_attempt_turn_runner_and_counters() -> None:
    changed = dict(writes.advance(OWNER, "speech", 3, NOW).changes)
    assert {k: changed[k] for k in ("status", "stage", "attempt", "turn", "run", "parts")} == {
        "status": "running", "stage": "speech", "attempt": 1, "turn": 0, "run": None, "parts": {"total": 3, "done": 0}
    }  # fmt: skip


def test_join_asks_for_every_part() -> None:
    assert writes.join(job(stage="speech"), "assemble", NOW).condition.endswith("c.parts.done = c.parts.total)")


@pytest.mark.parametrize("write", [writes.advance(OWNER, "s", 0, NOW), writes.hand_back(OWNER, message(), NOW)])
def test_nothing_but_a_retry_touches_the_due_time(write: Write) -> None:
    assert "due_at" not in write.changes


def test_due_time_is_only_ever_raised() -> None:
    due_at = NOW + timedelta(seconds=9)
    write = writes.postpone(due_at, NOW)
    assert write.changes["due_at"] == timestamp(due_at)
    assert f"c.due_at < '{timestamp(due_at)}'" in write.condition


def test_terminal_write_sets_the_items_time_to_live() -> None:
    changed: dict[str, Any] = dict(writes.end_by_runner(OWNER, Status.SUCCEEDED, END, 77, NOW).changes)
    assert (changed["ttl"], changed["run"]) == (77, None)


@pytest.mark.parametrize(("fan_out", "status"), [(False, Status.QUEUED), (True, Status.RUNNING)])
def test_rescue_changes_the_epoch_and_takes_the_job_from_its_runner(fan_out: bool, status: Status) -> None:
    judged = job(_etag='"1"', status=Status.RUNNING, attempt=3, turn=2, run=run())
    write = writes.rescue(judged, "ffffffff", NOW, fan_out=fan_out)
    assert write.etag == '"1"'
    changed = {"status": status, "epoch": "ffffffff", "turn": 0, "run": None, "moved_at": timestamp(NOW)}
    assert write.changes == changed  # so the attempt stays: a rescue is nobody's failure


def test_deadline_ends_only_a_job_that_has_not_ended_and_whose_deadline_it_is() -> None:
    write = writes.exceed_deadline(END, 77, NOW)
    assert write.condition == f"{writes.OUTSIDER} AND c.deadline_at < '{timestamp(NOW)}'"
    changed: dict[str, Any] = dict(write.changes)
    assert (changed["status"], changed["ttl"], changed["run"]) == (Status.FAILED, 77, None)
