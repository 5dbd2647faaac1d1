"""services/worker/keeper/allowance.py: no minute sees more than it may, whenever it begins."""

from __future__ import annotations

import pytest

from services.worker.keeper.allowance import Allowance


def spend(allowance: Allowance, now_s: float) -> int:
    """Spend what is left; how much it was."""
    left = allowance.left(now_s)
    for _ in range(left):
        allowance.spend(now_s)
    return left


def test_whole_minute_may_be_spent_at_once_and_then_nothing_for_a_minute() -> None:
    allowance = Allowance(60)
    assert [spend(allowance, now_s) for now_s in (0, 0.1, 59.9, 60, 60.1)] == [60, 0, 0, 60, 0]


def test_what_was_spent_comes_back_when_it_is_a_minute_old() -> None:
    allowance = Allowance(2)
    allowance.spend(0)
    allowance.spend(30)
    assert [allowance.left(now_s) for now_s in (30, 59.9, 60, 90)] == [0, 0, 1, 2]


@pytest.mark.parametrize(("per_min", "window_s"), [(0.5, 120), (1, 60), (1.5, 40)])
def test_fraction_is_one_in_the_time_that_earns_it(per_min: float, window_s: float) -> None:
    allowance = Allowance(per_min)
    assert [spend(allowance, now_s) for now_s in (0, window_s - 0.1, window_s)] == [1, 0, 1]


def test_no_minute_of_many_rounds_sees_more_than_it_may() -> None:
    allowance, spent_at = Allowance(10), list[float]()
    for now_s in range(0, 300, 7):
        spent_at += [float(now_s)] * min(4, allowance.left(now_s))
        for _ in range(min(4, allowance.left(now_s))):
            allowance.spend(now_s)
    assert max(sum(start <= at < start + 60 for at in spent_at) for start in range(300)) == 10
