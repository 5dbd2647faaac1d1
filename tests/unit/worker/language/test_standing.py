"""services/worker/engines/language/standing.py: when an endpoint may be asked, told by its answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.worker.engines.language.outcomes import (
    Answered,
    Busy,
    Denied,
    Failing,
    Filtered,
    Outcome,
    Refused,
    TooLong,
)
from services.worker.engines.language.standing import PROBE_LOOK_S, Resting, Standing
from services.worker.engines.language.states import State

NOW = 100.0
RESTING = Resting(failures_to_open=3, first_s=1.0, max_s=8.0, failed_s=300.0)
READY, ONCE, TWICE = Standing(), Standing(failures=1), Standing(failures=2)
COOLING = Standing(State.COOLING, until=NOW + 5)
COOLED = Standing(State.COOLING, until=NOW - 1)
RESTS = Standing(State.RESTING, until=NOW + 5, failures=3, rests=1)
RESTED = Standing(State.RESTING, until=NOW - 1, failures=3, rests=1)
PROBED = replace(RESTED, probing=True)
FAILED = Standing(State.FAILED, until=NOW + 300)
TRIED = Standing(State.FAILED, until=NOW - 1, probing=True)

ANSWERED = Answered(text="Hi", model="m", finish_reason="stop", input_tokens=1, output_tokens=1)
FAILING, DENIED = Failing(why="500", lost=False), Denied(status=401)


def busy(retry_after_s: float | None) -> Busy:
    return Busy(status=429, retry_after_s=retry_after_s)


def after(standing: Standing, outcome: Outcome, *, probe: bool = False, jitter: float = 1.0) -> Standing:
    return standing.after(outcome, probe=probe, now=NOW, resting=RESTING, jitter=jitter)


def rest(until: float, failures: int, rests: int) -> Standing:
    return Standing(State.RESTING, until=until, failures=failures, rests=rests)


def cool(until: float, rests: int = 0) -> Standing:
    return Standing(State.COOLING, until=until, rests=rests)


@pytest.mark.parametrize(
    ("standing", "ready_in_s", "shown"),
    [
        (READY, 0.0, State.READY),
        (TWICE, 0.0, State.READY),
        (COOLING, 5.0, State.COOLING),
        (COOLED, 0.0, State.READY),
        (RESTS, 5.0, State.RESTING),
        (RESTED, 0.0, State.RESTING),
        (PROBED, PROBE_LOOK_S, State.RESTING),
        (FAILED, 300.0, State.FAILED),
        (replace(TRIED, probing=False), 0.0, State.FAILED),
        (TRIED, PROBE_LOOK_S, State.FAILED),
    ],
)
def test_when_it_may_be_asked(standing: Standing, ready_in_s: float, shown: State) -> None:
    assert (standing.ready_in_s(NOW), standing.as_of(NOW)) == (ready_in_s, shown)


@pytest.mark.parametrize(
    ("before", "outcome", "left"),
    [
        # An answer of any kind shows that it works.
        (TWICE, ANSWERED, READY),
        (TWICE, Refused(status=400), READY),
        (TWICE, TooLong(), READY),
        (TWICE, Filtered(), READY),
        (COOLED, ANSWERED, READY),
        (COOLING, ANSWERED, COOLING),
        (RESTS, ANSWERED, READY),
        # Busy: as long as asked, or longer each time.
        (READY, busy(4.0), cool(NOW + 4.4, rests=1)),
        (READY, busy(60.0), cool(NOW + 61, rests=1)),
        (TWICE, busy(4.0), cool(NOW + 4.4, rests=1)),
        (READY, busy(0.001), cool(NOW + 0.0011, rests=1)),
        (cool(NOW - 1, rests=1), busy(0.001), cool(NOW + 1, rests=2)),
        (cool(NOW - 1, rests=2), busy(0.001), cool(NOW + 2, rests=3)),
        (cool(NOW - 1, rests=9), busy(0.001), cool(NOW + 8, rests=10)),
        (cool(NOW + 0.5, rests=2), busy(0.001), cool(NOW + 0.5, rests=2)),
        (COOLING, busy(1.0), cool(NOW + 5)),
        (COOLING, busy(9.0), cool(NOW + 9.9)),
        (READY, busy(None), cool(NOW + 1, rests=1)),
        (READY, busy(0.0), cool(NOW + 1, rests=1)),
        (COOLING, busy(None), COOLING),
        (cool(NOW - 1, rests=2), busy(None), cool(NOW + 4, rests=3)),
        (cool(NOW - 1, rests=2), busy(2.0), cool(NOW + 2.2, rests=3)),
        # Failing: a rest after three in a row, then a longer one after each try.
        (READY, FAILING, ONCE),
        (ONCE, FAILING, TWICE),
        (TWICE, FAILING, rest(NOW + 1, 3, 1)),
        (RESTS, FAILING, RESTS),
        (RESTED, FAILING, rest(NOW + 2, 4, 2)),
        (PROBED, FAILING, PROBED),
        (replace(COOLING, failures=2), FAILING, rest(NOW + 5, 3, 1)),
        (rest(NOW - 1, 9, 40), FAILING, rest(NOW + 8, 10, 41)),
        # Denied, and what was asked before says nothing.
        (READY, DENIED, FAILED),
        (COOLING, DENIED, FAILED),
        (PROBED, DENIED, PROBED),
        (FAILED, ANSWERED, FAILED),
        (FAILED, busy(1.0), FAILED),
        (FAILED, FAILING, FAILED),
        (TRIED, ANSWERED, TRIED),
        (TRIED, DENIED, TRIED),
    ],
)
def test_what_an_outcome_leaves(before: Standing, outcome: Outcome, left: Standing) -> None:
    assert after(before, outcome) == left


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        (ANSWERED, READY),
        (FAILING, rest(NOW + 2, 4, 2)),
        (busy(3.0), cool(NOW + 3.3, rests=2)),
        (DENIED, FAILED),
    ],
)
def test_request_that_tries_a_rested_endpoint_decides(outcome: Outcome, left: Standing) -> None:
    assert after(PROBED, outcome, probe=True) == left


@pytest.mark.parametrize(
    ("outcome", "left"),
    [(ANSWERED, READY), (busy(3.0), cool(NOW + 3.3, rests=1)), (FAILING, FAILED), (DENIED, FAILED)],
)
def test_request_that_tries_a_failed_endpoint_decides(outcome: Outcome, left: Standing) -> None:
    assert after(TRIED, outcome, probe=True) == left


def test_cancelled_try_may_be_made_again() -> None:
    assert PROBED.let_go(probe=True) == RESTED
    assert PROBED.let_go(probe=False) == PROBED


@pytest.mark.parametrize(("jitter", "rest_s"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_rest_is_between_half_and_all_of_it(jitter: float, rest_s: float) -> None:
    assert after(TWICE, FAILING, jitter=jitter).until == NOW + rest_s


def test_no_request_tries_what_is_ready() -> None:
    assert [standing.tried().probing for standing in (READY, COOLED, RESTED, TRIED)] == [False, False, True, True]
