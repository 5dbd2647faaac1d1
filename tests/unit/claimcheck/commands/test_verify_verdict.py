"""claimcheck/commands/verify/verdict.py: each kind of wrong history is caught, and named by its job."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claimcheck.commands.verify.history import Attempt, History, Listed, Reading
from claimcheck.commands.verify.verdict import LATE, Verdict, judge, judge_window
from claimcheck.job import Status

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CLASSES = ("lost", "unexpected", "duplicated", "differing", "recovered", "stuck", "failed", "cancelled")


def attempt(name: str, **given: Any) -> Attempt:
    """One that was acknowledged as the job of the same name."""
    return Attempt(**{"content": f"content of {name}", "accepted": (name,), **given})


def reading(job_id: str, status: Status | None = Status.SUCCEEDED, **given: Any) -> Reading:
    """The job's end, unless it is another state."""
    ended = status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
    usual = {
        "content": f"content of {job_id}",
        "end": f"{status}, for good" if ended else "",
        "result": f"result of {job_id}" if status == Status.SUCCEEDED else "",
        "created_at": NOW - timedelta(minutes=10),
        "deadline_at": NOW + timedelta(hours=23),
    }
    return Reading(job_id=job_id, status=status, **{**usual, **given})


def listed(*job_ids: str) -> tuple[Listed, ...]:
    """Jobs of the list."""
    return tuple(Listed(job_id=job_id, content=f"content of {job_id}") for job_id in job_ids)


SOUND = History(
    attempts=(attempt("a"), attempt("b")),
    readings=(reading("a"), reading("b", Status.RUNNING), reading("b"), reading("a"), reading("b")),
    listed=listed("a", "b"),
)


def with_attempts(*attempts: Attempt) -> History:
    """The sound history with other attempts."""
    return replace(SOUND, attempts=attempts)


def with_readings(*readings: Reading) -> History:
    """The sound history with other readings of `a`."""
    others = (reading for reading in SOUND.readings if reading.job_id != "a")
    return replace(SOUND, readings=(*others, *readings))


def found(verdict: Verdict) -> dict[str, list[str]]:
    """Which jobs are in which class."""
    classes = {name: getattr(verdict, name) or () for name in CLASSES}
    return {name: sorted({finding.job_id for finding in findings}) for name, findings in classes.items() if findings}


def test_a_sound_history_holds() -> None:
    verdict = judge(SOUND, now=NOW)

    assert verdict.holds
    assert found(verdict) == {}
    assert (verdict.attempted, verdict.acknowledged, verdict.succeeded, verdict.open) == (2, 2, 2, 0)


WRONG = [
    pytest.param(
        with_readings(reading("a"), reading("a", None)), {"lost": ["a"]}, id="acknowledged, ended, and then a 404"
    ),
    pytest.param(
        with_readings(reading("a", None), reading("a")), {"lost": ["a"]}, id="a 404 at first, and found later"
    ),
    pytest.param(replace(SOUND, listed=listed("b")), {"lost": ["a"]}, id="acknowledged and not in the list"),
    pytest.param(
        with_readings(reading("a", Status.RUNNING, deadline_at=NOW - LATE - timedelta(seconds=1))),
        {"lost": ["a"]},
        id="not ended by its deadline",
    ),
    pytest.param(
        replace(SOUND, listed=(*SOUND.listed, Listed(job_id="x", content="never sent"))),
        {"unexpected": ["x"]},
        id="a job of an upload that nobody sent",
    ),
    pytest.param(
        replace(SOUND, listed=(*SOUND.listed, Listed(job_id="a2", content="content of a"))),
        {"duplicated": ["a", "a2"], "stuck": ["a2"]},
        id="two jobs of one attempt with a key",
    ),
    pytest.param(
        replace(
            with_attempts(attempt("a", keyed=False), attempt("b")),
            listed=(*SOUND.listed, Listed(job_id="a2", content="content of a")),
            readings=(*SOUND.readings, reading("a2")),
        ),
        {"duplicated": ["a", "a2"]},
        id="two jobs of one request without a key",
    ),
    pytest.param(
        replace(
            with_attempts(attempt("a", accepted=("a", "c")), attempt("b")),
            listed=(*SOUND.listed, Listed(job_id="c", content="content of a")),
            readings=(*SOUND.readings, reading("c", content="content of a")),
        ),
        {"duplicated": ["a", "c"]},
        id="handed in twice with one key, and answered with two ids",
    ),
    pytest.param(
        with_readings(reading("a"), reading("a", end="another")), {"differing": ["a"]}, id="read twice, two ends"
    ),
    pytest.param(
        with_readings(reading("a"), reading("a", Status.FAILED, why="gone: ...")),
        {"differing": ["a"], "failed": ["a"]},
        id="succeeded, and then failed",
    ),
    pytest.param(
        with_readings(reading("a"), reading("a", Status.RUNNING), reading("a")),
        {"differing": ["a"]},
        id="ended, and then running again",
    ),
    pytest.param(
        with_readings(reading("a"), reading("a", flaw="succeeded without a result")),
        {"differing": ["a"]},
        id="an answer that is none",
    ),
    pytest.param(
        with_readings(reading("a", content="content of b")), {"differing": ["a"]}, id="the record names another upload"
    ),
    pytest.param(
        with_attempts(attempt("a", input="one second"), attempt("b", input="one second")),
        {"differing": ["b"]},
        id="one input, two results",
    ),
    pytest.param(
        replace(
            with_attempts(attempt("a", input="one second"), attempt("b", input="two seconds")),
            readings=(reading("a", result="same"), reading("b", result="same")),
        ),
        {"differing": ["b"]},
        id="two inputs, one result",
    ),
    pytest.param(with_readings(reading("a", Status.QUEUED)), {"stuck": ["a"]}, id="not ended in time"),
    pytest.param(with_readings(), {"stuck": ["a"]}, id="no answer in time"),
    pytest.param(
        replace(
            with_attempts(attempt("a", accepted=(), refusal="503"), attempt("b")),
            readings=(reading("b"), reading("a", Status.QUEUED)),
        ),
        {"stuck": ["a"]},
        id="not acknowledged, accepted all the same, and not ended",
    ),
    pytest.param(
        with_readings(reading("a", Status.FAILED, why="worker-died: ...")), {"failed": ["a"]}, id="it has failed"
    ),
]


@pytest.mark.parametrize(("history", "expected"), WRONG)
def test_a_wrong_history_is_caught(history: History, expected: dict[str, list[str]]) -> None:
    verdict = judge(history, now=NOW)

    assert not verdict.holds
    assert found(verdict) == expected


ALLOWED = [
    pytest.param(
        with_attempts(attempt("a", accepted=(), refusal="no answer"), attempt("b")),
        {"recovered": ["a"]},
        id="not acknowledged and found to have run",
    ),
    pytest.param(
        with_attempts(*SOUND.attempts, attempt("c", accepted=(), refusal="503")),
        {},
        id="not acknowledged and not run",
    ),
    pytest.param(with_readings(reading("a", Status.CANCELLED)), {"cancelled": ["a"]}, id="cancelled by somebody"),
    pytest.param(
        with_attempts(attempt("a", accepted=("a", "a")), attempt("b")), {}, id="handed in twice, and the same job"
    ),
    pytest.param(
        with_attempts(attempt("a", input="one second"), attempt("b", input="two seconds")),
        {},
        id="two inputs, two results",
    ),
    pytest.param(
        replace(
            with_attempts(attempt("a"), attempt("b")),
            readings=(reading("a", result="same"), reading("b", result="same")),
        ),
        {},
        id="one result of inputs of which nothing is known",
    ),
]


@pytest.mark.parametrize(("history", "expected"), ALLOWED)
def test_what_is_allowed_is_told_and_holds(history: History, expected: dict[str, list[str]]) -> None:
    verdict = judge(history, now=NOW)

    assert verdict.holds
    assert found(verdict) == expected


def test_what_was_not_acknowledged_is_not_counted_so() -> None:
    verdict = judge(with_attempts(attempt("a", accepted=(), refusal="503"), attempt("b")), now=NOW)

    assert (verdict.attempted, verdict.acknowledged) == (2, 1)
    assert verdict.refusals == {"503": 1}


def test_a_run_without_a_single_acknowledgement_shows_nothing() -> None:
    verdict = judge(History(attempts=(attempt("a", accepted=()),), readings=(), listed=()), now=NOW)

    assert not verdict.holds


def test_the_order_of_readings_of_different_jobs_means_nothing() -> None:
    by_job = {job_id: [r for r in SOUND.readings if r.job_id == job_id] for job_id in ("a", "b")}

    for order in itertools.permutations(by_job):
        readings = tuple(itertools.chain.from_iterable(by_job[job_id] for job_id in order))
        assert judge(replace(SOUND, readings=readings), now=NOW).holds


def _window(readings: Sequence[Reading], patience: timedelta | None = None) -> Verdict:
    return judge_window(readings, now=NOW, patience=patience)


def test_a_window_says_what_it_cannot_know() -> None:
    verdict = _window([reading("a"), reading("a")])

    assert verdict.holds
    unknown = ("attempted", "acknowledged", "lost", "unexpected", "duplicated", "recovered")
    assert {name: getattr(verdict, name) for name in unknown} == dict.fromkeys(unknown)
    assert verdict.succeeded == 1


@pytest.mark.parametrize(
    ("status", "given", "patience", "stuck", "still_open"),
    [
        pytest.param(Status.RUNNING, {}, None, [], 1, id="running before its deadline"),
        pytest.param(Status.QUEUED, {"deadline_at": NOW - LATE}, None, [], 1, id="the keeper is on its way"),
        pytest.param(
            Status.QUEUED, {"deadline_at": NOW - LATE - timedelta(seconds=1)}, None, ["a"], 0, id="past its deadline"
        ),
        pytest.param(Status.RUNNING, {}, timedelta(minutes=9), ["a"], 0, id="past the patience"),
        pytest.param(Status.RUNNING, {}, timedelta(minutes=11), [], 1, id="within the patience"),
        pytest.param(Status.SUCCEEDED, {"deadline_at": NOW - timedelta(days=1)}, None, [], 0, id="ended long ago"),
    ],
)
def test_a_job_of_a_window_is_stuck_when_its_time_is_over(
    status: Status, given: dict[str, Any], patience: timedelta | None, stuck: list[str], still_open: int
) -> None:
    verdict = _window([reading("a", status, **given)] * 2, patience)

    assert [finding.job_id for finding in verdict.stuck] == stuck
    assert verdict.open == still_open
    assert verdict.holds is not bool(stuck)


def test_a_failed_job_of_a_window_is_told_and_is_its_owners_affair() -> None:
    verdict = _window([reading("a", Status.FAILED, why="no-audio: ...")] * 2)

    assert found(verdict) == {"failed": ["a"]}
    assert verdict.holds


def test_a_job_that_is_erased_while_it_is_read_is_passed_over() -> None:
    verdict = _window([reading("a"), reading("a", None)])

    assert verdict.holds
    assert found(verdict) == {}


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(reading("a", end="another"), id="another end"),
        pytest.param(reading("a", Status.RUNNING), id="running again"),
        pytest.param(reading("a", flaw="failed without a problem"), id="an answer that is none"),
    ],
)
def test_an_end_that_changes_in_a_window_is_caught(again: Reading) -> None:
    verdict = _window([reading("a"), again])

    assert not verdict.holds
    assert found(verdict) == {"differing": ["a"]}
