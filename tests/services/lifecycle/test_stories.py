"""Some stories that random order tells seldom, step by step, on the same stage and under the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.services.lifecycle.fates import LONG_LIFE, Blow, Fate
from tests.services.lifecycle.judging import LONG_S
from tests.services.lifecycle.machine import MOMENT_S, Lifecycle
from tests.services.lifecycle.world import World

Step = tuple[str, dict[str, Any]]


def step(rule: str, **drawn: Any) -> Step:
    """One rule of the machine, with what hypothesis would draw."""
    return rule, drawn


def begin(*names: str) -> Step:
    """Jobs that are accepted without trouble."""
    return step("begin", names=list(names))


def die(call: int) -> Fate:
    """A process that is gone before its n-th call."""
    return Fate(call, Blow.DIES_BEFORE)


deliver = step("deliver", fate=LONG_LIFE)
overtake = step("overtake", fate=LONG_LIFE)
moment, long = step("let_time_pass", seconds=MOMENT_S), step("let_time_pass", seconds=LONG_S)
rescue, watch = step("rescue", fate=LONG_LIFE), step("watch_dead_letters", fate=LONG_LIFE)
work = step("work_on", deliveries=4)
first_ends, first_drains = step("let_handler_end", pick=0), step("drain_worker", pick=0)

STORIES: dict[str, tuple[Sequence[Step], list[str]]] = {
    "overtaken worker ends first": ([begin("short"), deliver, overtake, first_ends, first_ends], ["succeeded"]),
    "overtaken worker drains": ([begin("large"), deliver, overtake, first_drains, first_ends], ["succeeded"]),
    "worker wakes after a rescue": ([begin("short"), deliver, long, rescue, first_ends, work], ["succeeded"]),
    "accepted and never sent": (
        [step("submit", name="short", key="one", fate=die(2)), long, rescue, work],
        ["succeeded"],
    ),
    "retry written and never sent": (
        [begin("fails once"), step("work", fate=die(3)), long, work, long, rescue, work],
        ["succeeded"],
    ),
    "drained and never sent": ([begin("short"), step("deliver", fate=die(3)), first_drains, long, work], ["succeeded"]),
    "given up by the broker": ([begin("short"), step("give_up_a_message"), watch], ["failed"]),
    "letter of a part": (
        [begin("three parts"), step("work", fate=LONG_LIFE), step("give_up_a_message"), watch, work],
        ["succeeded"],
    ),
    "old turn comes again": (
        [begin("short"), deliver, first_drains, step("send_a_copy", pick=0, anew=True), work],
        ["succeeded"],
    ),
    "copy of a running message": (
        [begin("short"), deliver, step("send_a_copy", pick=0, anew=True), work, first_ends],
        ["succeeded"],
    ),
    "deadline while it runs": (
        [begin("short"), deliver, step("reach_deadline", pick=0), step("end_overdue", fate=LONG_LIFE), first_ends],
        ["failed"],
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_story_ends_as_its_client_was_promised(world: World, name: str) -> None:
    steps, statuses = STORIES[name]
    run = Lifecycle(world)
    try:
        for rule, drawn in steps:
            getattr(run, rule)(**drawn)
            run.everything_is_as_clients_may_see_it()
        assert [claim.ended and claim.ended["status"] for claim in run.claims.values()] == statuses
    finally:
        run.teardown()
