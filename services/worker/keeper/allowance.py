"""How many more rescues this minute may see. Pure: the time is a parameter."""

from __future__ import annotations

from collections import deque


class Allowance:
    """At most `per_min` in any minute; below one, at most one in the time that it takes to earn it."""

    def __init__(self, per_min: float) -> None:
        self._most = max(1, int(per_min))
        self._window_s = 60.0 * self._most / per_min
        self._spent_at: deque[float] = deque(maxlen=self._most)

    def left(self, now_s: float) -> int:
        """How many may be spent now. `now_s`: monotonic."""
        return self._most - sum(now_s - spent_at < self._window_s for spent_at in self._spent_at)

    def spend(self, now_s: float) -> None:
        """Spend one."""
        self._spent_at.append(now_s)
