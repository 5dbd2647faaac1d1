"""What a benchmark says of its goal, and how its figures are made of what was seen."""

from __future__ import annotations

import json

import pytest

from benchmarks.drain import rate
from benchmarks.figures import Figure, Rounds, percentile, table
from benchmarks.language import durations, steady_rate


@pytest.mark.parametrize(("value", "met"), [(59.9, False), (60.0, True), (150.0, True)])
def test_a_ratio_meets_its_goal_from_the_goal_on(value: float, met: bool) -> None:
    figure = Figure(name="uploads", unit="/s", value=value, bare=100.0, least_ratio=0.6)

    assert figure.met is met
    assert ("NO" in table([figure])) is not met


@pytest.mark.parametrize(("value", "met"), [(60.0, True), (60.1, False)])
def test_a_duration_meets_its_goal_up_to_the_goal_whatever_bare_does(value: float, met: bool) -> None:
    assert Figure(name="start", unit="ms", value=value, bare=1.0, most=60.0).met is met


def test_rounds_are_summed_up_by_their_medians() -> None:
    assert Rounds([3.0, 1.0, 100.0], [5.0, 6.0, 0.0]).medians == (3.0, 5.0)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 5), (0.95, 10), (1.0, 10)])
def test_a_percentile_is_a_value_that_was_seen(share: float, expected: int) -> None:
    assert percentile(list(range(10, 0, -1)), share) == expected


def test_the_rate_of_a_drain_counts_from_when_the_last_worker_joined_in() -> None:
    early = _log(taken=[0, 1, 2], ended=[1, 2, 4])
    late = _log(taken=[2], ended=[4])

    assert rate([early]) == pytest.approx(3 / 4)
    assert rate([early, late]) == pytest.approx(2 / 2)


def _log(*, taken: list[int], ended: list[int]) -> str:
    events = [("job.taken", at) for at in taken] + [("job.succeeded", at) for at in ended]
    lines = [json.dumps({"at": f"2026-01-01T00:00:0{at}.000Z", "event": event}) for event, at in events]
    return "\n".join(["a warning that is no JSON", *lines])


def test_a_duration_is_from_the_take_to_the_end_of_the_same_job() -> None:
    told = [("job.taken", "a", "00.000"), ("job.taken", "b", "00.100"), ("job.succeeded", "b", "00.350")]
    told += [("stage.failed", "a", "00.400"), ("job.succeeded", "a", "01.500")]
    lines = [
        json.dumps({"event": event, "job_id": job_id, "at": f"2026-05-04T12:00:{at}Z"}) for event, job_id, at in told
    ]

    assert durations("\n".join(["no JSON", *lines])) == [0.25, 1.5]


def test_a_steady_rate_leaves_out_the_time_in_which_some_slots_are_idle() -> None:
    taken, ended = [0.0, 5.0, 6.0, 7.0, 8.0], [5.5, 6.5, 7.5, 8.5, 9.5]
    told = [("job.taken", at) for at in taken] + [("job.succeeded", at) for at in ended]
    log = "\n".join(json.dumps({"event": event, "at": f"2026-05-04T12:00:0{at}00Z"}) for event, at in told)

    assert steady_rate(log, 2) == 1.0
