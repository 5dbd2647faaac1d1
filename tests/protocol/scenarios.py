"""Who is at work in each search, on what kind of task, and how many faults may happen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from claimcheck.tasks import Stage, Task
from tests.protocol.state import NOBODY, Record

CREW = ("client", "worker", "worker", "rescuer")
ENOUGH = 99
"""Of attempts or deliveries: a limit that no search comes to."""

ONE_STAGE = Task("searched", ("*",), BaseModel, (Stage("whole", "speech", "m:f"),))
IN_PARTS = Task(
    "searched",
    ("*",),
    BaseModel,
    (Stage("split", "media", "m:f"), Stage("speech", "speech", "m:f", window=1), Stage("assemble", "media", "m:f")),
)


@dataclass(frozen=True)
class Scenario:
    """One search."""

    name: str
    actors: tuple[str, ...] = CREW
    task: Task = ONE_STAGE
    parts: int = 0
    reused: int = 0
    """Parts that are done when the job is accepted, a bit for each: a replay begins in its parts."""
    faults: int = 1
    """Crashes, lost answers, lost locks ... in the quick search."""
    deep: int = 2
    """The same in the deep search."""
    drains: int = 0
    """How often a stage is put back for nobody's fault."""
    put_back_as: str = "drained"
    """Why: the worker stops, has the task `not installed`, or finds every endpoint `cooling`."""
    failures: int = 0
    """How often a handler fails so that it may work later."""
    max_attempts: int = ENOUGH
    max_delivery: int = ENOUGH
    """Deliveries after which the broker parks a message."""
    purges: bool = False
    """Messages may be lost: an operator purges the queue."""
    result: str = "item"
    """Where the result is kept: in an item beside the record, or in a blob."""
    dedupe: bool = True
    """The broker drops ids that it has seen."""

    @property
    def all_parts(self) -> int:
        """A bit for each part."""
        return (1 << self.parts) - 1

    def accepted(self, epoch: int) -> Record:
        """The record as it is created."""
        if not self.reused:
            return Record("queued", epoch, 0, 1, 0, NOBODY, 0, 0, "never", "")
        return Record("running", epoch, 1, 1, 0, NOBODY, self.reused.bit_count(), self.parts, "never", "")

    @property
    def may_fail(self) -> bool:
        """Whether a job may end as failed at all."""
        limits = (self.max_attempts, self.max_delivery)
        return "deadline" in self.actors or bool(self.failures) or limits != (ENOUGH, ENOUGH)


CHAINS = replace(IN_PARTS, stages=tuple(replace(s, window=2 * s.window) for s in IN_PARTS.stages))

CLIENTS = ("client", "client")
REST = ("worker", "worker", "rescuer")


def _in_parts(name: str, actors: tuple[str, ...] = CREW, **more: Any) -> Scenario:
    return Scenario(name, actors, **{"task": IN_PARTS, "parts": 2, **more})


SCENARIOS = (
    Scenario("A one stage", faults=3, deep=4),
    Scenario("A one stage, result in a blob", faults=2, deep=3, result="blob"),
    _in_parts("B parts"),
    _in_parts("B no parts", faults=2, parts=0),
    _in_parts("B chains of parts", task=CHAINS, parts=3),
    Scenario("C cancel", ("client", "cancel", *REST), faults=2, result="blob"),
    _in_parts("C cancel in parts", ("client", "cancel", *REST)),
    Scenario("D erase", ("client", "erase", *REST), faults=2, result="blob"),
    _in_parts("D erase in parts", ("client", "erase", *REST)),
    Scenario("E one key twice", (*CLIENTS, *REST)),
    Scenario("E one key twice, and a retry", (*CLIENTS, *REST), failures=1),
    Scenario("F drain", faults=2, drains=2),
    Scenario("F not installed", drains=2, put_back_as="not installed"),
    _in_parts("F drain in parts", drains=1),
    _in_parts("F cooling in parts", drains=1, put_back_as="cooling"),
    Scenario("G retry", faults=2, failures=1),
    _in_parts("G retry in parts", failures=1),
    Scenario("H two rescuers", (*CREW, "rescuer"), faults=2),
    Scenario("I erase, one key twice", (*CLIENTS, "erase", "worker", "rescuer")),
    Scenario("K dead letters", (*CREW, "watcher"), faults=2, failures=1, max_delivery=2),
    _in_parts("K dead letters in parts", (*CREW, "watcher"), max_delivery=1),
    Scenario("L purge", faults=2, failures=1, purges=True),
    _in_parts("L purge in parts", purges=True),
    Scenario("M deadline", ("client", "deadline", *REST), faults=2, failures=1),
    _in_parts("M deadline in parts", ("client", "deadline", *REST), failures=1),
    Scenario("P over the limit", faults=2, deep=3, max_attempts=2),
    _in_parts("P over the limit in parts", max_attempts=1),
    _in_parts("R replay in parts", (*CLIENTS, *REST), parts=3, reused=0b010),
)
