"""What becomes due at which time: scheduled messages, expiring messages, ids that leave the duplicate window.

Pure: no clock, no timer. Memory stays proportional to what is alive, also when most entries are discarded early.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Hashable, Iterator

_SLACK = 256
"""Dead entries that are always tolerated; beyond them, at most as many as live ones."""


class DueHeap:
    """Sequence numbers by due time (seconds)."""

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, number: int) -> bool:
        return number in self._due

    def push(self, due_s: float, number: int) -> None:
        """Add a number that is not there yet."""
        self._due[number] = due_s
        heapq.heappush(self._heap, (due_s, number))

    def discard(self, number: int) -> None:
        """Forget a number, if it is there."""
        if self._due.pop(number, None) is not None and len(self._heap) > 2 * len(self._due) + _SLACK:
            self._heap = [(due_s, number) for number, due_s in self._due.items()]
            heapq.heapify(self._heap)

    def next_s(self) -> float | None:
        """When the next number is due."""
        while self._heap and self._heap[0][1] not in self._due:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def bring_forward(self, seconds: float) -> None:
        """Let every number be due so many seconds earlier."""
        self._due = {number: due_s - seconds for number, due_s in self._due.items()}
        self._heap = [(due_s, number) for number, due_s in self._due.items()]
        heapq.heapify(self._heap)

    def pop_due(self, now_s: float) -> Iterator[int]:
        """Take out each number that is due, earliest first."""
        while (next_s := self.next_s()) is not None and next_s <= now_s:
            number = heapq.heappop(self._heap)[1]
            del self._due[number]
            yield number


class DuplicateWindow:
    """The message ids of the last `window_s` seconds, whatever became of their messages."""

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._seen: OrderedDict[Hashable, float] = OrderedDict()

    def first(self, message_id: Hashable, now_s: float) -> bool:
        """Whether the id is new; it is remembered from now on. A repetition does not prolong the window."""
        while self._seen and next(iter(self._seen.values())) <= now_s - self.window_s:
            self._seen.popitem(last=False)
        if message_id in self._seen:
            return False
        self._seen[message_id] = now_s
        return True

    def bring_forward(self, seconds: float) -> None:
        """Let every id leave the window so many seconds earlier."""
        self._seen = OrderedDict((message_id, first_s - seconds) for message_id, first_s in self._seen.items())

    def remembered(self) -> list[tuple[Hashable, float]]:
        """Ids with the time of their first use, oldest first."""
        return list(self._seen.items())
