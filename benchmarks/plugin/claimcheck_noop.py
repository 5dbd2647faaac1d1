"""A task that does nothing, so that what is measured is Claimcheck's own cost. Installed as a third party would."""

from __future__ import annotations

import time
from typing import Any

from pydantic import BaseModel, ConfigDict

from claimcheck.tasks import Stage, Task
from services.worker.stage import StageRun


class NoopOptions(BaseModel):
    """There are none."""

    model_config = ConfigDict(extra="forbid")


async def noop(run: StageRun) -> dict[str, Any]:
    """The result is the moment at which the handler was entered (seconds since the epoch)."""
    return {"entered_at": time.time()}


NOOP = Task(
    name="noop",
    media_types=("*",),
    options=NoopOptions,
    stages=(Stage("noop", "speech", "claimcheck_noop:noop"),),
)
