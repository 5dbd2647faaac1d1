"""Visit every state that a scenario can come to, the nearest first: what is found is found by a shortest way."""

from __future__ import annotations

import time
from array import array
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.protocol.circles import find_circle
from tests.protocol.clients import idle_actor
from tests.protocol.concrete import Violation
from tests.protocol.consequences import settle_down
from tests.protocol.decisions import Decisions
from tests.protocol.product import Product
from tests.protocol.properties import broken_at_rest, broken_in
from tests.protocol.state import State, canonical
from tests.protocol.transitions import transitions
from tests.protocol.world import World

if TYPE_CHECKING:
    from tests.protocol.scenarios import Scenario

CIRCLE = "L3 a circle of requests without a fault"
PRODUCT = Decisions()


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    scenario: Scenario
    states: int
    seconds: float
    complete: bool
    """Every state was visited."""
    violation: str | None = None
    trace: tuple[str, ...] = ()
    """What happens, step by step, until it is broken."""

    def __str__(self) -> str:
        """The violation and its numbered trace, for who has to understand it at night."""
        steps = [f"  {number:3}. {step}" for number, step in enumerate(self.trace, 1)]
        return "\n".join([f"{self.scenario.name}: {self.violation or 'no violation'}", *steps])


def search(scenario: Scenario, decisions: Decisions = PRODUCT, off: frozenset[str] = frozenset()) -> Found:
    """Visit every state of the scenario, or all up to the first that breaks a property."""
    return Search(world_of(scenario, decisions, off)).run()


def world_of(scenario: Scenario, decisions: Decisions = PRODUCT, off: frozenset[str] = frozenset()) -> World:
    """The scenario under these decisions."""
    product = Product(scenario.task, decisions, parts=scenario.parts, max_attempts=scenario.max_attempts)
    return World(scenario, product, off)


def beginning(scenario: Scenario) -> State:
    """Before anything has happened."""
    actors = tuple(idle_actor(kind) for kind in scenario.actors)
    return State(None, 0, (), frozenset(), actors, scenario.faults, drains=scenario.drains, failures=scenario.failures)


class Search:
    """One search, breadth first. What breaks a property first ends it."""

    def __init__(self, world: World, *, max_states: int = 5_000_000) -> None:
        self._world, self._max_states = world, max_states
        first = canonical(beginning(world.scenario))
        self._index: dict[State, int] = {first: 0}
        self._states: list[State] = [first]
        self._parent = array("i", [-1])
        self._source, self._target = array("i"), array("i")

    def run(self) -> Found:
        """Look until something is broken or everything was seen; then look for circles."""
        began = time.monotonic()
        here, violation = 0, None
        while here < len(self._states) <= self._max_states and violation is None:
            violation = self._visit(here)
            here += 1
        complete = violation is None and here == len(self._states)
        way = self._way_to(here - 1)
        if complete and (circle := find_circle(len(self._states), self._source, self._target)):
            violation = CIRCLE
            way = self._way_to(circle[0]) + [self._states[at] for at in (*circle[1:], circle[0])]
        seconds = time.monotonic() - began
        trace = self._trace(way, violation) if violation else ()
        return Found(self._world.scenario, len(self._states), seconds, complete and not violation, violation, trace)

    def _visit(self, here: int) -> str | None:
        """Every transition of one state. The property that breaks."""
        world, state = self._world, self._states[here]
        if broken := broken_in(world.scenario, state):
            return broken
        at_rest = True
        try:
            for _, after in transitions(world, state):
                fault = after.faults < state.faults
                at_rest = at_rest and fault
                there = self._place(canonical(settle_down(world, after)), here)
                if not fault:  # Faults become fewer, so that no circle has one.
                    self._source.append(here)
                    self._target.append(there)
        except Violation as violation:
            return str(violation)
        return broken_at_rest(world.scenario, state) if at_rest else None

    def _place(self, state: State, parent: int) -> int:
        there = self._index.get(state)
        if there is None:
            there = self._index[state] = len(self._states)
            self._states.append(state)
            self._parent.append(parent)
        return there

    def _way_to(self, at: int) -> list[State]:
        """The states of a shortest way from the beginning, without that."""
        way = []
        while at:
            way.append(self._states[at])
            at = self._parent[at]
        return way[::-1]

    def _trace(self, way: list[State], violation: str) -> tuple[str, ...]:
        """What happens on the way, told again from the beginning so that processes and messages keep their numbers."""
        state, steps = beginning(self._world.scenario), []
        for wanted in way:
            label, state = self._step(state, wanted)
            steps.append(label)
        if violation == CIRCLE:
            return (*steps, "and so on", violation)
        try:
            deque(transitions(self._world, state), maxlen=0)
        except Violation:
            steps.append("the next request of somebody")
        return (*steps, violation)

    def _step(self, state: State, wanted: State) -> tuple[str, State]:
        for label, after in transitions(self._world, state):
            settled = settle_down(self._world, after)
            if canonical(settled) == wanted:
                return label, settled
        raise AssertionError("a state cannot be reached from its parent again")
