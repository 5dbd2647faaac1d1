"""services/worker/engines/language/pool.py: whom to ask next."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimcheck.settings import Endpoint
from services.worker.engines.language.outcomes import Answered, Busy, Denied, Failing, Outcome
from services.worker.engines.language.pool import Choice, NotReady, Pool, Turn, WaitForProbe, WaitForSlot
from services.worker.engines.language.standing import PROBE_LOOK_S, Resting
from services.worker.engines.language.states import State

RESTING = Resting(failures_to_open=1, first_s=10.0, max_s=40.0, failed_s=300.0)
ANSWERED = Answered(text="Hi", model="m", finish_reason="stop", input_tokens=3, output_tokens=4)
FAILING, BUSY = Failing(why="timeout", lost=True), Busy(status=429, retry_after_s=5.0)
DENIED = Denied(status=401)


def endpoint(name: str, **fields: Any) -> Endpoint:
    return Endpoint(name=name, url="http://a", model="m", **fields)


class Asked:
    """A pool and its clock."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self.pool = Pool(endpoints, RESTING)
        self.names = [endpoint.name for endpoint in endpoints]
        self.now = 0.0

    def choose(self, *among: str, prefer: str | None = None) -> Choice:
        return self.pool.choose(among or self.names, now=self.now, prefer=prefer)

    def take(self, *among: str, prefer: str | None = None) -> Turn:
        choice = self.choose(*among, prefer=prefer)
        assert isinstance(choice, Turn), choice
        return choice

    def ask(self, *among: str, outcome: Outcome = ANSWERED) -> str:
        """One request from begin to end, and who was asked."""
        turn = self.take(*among)
        self.end(turn, outcome)
        return turn.endpoint.name

    def end(self, turn: Turn, outcome: Outcome = ANSWERED) -> None:
        self.pool.ended(turn, outcome, now=self.now, jitter=1.0)

    def state(self, name: str) -> State:
        return next(state.state for state in self.pool.states(self.now) if state.name == name)


def test_lowest_priority_is_asked_while_it_is_ready() -> None:
    asked = Asked(endpoint("second", priority=1), endpoint("first"))
    assert [asked.ask() for _ in range(3)] == ["first"] * 3
    asked.ask(outcome=BUSY)
    assert asked.ask() == "second"
    asked.now = 5.6
    assert asked.ask() == "first"


def test_full_endpoint_is_waited_for_and_a_higher_priority_is_not_asked_instead() -> None:
    asked = Asked(endpoint("first", concurrency=2), endpoint("second", priority=1))
    turns = [asked.take(), asked.take()]
    assert asked.choose() == WaitForSlot()
    asked.end(turns[0])
    assert asked.take().endpoint.name == "first"


def test_full_endpoint_leaves_its_share_to_others_of_its_priority() -> None:
    asked = Asked(endpoint("small", concurrency=1, weight=100), endpoint("large"))
    assert [asked.take().endpoint.name for _ in range(4)] == ["small", "large", "large", "large"]


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (1, 10), (5, 3, 2)])
@pytest.mark.parametrize("at_once", [1, 2, 7])
def test_shares_are_those_of_the_weights_at_any_concurrency(weights: tuple[int, ...], at_once: int) -> None:
    asked = Asked(*(endpoint(f"e{number}", weight=weight) for number, weight in enumerate(weights)))
    chance, under_way, shares = random.Random(1), list[Turn](), Counter[str]()
    for _ in range(1000):
        if len(under_way) == at_once:
            asked.end(under_way.pop(chance.randrange(at_once)))
        under_way.append(asked.take())
        shares[under_way[-1].endpoint.name] += 1
    for number, weight in enumerate(weights):
        assert shares[f"e{number}"] == pytest.approx(1000 * weight / sum(weights), rel=0.02)


def test_share_does_not_depend_on_how_long_answers_take() -> None:
    asked = Asked(endpoint("slow", concurrency=100), endpoint("fast", concurrency=100))
    shares = Counter[str]()
    under_way = list[tuple[float, Turn]]()
    for step in range(400):
        asked.now = float(step)
        turn = asked.take()
        shares[turn.endpoint.name] += 1
        under_way.append((step + (20 if turn.endpoint.name == "slow" else 1), turn))
        for ended in [each for each in under_way if each[0] <= step]:
            under_way.remove(ended)
            asked.end(ended[1])
    assert shares == {"slow": 200, "fast": 200}


def test_endpoint_that_returns_is_not_flooded_to_catch_up() -> None:
    asked = Asked(endpoint("a"), endpoint("b"))
    asked.ask("a", outcome=BUSY)
    assert Counter(asked.ask() for _ in range(50)) == {"b": 50}
    asked.now = 10.0
    shares = Counter(asked.ask() for _ in range(10))
    assert shares["a"] in (5, 6)


def test_preferred_endpoint_comes_first_while_it_is_ready_and_free() -> None:
    asked = Asked(endpoint("a"), endpoint("b", concurrency=1))
    turn = asked.take(prefer="b")
    assert turn.endpoint.name == "b"
    assert asked.take(prefer="b").endpoint.name == "a"
    asked.end(turn, BUSY)
    assert asked.take(prefer="b").endpoint.name == "a"


def test_rested_endpoint_is_tried_by_exactly_one_request() -> None:
    asked = Asked(endpoint("a"))
    asked.ask(outcome=FAILING)
    assert asked.choose() == NotReady(10.0)
    asked.now = 10.0
    probe = asked.take()
    assert probe.probe
    assert asked.choose() == WaitForProbe()
    asked.end(probe, FAILING)
    assert asked.choose() == NotReady(20.0)
    asked.now = 30.0
    asked.end(asked.take())
    assert [asked.take().probe, asked.take().probe] == [False, False]


def test_others_are_asked_while_one_is_tried() -> None:
    asked = Asked(endpoint("a"), endpoint("b", priority=1))
    asked.ask(outcome=FAILING)
    asked.now = 10.0
    assert [asked.take().endpoint.name, asked.take().endpoint.name] == ["a", "b"]


def test_cancelled_try_lets_another_one_try() -> None:
    asked = Asked(endpoint("a"))
    asked.ask(outcome=FAILING)
    asked.now = 10.0
    asked.pool.cancelled(asked.take())
    assert asked.take().probe


@pytest.mark.parametrize("how", [None, FAILING])
def test_late_try_of_an_earlier_rest_says_nothing_of_the_one_under_way(how: Outcome | None) -> None:
    asked = Asked(endpoint("a"))
    late = asked.take()
    asked.ask(outcome=FAILING)
    asked.now = 10.0
    first = asked.take()
    asked.end(late)
    asked.ask(outcome=FAILING)
    asked.now = 20.0
    second = asked.take()
    asked.pool.cancelled(first) if how is None else asked.end(first, how)
    assert (first.probe, second.probe, asked.choose()) == (True, True, WaitForProbe())
    asked.end(second)
    assert asked.state("a") == State.READY


def test_late_try_of_an_earlier_rest_does_not_make_a_later_one_longer() -> None:
    asked = Asked(endpoint("a"))
    late = asked.take()
    asked.ask(outcome=FAILING)
    asked.now = 10.0
    first = asked.take()
    asked.end(late)
    asked.ask(outcome=FAILING)
    asked.end(first, FAILING)
    assert asked.choose() == NotReady(10.0)


def test_cancelled_request_frees_its_slot_and_is_no_failure() -> None:
    asked = Asked(endpoint("a", concurrency=1))
    asked.pool.cancelled(asked.take())
    assert asked.state("a") == State.READY
    (state,) = asked.pool.states(0.0)
    assert (state.in_flight, dict(state.requests)) == (0, {"cancelled": 1})


@pytest.mark.parametrize(
    ("outcomes", "ready_in_s"),
    [({}, 0.0), ({"a": BUSY}, 0.0), ({"a": BUSY, "b": FAILING}, 5.5), ({"a": DENIED, "b": FAILING}, 10.0)],
)
def test_first_that_is_ready_says_when(outcomes: dict[str, Outcome], ready_in_s: float) -> None:
    asked = Asked(endpoint("a"), endpoint("b"))
    for name, outcome in outcomes.items():
        asked.ask(name, outcome=outcome)
    assert asked.pool.ready_in_s(asked.names, now=0.0) == ready_in_s


def test_failed_endpoint_is_tried_by_one_request_after_its_time_and_is_ready_if_that_is_answered() -> None:
    asked = Asked(endpoint("a"))
    asked.ask(outcome=DENIED)
    assert asked.choose() == NotReady(300.0)
    for outcome, state in ((DENIED, State.FAILED), (FAILING, State.FAILED), (ANSWERED, State.READY)):
        asked.now += 300.0
        assert asked.state("a") == State.FAILED
        tried = asked.take()
        assert tried.probe
        assert isinstance(asked.choose(), WaitForProbe)
        asked.end(tried, outcome)
        assert asked.state("a") == state


@pytest.mark.parametrize(
    ("outcomes", "passed_s", "rest"),
    [
        ({}, 0.0, False),
        ({"a": BUSY, "b": BUSY}, 0.0, True),
        ({"a": DENIED, "b": DENIED}, 0.0, True),
        ({"a": BUSY, "b": DENIED}, 0.0, True),
        ({"a": FAILING, "b": FAILING}, 0.0, True),
        ({"a": FAILING, "b": FAILING}, 10.0, False),
    ],
)
def test_all_rest_if_nobody_can_be_asked(outcomes: dict[str, Outcome], passed_s: float, rest: bool) -> None:
    asked = Asked(endpoint("a"), endpoint("b"))
    for name, outcome in outcomes.items():
        asked.ask(name, outcome=outcome)
    asked.now = passed_s
    assert asked.pool.all_rest(asked.names, now=asked.now) == rest


def test_all_do_not_rest_while_one_is_tried() -> None:
    asked = Asked(endpoint("a"))
    asked.ask(outcome=FAILING)
    asked.now = 10.0
    asked.take()
    assert not asked.pool.all_rest(["a"], now=10.0)


def test_failed_endpoints_are_known_with_what_they_answered() -> None:
    asked = Asked(endpoint("a", concurrency=2), endpoint("b"))
    late = asked.take("a")
    asked.ask("a", outcome=DENIED)
    asked.end(late, FAILING)
    asked.ask("b", outcome=BUSY)
    assert asked.pool.failed(["a", "b"]) == {"a": "401"}


def test_nothing_left_to_ask_is_not_ready() -> None:
    assert Pool([], RESTING).choose([], now=0.0) == NotReady(None)


def test_ready_in_while_one_is_tried_is_soon() -> None:
    asked = Asked(endpoint("a"))
    asked.ask(outcome=FAILING)
    asked.now = 10.0
    asked.take()
    assert asked.pool.ready_in_s(["a"], now=10.0) == PROBE_LOOK_S


def test_changes_of_state_are_told_once() -> None:
    asked = Asked(endpoint("a", concurrency=9))
    turns = [asked.take() for _ in range(3)]
    told = [asked.pool.ended(turn, BUSY, now=0.0, jitter=0.0) for turn in turns]
    assert [change and (change.state, change.ready_in_s, change.error) for change in told] == [
        (State.COOLING, 5.0, "429"),
        None,
        None,
    ]
    again = asked.pool.ended(asked_at(asked, 5.0), BUSY, now=5.0, jitter=0.0)
    assert again is not None
    assert again.state == State.COOLING
    ready = asked.pool.ended(asked_at(asked, 10.0), ANSWERED, now=10.0, jitter=0.0)
    assert ready is not None
    assert ready.state == State.READY
    assert asked.pool.ended(asked_at(asked, 10.0), ANSWERED, now=10.0, jitter=0.0) is None


def asked_at(asked: Asked, now: float) -> Turn:
    asked.now = now
    return asked.take()


def test_what_is_shown_counts_requests_tokens_and_the_last_error() -> None:
    asked = Asked(endpoint("a", concurrency=3, demonstration=True))
    for outcome in (ANSWERED, BUSY):
        asked.ask(outcome=outcome)
    asked.now = 10.0
    asked.ask()
    asked.take()
    (shown,) = asked.pool.states(asked.now)
    assert dict(shown.requests) == {"answered": 2, "busy": 1}
    assert (shown.in_flight, shown.concurrency, shown.demonstration) == (1, 3, True)
    assert (shown.input_tokens, shown.output_tokens, shown.last_error) == (6, 8, "429")


def test_last_answer_is_known() -> None:
    asked = Asked(endpoint("a"))
    assert asked.pool.answered_at("a") is None
    asked.now = 3.0
    asked.ask()
    asked.ask(outcome=FAILING)
    assert asked.pool.answered_at("a") == 3.0


OUTCOMES = st.sampled_from([ANSWERED, BUSY, FAILING, DENIED, None])


@given(st.lists(st.tuples(OUTCOMES, st.floats(0, 12), st.integers(0, 20)), max_size=60))
def test_whatever_happens_slots_are_kept_and_someone_is_ready_when_it_is_said(
    steps: list[tuple[Outcome | None, float, int]],
) -> None:
    asked = Asked(endpoint("a", concurrency=2), endpoint("b", concurrency=3, weight=4), endpoint("c", priority=1))
    under_way = list[Turn]()
    for outcome, passed_s, which in steps:
        asked.now += passed_s
        choice = asked.choose()
        if isinstance(choice, Turn):
            under_way.append(choice)
        elif isinstance(choice, NotReady) and choice.ready_in_s is not None:
            asked.now += choice.ready_in_s + 1e-6
            assert not isinstance(asked.choose(), NotReady)
            break
        if under_way and (outcome is not None or which % 2):
            turn = under_way.pop(which % len(under_way))
            asked.pool.cancelled(turn) if outcome is None else asked.end(turn, outcome)
        for state in asked.pool.states(asked.now):
            assert 0 <= state.in_flight <= state.concurrency
            assert state.in_flight == sum(turn.endpoint.name == state.name for turn in under_way)
