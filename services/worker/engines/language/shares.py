"""Say whose turn it is, so that each endpoint gets its share. Pure.

Shares are those of start-time fair queueing (Goyal, Vin and Cheng, 1996): a request moves its endpoint's turn on by
1 / weight, and the earliest turn is next; one that was full joins in at the turn that the others have come to. So
shares follow the weights at any concurrency, and nobody is flooded to catch up.

Turns are counted for each set of endpoints by itself. A question that can go to one endpoint alone, or that goes to a
lower priority for a while, has another set: it takes nothing from the shares of the others, and gives them nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

MOST_SETS = 1000
"""Sets that are remembered: far more than capabilities, models and endpoints that rest make of a dozen endpoints."""


class Sharer(Protocol):
    """One that shares."""

    @property
    def name(self) -> str:
        """Tells it from the others."""

    @property
    def weight(self) -> int:
        """Its share, compared with the others'."""

    @property
    def in_flight(self) -> int:
        """Requests under way: of two whose turn has come, the one with fewer is next."""


S = TypeVar("S", bound=Sharer)


@dataclass
class _Turns:
    """Of one set. `come_to`: the turn that its requests have come to."""

    come_to: float = 0.0
    next_of: dict[str, float] = field(default_factory=dict)

    def start(self, name: str) -> float:
        return max(self.come_to, self.next_of.get(name, 0.0))


class Shares:
    """The turns of every set of endpoints."""

    def __init__(self) -> None:
        self._sets: OrderedDict[frozenset[str], _Turns] = OrderedDict()

    def next(self, sharing: Sequence[S], free: Sequence[S]) -> S:
        """The one of `free` whose turn it is among all that share; its turn moves on."""
        turns = self._of(frozenset(sharer.name for sharer in sharing))
        chosen = min(free, key=lambda sharer: (turns.start(sharer.name), sharer.in_flight))
        turns.come_to = turns.start(chosen.name)
        turns.next_of[chosen.name] = turns.come_to + 1 / chosen.weight
        return chosen

    def _of(self, names: frozenset[str]) -> _Turns:
        turns = self._sets.setdefault(names, _Turns())
        self._sets.move_to_end(names)
        if len(self._sets) > MOST_SETS:
            self._sets.popitem(last=False)
        return turns
