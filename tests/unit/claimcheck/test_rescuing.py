"""claimcheck/rescuing.py: which jobs are forgotten, at every boundary."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from claimcheck.job import Job, Status, tombstone
from claimcheck.rescuing import Waiting, is_fresh, is_head, is_old, last_moved, needs_rescue
from tests.unit.claimcheck.samples import NOW, job

PATIENCE = timedelta(minutes=5)
A_MOMENT = timedelta(milliseconds=1)


def moved(ago: timedelta, *, due_in: timedelta | None = None) -> Job:
    return job(moved_at=NOW - ago, due_at=None if due_in is None else NOW + due_in)


def sent(ago: timedelta, *, scheduled: bool = False) -> Waiting:
    return Waiting(NOW - ago, scheduled)


@pytest.mark.parametrize(
    ("due_in", "expected"),
    [
        pytest.param(None, NOW - PATIENCE, id="no due time"),
        pytest.param(-2 * PATIENCE, NOW - PATIENCE, id="due before it moved"),
        pytest.param(-A_MOMENT, NOW - A_MOMENT, id="came due since"),
        pytest.param(PATIENCE, NOW + PATIENCE, id="not due yet"),
    ],
)
def test_job_counts_as_moved_when_it_comes_due(due_in: timedelta | None, expected: datetime) -> None:
    assert last_moved(moved(PATIENCE, due_in=due_in)) == expected


@pytest.mark.parametrize(
    ("record", "fresh"),
    [
        pytest.param(moved(PATIENCE - A_MOMENT), True, id="moved just within the patience"),
        pytest.param(moved(PATIENCE), False, id="moved as long ago"),
        pytest.param(moved(PATIENCE, due_in=-A_MOMENT), True, id="came due within it"),
        pytest.param(moved(PATIENCE, due_in=PATIENCE), True, id="is due later"),
        pytest.param(None, False, id="no record"),
        pytest.param(tombstone(job(), NOW), False, id="erased"),
    ],
)
def test_only_a_job_that_moved_lately_is_fresh(record: Job | None, fresh: bool) -> None:
    assert is_fresh(record, now=NOW, patience=PATIENCE) is fresh


@pytest.mark.parametrize(
    ("waiting", "fresh", "head"),
    [
        pytest.param(sent(timedelta()), False, True, id="sent now"),
        pytest.param(sent(PATIENCE - A_MOMENT), True, True, id="sent within the patience: its job moves, of course"),
        pytest.param(sent(PATIENCE), True, False, id="old, and its job is being run"),
        pytest.param(sent(PATIENCE), False, True, id="old, and nobody runs its job: it waits in the line"),
        pytest.param(sent(PATIENCE, scheduled=True), False, False, id="not due"),
        pytest.param(sent(-PATIENCE, scheduled=True), True, False, id="due later"),
        pytest.param(sent(-A_MOMENT), True, True, id="sent by a clock that is ahead of ours"),
    ],
)
def test_line_begins_at_the_first_message_that_is_not_being_run(waiting: Waiting, fresh: bool, head: bool) -> None:
    assert is_head(waiting, fresh=fresh, now=NOW, patience=PATIENCE) is head


@pytest.mark.parametrize("waiting", [sent(PATIENCE - A_MOMENT), sent(PATIENCE), sent(PATIENCE, scheduled=True)])
def test_record_of_a_message_matters_exactly_if_it_is_old(waiting: Waiting) -> None:
    matters = is_head(waiting, fresh=True, now=NOW, patience=PATIENCE) != is_head(
        waiting, fresh=False, now=NOW, patience=PATIENCE
    )
    assert is_old(waiting, now=NOW, patience=PATIENCE) is matters


@pytest.mark.parametrize(
    ("record", "head_ago", "needed"),
    [
        pytest.param(moved(PATIENCE + A_MOMENT), timedelta(), True, id="the line is empty, and it is forgotten"),
        pytest.param(moved(PATIENCE), timedelta(), False, id="not yet"),
        pytest.param(moved(3 * PATIENCE), 3 * PATIENCE, False, id="it is at the head itself"),
        pytest.param(moved(3 * PATIENCE), 2 * PATIENCE, False, id="its message may be behind the head, clocks differ"),
        pytest.param(moved(3 * PATIENCE + A_MOMENT), 2 * PATIENCE, True, id="its message would be before the head"),
        pytest.param(moved(24 * PATIENCE), 25 * PATIENCE, False, id="it waits in a long line"),
        pytest.param(moved(3 * PATIENCE, due_in=A_MOMENT), timedelta(), False, id="it waits for its retry"),
        pytest.param(moved(3 * PATIENCE, due_in=-PATIENCE), timedelta(), False, id="it has just come due"),
        pytest.param(moved(3 * PATIENCE, due_in=-PATIENCE - A_MOMENT), timedelta(), True, id="its retry is lost"),
    ],
)
@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_job_is_rescued_if_its_message_would_be_well_before_the_head_of_the_line(
    record: Job, head_ago: timedelta, needed: bool, status: Status
) -> None:
    judged = record.model_copy(update={"status": status})
    assert needs_rescue(judged, head_at=NOW - head_ago, patience=PATIENCE) is needed


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
def test_job_that_has_ended_is_never_rescued(status: Status) -> None:
    ended = job(status=status, moved_at=NOW - 100 * PATIENCE)
    assert not needs_rescue(ended, head_at=NOW, patience=PATIENCE)
