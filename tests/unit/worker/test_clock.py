"""By how much a machine's clock is off, from a date that somebody else told."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest

from services.worker import clock
from services.worker.clock import ClockWatch, ahead_s, complaint

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
LEASE_S = 60.0


@pytest.mark.parametrize(
    ("theirs_s", "answered_s", "ahead"),
    [
        (0, 0.1, 0),
        (0.2, 0.1, 0.1),
        (-0.9, 0.1, 0),  # it told whole seconds: this is now
        (-1.5, 0.1, -0.5),
        (5, 10, 0),  # the answer took ten seconds: nothing can be told
        (75, 10, 65),
        (-75, 10, -74),
        (3600, 0.1, 3599.9),
    ],
)
def test_offset_is_the_least_that_explains_the_date(theirs_s: float, answered_s: float, ahead: float) -> None:
    theirs, answered_at = NOW + timedelta(seconds=theirs_s), NOW + timedelta(seconds=answered_s)
    assert ahead_s(theirs, asked_at=NOW, answered_at=answered_at) == pytest.approx(ahead)


@pytest.mark.parametrize(
    ("ahead", "says"), [(60, ""), (-60, ""), (0, ""), (60.5, "60 s slow"), (-61, "61 s fast"), (3600, "3,600 s slow")]
)
def test_complaint_begins_beyond_a_minute_and_says_which_way(ahead: float, says: str) -> None:
    found = complaint(ahead)
    assert bool(found) is bool(says)
    assert says in found


def test_clock_that_parts_from_the_brokers_is_told_once_until_it_is_right_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch, lease = ClockWatch(LEASE_S), timedelta(seconds=LEASE_S)
    with caplog.at_level(logging.INFO, logger=clock.__name__):
        for off_s in (0, 30, 90, 91, 0, -90):
            watch.note(NOW + lease + timedelta(seconds=off_s), NOW)
    details = [str(vars(record)["detail"]) for record in caplog.records]
    assert [record.message for record in caplog.records] == ["clock.off", "clock.off"]
    assert "90 s slow" in details[0]
    assert "90 s fast" in details[1]
