"""Whatever befalls jobs, in whatever order, clients see what they were promised, and in the end every job has ended.

The runs are the same each time. Others, and more of them: `CLAIMCHECK_RUNS=1000 pytest -s tests/services/lifecycle`.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.services.lifecycle.machine import Lifecycle
from tests.services.lifecycle.world import World
from tests.stack import tally

RUNS, STEPS = 56, 50
ENOUGH = 2000
asked = int(os.environ.get("CLAIMCHECK_RUNS", "0"))
SEARCH = settings(
    max_examples=asked or RUNS,
    stateful_step_count=STEPS,
    derandomize=not asked,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
    print_blob=True,
)


@pytest.mark.timeout(3600 if asked else 900)
def test_every_job_ends_as_its_client_was_promised(world: World, pytestconfig: pytest.Config) -> None:
    class Run(Lifecycle):
        def __init__(self) -> None:
            super().__init__(world)

    before = world.steps
    run_state_machine_as_test(Run, settings=SEARCH)
    steps = world.steps - before
    tally.add(pytestconfig, "{:,} steps in the lives of jobs", steps)
    assert asked or steps >= ENOUGH
