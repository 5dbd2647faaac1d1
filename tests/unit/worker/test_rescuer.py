"""services/worker/keeper/rescuer.py: which stages a queue's rescuer looks after."""

from __future__ import annotations

from typing import get_args

from claimcheck.tasks import QueueKind, catalogue
from services.worker.keeper.rescuer import stages_on


def test_every_stage_of_every_task_is_looked_after_on_exactly_one_queue() -> None:
    found = [place for kind in get_args(QueueKind) for place in stages_on(kind, catalogue())]
    assert sorted(found) == sorted((task.name, stage.name) for task in catalogue().values() for stage in task.stages)
