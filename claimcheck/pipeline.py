"""What comes after a stage. Pure.

A stage's handler returns the job's result, or MoveOn: then the task's next stage follows. A fanned-out stage is over
when all its parts are, and the next stage follows by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from claimcheck.tasks import Stage, Task


@dataclass(frozen=True)
class MoveOn:
    """What a handler returns to go on to the task's next stage. `parts`: how many, if that stage is fanned out."""

    parts: int = 0


class NoNextStage(LookupError):
    """A handler moved on from its task's last stage: a bug in the task."""


def stage_after(task: Task, stage: str) -> Stage:
    """The stage that follows. Raises NoNextStage."""
    names = [s.name for s in task.stages]
    position = names.index(stage) + 1
    if position == len(names):
        raise NoNextStage(f"{task.name}: {stage} is the last stage and returned no result")
    return task.stages[position]
