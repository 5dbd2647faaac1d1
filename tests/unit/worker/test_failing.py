"""services/worker/keeper/failing.py: what one failure costs the others, and when a round gives up."""

from __future__ import annotations

import logging

import pytest

from claimcheck.errors import BlobsUnavailable, RecordsUnavailable
from services.worker.keeper.failing import IN_A_ROW, Failing


def _fail(failing: Failing, error: Exception, times: int = 1) -> None:
    for _ in range(times):
        with failing.passed_over("blob.sweep_failed", blob="a"):
            raise error


def test_round_without_failures_raises_nothing() -> None:
    failing = Failing()
    with failing.passed_over("blob.sweep_failed"):
        pass
    failing.raise_first()
    assert failing.count == 0


def test_first_failure_is_raised_at_the_end() -> None:
    failing = Failing()
    _fail(failing, BlobsUnavailable("held"))
    _fail(failing, RecordsUnavailable("away"))
    assert failing.count == 2
    with pytest.raises(BlobsUnavailable):
        failing.raise_first()


def test_round_ends_once_a_dependency_has_failed_so_many_times_in_a_row() -> None:
    failing, begun = Failing(), False
    _fail(failing, RecordsUnavailable("away"), IN_A_ROW)
    with pytest.raises(RecordsUnavailable), failing.passed_over("blob.sweep_failed"):
        begun = True
    assert not begun


@pytest.mark.parametrize("between", [None, KeyError("kind")])
def test_answer_between_them_says_that_the_dependency_is_there(between: Exception | None) -> None:
    failing = Failing()
    for _ in range(3):
        _fail(failing, RecordsUnavailable("away"), IN_A_ROW - 1)
        with failing.passed_over("blob.sweep_failed"):
            if between:
                raise between
    assert failing.count >= 3 * (IN_A_ROW - 1)


def test_failures_that_are_no_dependency_s_never_end_the_round() -> None:
    failing = Failing()
    _fail(failing, KeyError("kind"), 3 * IN_A_ROW)
    assert failing.count == 3 * IN_A_ROW


def test_line_names_what_failed_and_gives_no_content_away(caplog: pytest.LogCaptureFixture) -> None:
    failing = Failing()
    with caplog.at_level(logging.WARNING):
        _fail(failing, ValueError("input_value={'prompt': 'SECRET'}"))
    (said,) = caplog.records
    assert (vars(said)["blob"], vars(said)["detail"]) == ("a", "ValueError")
