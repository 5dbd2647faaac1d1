"""The table of section 5, row by row, and what is announced for a record."""

from __future__ import annotations

from typing import Any

import pytest

from claimcheck import protocol
from claimcheck.job import Job, Parts, Status, Tombstone, tombstone
from claimcheck.messages import Message
from claimcheck.protocol import Announcement, AnnounceThenComplete, Complete, GiveUp, PassOnThenComplete, RunPart, Take
from tests.unit.claimcheck.samples import job, message, run

OTHER_EPOCH = "ffffffff"


def begin(record: Job | Tombstone | None, delivered: Message, **delivery: Any) -> protocol.Begin:
    facts: dict[str, Any] = {"sequence_number": "7", "delivery_count": 0, "part_done": False, "max_attempts": 5}
    return protocol.begin(record, delivered, **{**facts, **delivery})


def test_message_without_a_record_is_an_orphan() -> None:
    assert begin(None, message()) == Complete("no record")


def test_message_of_an_erased_job_is_completed() -> None:
    assert begin(tombstone(job(), job().created_at), message()) == Complete("erased")


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
@pytest.mark.parametrize("part", [None, 3])
def test_message_of_an_ended_job_is_completed(status: Status, part: int | None) -> None:
    ended = begin(job(status=status), message(part=part), delivery_count=9, part_done=True)
    assert ended == Complete(f"already {status}")


def test_first_delivery_of_a_queued_job_takes_it() -> None:
    assert begin(job(), message()) == Take(over=False)


def test_stage_that_has_just_begun_has_no_runner_and_is_taken() -> None:
    record = job(status=Status.RUNNING, stage="assemble")
    assert begin(record, message(stage="assemble")) == Take(over=False)


def test_redelivery_of_the_running_message_takes_the_job_over() -> None:
    record = job(status=Status.RUNNING, run=run("7"))
    assert begin(record, message(), delivery_count=1) == Take(over=True)


def test_copy_of_the_running_message_is_completed_unrun() -> None:
    record = job(status=Status.RUNNING, run=run("8"))
    assert begin(record, message()) == Complete("a copy of the message that is being run")


def test_copy_over_the_limit_does_not_fail_a_job_that_someone_runs() -> None:
    record = job(status=Status.RUNNING, run=run("8"))
    assert isinstance(begin(record, message(), delivery_count=9), Complete)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"epoch": OTHER_EPOCH}, "another epoch"),
        ({"stage": "split"}, "an earlier stage"),
        ({"attempt": 1}, "a lower attempt"),
        ({"attempt": 2, "turn": 1}, "a lower turn"),
    ],
)
@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_message_behind_the_record_announces_what_the_record_waits_for(
    change: dict[str, Any], why: str, status: Status
) -> None:
    record = job(status=status, attempt=2, turn=2, run=run("8") if status == Status.RUNNING else None)
    assert begin(record, message(**{"attempt": 2, "turn": 2, **change})) == AnnounceThenComplete(why)


def test_higher_turn_of_a_lower_attempt_is_still_behind() -> None:
    assert begin(job(attempt=2), message(attempt=1, turn=5)) == AnnounceThenComplete("a lower attempt")


@pytest.mark.parametrize(
    ("attempt", "delivery_count", "spent"), [(1, 4, False), (1, 5, True), (5, 0, False), (5, 1, True), (3, 2, False)]
)
def test_job_is_given_up_when_attempt_and_deliveries_exceed_the_limit(
    attempt: int, delivery_count: int, spent: bool
) -> None:
    decision = begin(job(attempt=attempt), message(attempt=attempt), delivery_count=delivery_count)
    assert decision == (GiveUp(delivery_count) if spent else Take(over=False))


def part_job(**changes: Any) -> Job:
    return job(status=Status.RUNNING, stage="speech", parts=Parts(total=5, done=2), **changes)


def part_message(**changes: Any) -> Message:
    return message(**{"stage": "speech", "part": 3, **changes})


def test_part_of_the_present_stage_is_run() -> None:
    assert begin(part_job(), part_message()) == RunPart()


def test_finished_part_passes_on_again() -> None:
    assert begin(part_job(), part_message(), part_done=True) == PassOnThenComplete()


def test_finished_part_passes_on_even_when_the_epoch_has_changed() -> None:
    assert begin(part_job(), part_message(epoch=OTHER_EPOCH), part_done=True) == PassOnThenComplete()


@pytest.mark.parametrize(
    ("change", "why"), [({"epoch": OTHER_EPOCH}, "another epoch"), ({"stage": "x"}, "another stage")]
)
def test_part_of_another_epoch_or_stage_announces(change: dict[str, Any], why: str) -> None:
    assert begin(part_job(), part_message(**change)) == AnnounceThenComplete(why)


def test_outdated_part_over_the_limit_is_not_skipped() -> None:
    decision = begin(part_job(), part_message(epoch=OTHER_EPOCH), delivery_count=9)
    assert isinstance(decision, AnnounceThenComplete)


def test_part_over_the_limit_is_given_up() -> None:
    assert begin(part_job(), part_message(), delivery_count=5) == GiveUp(5)


def judge(record: Job | Tombstone | None, parked: Message, **letter: Any) -> protocol.Begin:
    facts: dict[str, Any] = {"sequence_number": "7", "delivery_count": 10, "part_done": False}
    return protocol.judge_letter(record, parked, **{**facts, **letter})


@pytest.mark.parametrize(
    ("record", "verdict"),
    [
        pytest.param(None, Complete("no record"), id="no record"),
        pytest.param(tombstone(job(), job().created_at), Complete("erased"), id="erased"),
        pytest.param(job(status=Status.FAILED), Complete("already failed"), id="ended"),
        pytest.param(job(epoch=OTHER_EPOCH), AnnounceThenComplete("another epoch"), id="rescued since"),
        pytest.param(job(stage="split"), AnnounceThenComplete("an earlier stage"), id="moved on since"),
        pytest.param(job(attempt=2), AnnounceThenComplete("a lower attempt"), id="retried since"),
        pytest.param(job(turn=1), AnnounceThenComplete("a lower turn"), id="handed back since"),
        pytest.param(
            job(status=Status.RUNNING, run=run("8")),
            Complete("a copy of the message that is being run"),
            id="another message is being run",
        ),
        pytest.param(job(status=Status.RUNNING, run=run("7")), GiveUp(10), id="its runner died with it"),
        pytest.param(job(status=Status.RUNNING), GiveUp(10), id="nobody has begun the stage"),
        pytest.param(job(), GiveUp(10), id="the job waits for it"),
    ],
)
def test_letter_gives_up_only_a_job_that_waits_for_it(record: Job | Tombstone | None, verdict: protocol.Begin) -> None:
    assert judge(record, message()) == verdict


@pytest.mark.parametrize("delivery_count", [0, 1, 10])
def test_letter_is_never_run_however_seldom_it_was_delivered(delivery_count: int) -> None:
    assert judge(job(), message(), delivery_count=delivery_count) == GiveUp(delivery_count)
    assert judge(part_job(), part_message(), delivery_count=delivery_count) == GiveUp(delivery_count)


@pytest.mark.parametrize(
    ("record", "done", "verdict"),
    [
        pytest.param(part_job(), True, PassOnThenComplete(), id="done: whoever did it may not have passed on"),
        pytest.param(part_job(epoch=OTHER_EPOCH), False, AnnounceThenComplete("another epoch"), id="rescued since"),
        pytest.param(job(stage="assemble"), False, AnnounceThenComplete("another stage"), id="moved on since"),
        pytest.param(part_job(), False, GiveUp(10), id="the stage waits for it"),
    ],
)
def test_letter_of_a_part_is_stale_only_by_epoch_or_stage(record: Job, done: bool, verdict: protocol.Begin) -> None:
    # A retry of a part is in its message alone.
    for attempt in (1, 3):
        assert judge(record, part_message(attempt=attempt), part_done=done) == verdict


def test_whole_job_stage_announces_its_one_message() -> None:
    record = job(stage="assemble", attempt=3, turn=2)
    expected = message(stage="assemble", attempt=3, turn=2)
    assert protocol.announce(record, window=0) == Announcement((expected,))


@pytest.mark.parametrize(
    ("total", "window", "done", "heads"),
    [
        (5, 2, set(), [0, 1]),
        (5, 2, {0, 1}, [2, 3]),
        (5, 2, {0, 2}, [4, 1]),
        (5, 2, {0, 2, 4}, [1]),
        (1, 4, set(), [0]),
        (5, 8, {1}, [0, 2, 3, 4]),
    ],
)
def test_fan_out_announces_the_first_missing_part_of_each_chain(
    total: int, window: int, done: set[int], heads: list[int]
) -> None:
    record = job(status=Status.RUNNING, stage="speech", parts=Parts(total=total, done=len(done)))
    announced = protocol.announce(record, window=window, done=done)
    assert [m.part for m in announced.messages] == heads
    assert not announced.join


@pytest.mark.parametrize(("total", "done"), [(3, {0, 1, 2}), (0, set())])
def test_fan_out_with_every_part_done_or_none_to_do_joins(total: int, done: set[int]) -> None:
    record = job(status=Status.RUNNING, stage="speech", parts=Parts(total=total, done=len(done)))
    assert protocol.announce(record, window=2, done=done) == Announcement(join=True)


def test_finished_part_sends_the_next_of_its_chain() -> None:
    following = protocol.pass_on(part_job(), part_message(part=1), window=2)
    assert following == Announcement((part_message(part=3),))


def test_last_part_of_a_chain_sends_nothing_while_others_are_missing() -> None:
    assert protocol.pass_on(part_job(), part_message(part=4), window=2) == Announcement()


def test_last_part_of_all_joins() -> None:
    record = job(status=Status.RUNNING, stage="speech", parts=Parts(total=5, done=5))
    assert protocol.pass_on(record, part_message(part=1), window=2) == Announcement(join=True)


def test_part_that_finds_the_stage_over_asks_what_the_record_waits_for() -> None:
    assert protocol.pass_on(job(stage="assemble"), part_message(), window=2) is None


def test_passing_on_uses_the_epoch_of_the_record() -> None:
    following = protocol.pass_on(part_job(epoch=OTHER_EPOCH), part_message(part=0), window=2)
    assert following is not None
    assert [m.epoch for m in following.messages] == [OTHER_EPOCH]
