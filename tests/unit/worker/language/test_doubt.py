"""services/worker/engines/language/pool.py, gate.py: denials that one question meets, and one slot that tries."""

from __future__ import annotations

from itertools import pairwise

import pytest

from claimcheck.settings import Endpoint
from services.worker.engines.language.outcomes import Answered, Busy, Denied, Failing, Outcome, Refused
from services.worker.engines.language.pool import DOUBT_S, Pool, Turn
from services.worker.engines.language.standing import PROBE_LOOK_S, Resting
from services.worker.engines.language.states import State

ANSWERED = Answered(text="Hi", model="m", finish_reason="stop", input_tokens=1, output_tokens=1)
FAILING, BUSY = Failing(why="500", lost=False), Busy(status=429, retry_after_s=5.0)
FORBIDDEN, UNKNOWN, KEY = Denied(status=403), Denied(status=404), Denied(status=401)
REST_S, FAILED_S = 10.0, 300.0

Step = tuple[str, Outcome, float]
"""Which question, what its service answers, and how many seconds after the step before."""


def endpoint(name: str = "a") -> Endpoint:
    return Endpoint(name=name, url="http://a", model="m", concurrency=50)


def pool(*names: str, failures_to_open: int = 1) -> Pool:
    return Pool(
        [endpoint(name) for name in names], Resting(failures_to_open, first_s=REST_S, max_s=REST_S, failed_s=FAILED_S)
    )


def take(pool: Pool, name: str, now: float) -> Turn:
    turn = pool.choose([name], now=now)
    assert isinstance(turn, Turn)
    return turn


def ask(pool: Pool, outcome: Outcome, *, name: str = "a", asker: str = "q", now: float = 0.0) -> None:
    turn = take(pool, name, now)
    weighed = pool.weighed(turn, outcome, asker=asker, now=now)
    pool.ended(turn, weighed, now=now, jitter=1.0)


def state(pool: Pool, now: float = 0.0) -> State:
    return pool.states(now)[0].state


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        # Whoever does not know the key has failed at once.
        ([("q", KEY, 0.0)], State.FAILED),
        ([("q", ANSWERED, 0.0), ("q", KEY, 0.0)], State.FAILED),
        ([("q", ANSWERED, 0.0), ("q", Denied(status=402), 0.0)], State.FAILED),
        ([("q", ANSWERED, 0.0), ("poison", Denied(status=405), 0.0)], State.READY),
        ([("q", ANSWERED, 0.0), ("q", Denied(status=0), 0.0)], State.FAILED),
        # Whoever has never answered has failed at the second question that it denies.
        ([("poison", FORBIDDEN, 0.0)], State.READY),
        ([("poison", UNKNOWN, 0.0), ("poison", FORBIDDEN, 9.0)], State.READY),
        ([("poison", UNKNOWN, 0.0), ("poison", UNKNOWN, DOUBT_S)], State.FAILED),
        ([("poison", FORBIDDEN, 0.0), ("other", FORBIDDEN, 0.0)], State.FAILED),
        ([("poison", FORBIDDEN, 0.0), ("q", ANSWERED, 0.0), ("other", FORBIDDEN, 0.0)], State.READY),
        # Of one that has answered, questions may be what is meant, until nothing else comes for long.
        ([("q", ANSWERED, 0.0), ("poison", FORBIDDEN, 0.0)], State.READY),
        ([("q", ANSWERED, 0.0), ("poison", UNKNOWN, 0.0)], State.READY),
        ([("q", ANSWERED, 0.0), ("poison", FORBIDDEN, 0.0), ("poison", FORBIDDEN, 9.0)], State.READY),
        ([("q", ANSWERED, 0.0), ("poison", FORBIDDEN, 0.0), ("poison", FORBIDDEN, DOUBT_S)], State.FAILED),
        ([("q", ANSWERED, 0.0), ("one", FORBIDDEN, 0.0), ("other", FORBIDDEN, 0.0)], State.READY),
        ([("q", ANSWERED, 0.0), ("one", UNKNOWN, 0.0), ("q", FAILING, 9.0), ("q", UNKNOWN, DOUBT_S)], State.FAILED),
        ([("q", ANSWERED, 0.0), ("one", FORBIDDEN, 0.0), ("q", ANSWERED, 0.0), ("two", FORBIDDEN, 0.0)], State.READY),
        (
            [
                ("q", ANSWERED, 0.0),
                ("one", FORBIDDEN, 0.0),
                ("odd", Refused(status=400), 0.0),
                ("two", FORBIDDEN, 0.0),
            ],
            State.READY,
        ),
    ],
)
def test_denial_counts_for_the_endpoint_unless_it_may_be_meant_for_the_question(steps: list[Step], left: State) -> None:
    asked, now = pool("a", failures_to_open=9), 0.0
    for asker, outcome, passed_s in steps:
        now += passed_s
        ask(asked, outcome, asker=asker, now=now)
    assert state(asked, now) == left


def test_denial_that_is_doubted_counts_as_a_failure() -> None:
    asked = pool("a")
    ask(asked, ANSWERED)
    ask(asked, FORBIDDEN, asker="poison")
    (shown,) = asked.states(0.0)
    assert (shown.state, shown.last_error, dict(shown.requests)) == (
        State.RESTING,
        "403",
        {"answered": 1, "failing": 1},
    )


def test_one_slot_at_a_time_may_take_a_job_while_a_rested_endpoint_is_to_be_tried() -> None:
    asked = pool("a", "b")
    for name in ("a", "b"):
        ask(asked, FAILING, name=name)
    assert asked.next_in_s(now=0.0) == REST_S
    assert asked.next_in_s(now=REST_S) == 0.0
    waits_s = [asked.next_in_s(now=REST_S + late_s) for late_s in (0.0, 0.2)]
    assert waits_s == pytest.approx([PROBE_LOOK_S, PROBE_LOOK_S - 0.2])


def test_slot_that_found_no_job_blocks_nobody_for_longer_than_a_look() -> None:
    asked = pool("a")
    ask(asked, FAILING)
    passed_at = [at for step in range(100) if asked.next_in_s(now=(at := REST_S + step / 10)) == 0.0]
    assert passed_at[0] == REST_S
    assert [after - before for before, after in pairwise(passed_at)] == pytest.approx([PROBE_LOOK_S] * 19)


@pytest.mark.parametrize(("outcome", "next_in_s"), [(ANSWERED, 0.0), (FAILING, REST_S), (BUSY, 5.5)])
def test_try_that_is_decided_lets_all_through_or_none(outcome: Outcome, next_in_s: float) -> None:
    asked = pool("a")
    ask(asked, FAILING)
    assert asked.next_in_s(now=REST_S) == 0.0
    probe = take(asked, "a", REST_S)
    assert asked.next_in_s(now=REST_S + 60) == PROBE_LOOK_S
    asked.ended(probe, outcome, now=REST_S, jitter=1.0)
    assert [asked.next_in_s(now=REST_S) for _ in range(3)] == [next_in_s] * 3


def test_all_pass_while_one_endpoint_is_well() -> None:
    asked = pool("a", "b")
    ask(asked, FAILING)
    assert [asked.next_in_s(now=REST_S) for _ in range(3)] == [0.0] * 3


def test_failed_endpoint_whose_time_has_come_is_tried_while_another_rests_or_hangs() -> None:
    asked = pool("a", "b")
    ask(asked, KEY)
    ask(asked, FAILING, name="b", now=FAILED_S - 1)
    waits_s = [asked.next_in_s(now=FAILED_S + late_s) for late_s in (-0.5, 0.0, 0.2)]
    assert waits_s == pytest.approx([0.5, 0.0, PROBE_LOOK_S - 0.2])
    take(asked, "b", FAILED_S + REST_S)
    assert asked.next_in_s(now=FAILED_S + REST_S) == 0.0, "a may be tried while b is"


def test_without_an_endpoint_nothing_is_waited_for() -> None:
    assert pool().next_in_s(now=0.0) is None
