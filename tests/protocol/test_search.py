"""The search itself: circles, states that are the same, traces, and the command."""

from __future__ import annotations

import subprocess
import sys
from array import array
from dataclasses import replace

import pytest

from tests.architecture.source import ROOT
from tests.protocol.circles import find_circle
from tests.protocol.rules import RULES
from tests.protocol.scenarios import SCENARIOS
from tests.protocol.search import Search, search, world_of
from tests.protocol.state import Actor, Ident, Message, State, canonical

ONE_STAGE = SCENARIOS[0]
FIRST = Ident(epoch=1, stage=0)


@pytest.mark.parametrize(
    ("steps", "circle"),
    [
        ([], set()),
        ([(0, 1), (0, 2), (1, 2), (2, 3)], set()),
        ([(0, 0)], {0}),
        ([(0, 1), (1, 2), (2, 1), (2, 3)], {1, 2}),
        ([(0, 1), (1, 3), (2, 3), (3, 2), (3, 4)], {2, 3}),
    ],
)
def test_circle_is_found_and_nothing_else(steps: list[tuple[int, int]], circle: set[int]) -> None:
    found = find_circle(5, array("i", [a for a, _ in steps]), array("i", [b for _, b in steps]))
    assert set(found) == circle
    assert all((a, b) in steps for a, b in zip(found, [*found[1:], *found[:1]], strict=True))


def test_two_workers_that_swap_what_they_do_are_the_same_state() -> None:
    first, second = Actor("worker", (("work",),), FIRST, 7, lease=True), Actor("worker")
    assert canonical(_state((first, second), 7)) == canonical(_state((second, first), 9, numbered=7))


def test_worker_without_its_lock_is_another_state() -> None:
    holder = Actor("worker", (("work",),), FIRST, 7, lease=True)
    assert canonical(_state((holder,), 7)) != canonical(_state((holder._replace(lease=False),), 7))


def _state(actors: tuple[Actor, ...], number: int, *, numbered: int | None = None) -> State:
    """A state with one message; `numbered`: what its holder knew it as."""
    known = number if numbered is None else numbered
    held = tuple([actor._replace(number=number) if actor.number == known else actor for actor in actors])
    message = Message("queue", FIRST, 0, False, number)
    return State(None, 0, (message,), frozenset(), held, 1, 0, 0, numbers=number)


def test_search_that_gives_up_says_so() -> None:
    found = Search(world_of(ONE_STAGE), max_states=50).run()
    assert (found.violation, found.complete) == (None, False)


def test_without_faults_there_is_little_to_see_and_the_job_ends() -> None:
    found = search(replace(ONE_STAGE, faults=0, actors=("client", "worker")))
    assert found.complete
    assert found.states < 50


def test_message_that_is_lost_without_a_rescuer_leaves_the_job_stuck() -> None:
    found = search(replace(ONE_STAGE, faults=1, actors=("client", "worker"), purges=True))
    assert found.violation == "L1 stuck: nothing will ever move this job"
    assert any(step.endswith("#1 is purged") for step in found.trace)


def test_trace_is_numbered_and_ends_in_what_is_broken() -> None:
    rule = next(rule for rule in RULES if rule.name == "fan-out-stays-running")
    found = search(rule.witness(), rule.decisions, frozenset({rule.name}))
    lines = str(found).splitlines()
    assert lines[0] == "B parts: L3 a circle of requests without a fault"
    assert lines[1] == "    1. client 0: stores its upload"
    assert any("! the record has not moved" in line for line in lines)
    assert lines[-1].split(". ", 1)[1] == found.violation


def test_command_says_what_holds_and_what_breaks() -> None:
    holds = _command("--scenario", "E one key twice", "--faults", "0")
    assert holds.returncode == 0, holds.stderr
    assert holds.stdout.count("holds") == 4
    broken = _command("--without", "turn", "--trace")
    assert broken.returncode == 0, broken.stderr
    assert "L1 stuck" in broken.stdout
    unknown = _command("--without", "gravity")
    assert unknown.returncode != 0
    assert "there is no rule 'gravity'" in unknown.stderr


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.protocol", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
