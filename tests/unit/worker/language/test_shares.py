"""services/worker/engines/language/shares.py and pool.py: shares by weight while questions differ."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import pytest

from claimcheck.settings import Endpoint
from services.worker.engines.language.outcomes import Answered, Busy, Failing, Outcome
from services.worker.engines.language.pool import Pool, Turn
from services.worker.engines.language.shares import MOST_SETS, Shares
from services.worker.engines.language.standing import Resting

ANSWERED = Answered(text="Hi", model="m", finish_reason="stop", input_tokens=1, output_tokens=1)
FAILING, BUSY = Failing(why="500", lost=False), Busy(status=429, retry_after_s=9.0)
ROUNDS = 400


def endpoint(name: str, weight: int = 1, **fields: Any) -> Endpoint:
    return Endpoint(**{"name": name, "url": "http://a", "model": "m", "weight": weight, "concurrency": 50, **fields})


class Traffic:
    """Questions of several kinds in turn, so many under way at once."""

    def __init__(self, endpoints: Sequence[Endpoint], at_once: int) -> None:
        self.pool = Pool(endpoints, Resting(failures_to_open=1, first_s=10.0, max_s=10.0, failed_s=300.0))
        self.now, self._at_once, self._under_way = 0.0, at_once, deque[Turn]()

    def asked(self, *kinds: str, rounds: int = ROUNDS) -> list[Counter[str]]:
        """Who was asked, by kind; a kind is written as the names of those that can answer it."""
        counts = [Counter[str]() for _ in kinds]
        for _, (kind, count) in itertools.product(range(rounds), zip(kinds, counts, strict=True)):
            count[self.ask(kind)] += 1
        return counts

    def ask(self, kind: str, outcome: Outcome | None = None) -> str:
        """One question; its answer comes after those that are under way, unless it is given."""
        turn = self.pool.choose(list(kind), now=self.now)
        assert isinstance(turn, Turn)
        if outcome is not None:
            self._end(turn, outcome)
            return turn.endpoint.name
        self._under_way.append(turn)
        while len(self._under_way) >= self._at_once:
            self._end(self._under_way.popleft(), ANSWERED)
        return turn.endpoint.name

    def _end(self, turn: Turn, outcome: Outcome) -> None:
        self.pool.ended(turn, outcome, now=self.now, jitter=1.0)


def shares(count: Counter[str]) -> dict[str, float]:
    return {name: count[name] / count.total() for name in sorted(count)}


@pytest.mark.parametrize("at_once", [1, 2, 8, 30])
@pytest.mark.parametrize(
    ("others", "wanted"),
    [
        ([], {"a": 0.75, "b": 0.25}),
        (["v"], {"a": 0.75, "b": 0.25}),
        (["v", "v", "v"], {"a": 0.75, "b": 0.25}),
        (["a"], {"a": 0.75, "b": 0.25}),
        (["b", "b"], {"a": 0.75, "b": 0.25}),
        (["abv"], {"a": 0.75, "b": 0.25}),
        (["bv", "v", "av"], {"a": 0.75, "b": 0.25}),
    ],
)
def test_questions_with_fewer_endpoints_leave_the_shares_of_the_others(
    at_once: int, others: list[str], wanted: dict[str, float]
) -> None:
    traffic = Traffic([endpoint("a", 3), endpoint("b"), endpoint("v")], at_once)
    assert shares(traffic.asked("ab", *others)[0]) == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("at_once", [1, 8])
def test_each_kind_of_question_has_shares_by_weight(at_once: int) -> None:
    traffic = Traffic([endpoint("a", 3), endpoint("b"), endpoint("v", 2)], at_once)
    all_three, seeing = traffic.asked("abv", "av")
    assert shares(all_three) == pytest.approx({"a": 3 / 6, "b": 1 / 6, "v": 2 / 6}, abs=0.01)
    assert shares(seeing) == pytest.approx({"a": 3 / 5, "v": 2 / 5}, abs=0.01)


@pytest.mark.parametrize("at_once", [1, 8])
def test_first_priority_that_comes_and_goes_leaves_the_shares_of_the_second(at_once: int) -> None:
    traffic = Traffic([endpoint("p"), endpoint("a", 3, priority=1), endpoint("b", priority=1)], at_once)
    counts = Counter[str]()
    for _ in range(40):
        traffic.ask("pab", FAILING)
        counts += traffic.asked("pab", rounds=10)[0]
        traffic.now += 10.0
        counts += traffic.asked("pab", rounds=20)[0]
    assert counts.pop("p") > 400
    assert shares(counts) == pytest.approx({"a": 0.75, "b": 0.25}, abs=0.01)


@pytest.mark.parametrize("at_once", [1, 8])
def test_endpoint_that_rests_and_returns_has_its_share_again_and_no_more(at_once: int) -> None:
    traffic = Traffic([endpoint("a", 3), endpoint("b")], at_once)
    traffic.asked("ab")
    other = {"a": "b", "b": "a"}[traffic.ask("ab", BUSY)]
    assert traffic.asked("ab")[0] == {other: ROUNDS}
    traffic.now += 10.0
    first, later = traffic.asked("ab", rounds=8)[0], traffic.asked("ab")[0]
    assert set(first) == {"a", "b"}
    assert first["a"] in (5, 6, 7)
    assert shares(later) == pytest.approx({"a": 0.75, "b": 0.25}, abs=0.01)


class Sharer:
    """One with nothing under way."""

    weight, in_flight = 1, 0

    def __init__(self, name: str) -> None:
        self.name = name


def test_sets_that_nobody_asks_any_more_are_forgotten() -> None:
    sharing, both = Shares(), [Sharer("a"), Sharer("b")]
    assert sharing.next(both, both).name == "a"
    for number in range(MOST_SETS):
        other = [Sharer(f"{number}")]
        sharing.next(other, other)
    assert sharing.next(both, both).name == "a"
