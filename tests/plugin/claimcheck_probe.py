"""Two tasks for tests, installed as a third party would: this folder is on the path and has entry points.

`probe` is one stage that does what its options say. `fan` begins, runs its parts in chains of two, and assembles them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from claimcheck.errors import DependencyFailure, EndpointsNotReady, MediaUnreadable
from claimcheck.pipeline import MoveOn
from claimcheck.tasks import Stage, Task
from services.worker.stage import StageRun

REST_S = 40.0


class ProbeOptions(BaseModel):
    """What the stage does, after `seconds`."""

    model_config = ConfigDict(extra="forbid")

    do: Literal["succeed", "read", "refuse", "fail", "fail-once", "cool", "crash", "die", "nan"] = "succeed"
    seconds: float = 0.0
    result_bytes: int = 0


class FanOptions(BaseModel):
    """How many parts, which are refused, fail or find no endpoint, how long each takes, and what `begin` keeps."""

    model_config = ConfigDict(extra="forbid")

    parts: int = 3
    refuse: tuple[int, ...] = ()
    fail_once: tuple[int, ...] = ()
    cool: tuple[int, ...] = ()
    seconds: float = 0.0
    result_bytes: int = 0
    keep: str = ""


async def probe(run: StageRun) -> dict[str, Any]:
    """Succeed or fail as the options say."""
    options = ProbeOptions.model_validate(run.options)
    run.progress(0.5)
    await asyncio.sleep(options.seconds)
    if options.do == "refuse":
        raise MediaUnreadable("the probe was told to refuse")
    if options.do == "fail" or (options.do == "fail-once" and run.attempt == 1):
        raise DependencyFailure("the probe was told to fail")
    if options.do == "cool":
        raise EndpointsNotReady("the probe was told to rest", delay_s=REST_S)
    if options.do == "crash":
        raise ZeroDivisionError("the probe was told to crash")
    if options.do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    result: dict[str, Any] = {"attempt": run.attempt, "filler": "x" * options.result_bytes}
    if options.do == "nan":
        result["nothing"] = float("nan")
    if options.do == "read":
        await run.fetch_upload(run.folder / "upload")
        result["text"] = (run.folder / "upload").read_text()
    return result


async def begin_fan(run: StageRun) -> MoveOn:
    """Go on to the parts."""
    options = FanOptions.model_validate(run.options)
    if options.keep:
        name = await run.kept.put(options.keep.encode())
        await run.kept.put_once("manifest", name.encode())
    return MoveOn(parts=options.parts)


async def run_part(run: StageRun) -> dict[str, Any]:
    """Succeed or fail as the options say of this part."""
    options = FanOptions.model_validate(run.options)
    await asyncio.sleep(options.seconds)
    if run.part in options.refuse:
        raise MediaUnreadable("the part was told to refuse")
    if run.part in options.cool:
        raise EndpointsNotReady("the part was told to rest", delay_s=REST_S)
    if run.part in options.fail_once and run.attempt == 1:
        raise DependencyFailure("the part was told to fail")
    filler = {"filler": "x" * options.result_bytes} if options.result_bytes else {}
    kept = {"kept": await _kept(run)} if options.keep else {}
    return {"part": run.part, "attempt": run.attempt, **kept, **filler}


async def _kept(run: StageRun) -> str:
    """What the job's first stage has kept."""
    manifest = await run.kept.get("manifest")
    return (await run.kept.read(manifest.decode())).decode()


async def assemble(run: StageRun) -> dict[str, Any]:
    """Put the parts together; skipped ones become warnings."""
    parts = await run.finished_parts("piece")
    return {
        "parts": [item.result for item in parts if item.result is not None],
        "warnings": [item.warning for item in parts if item.warning is not None],
    }


PROBE = Task(
    name="probe",
    media_types=("*",),
    options=ProbeOptions,
    stages=(Stage("probe", "speech", "claimcheck_probe:probe"),),
    inputs=("file", "text"),
)
FAN = Task(
    name="fan",
    media_types=("*",),
    options=FanOptions,
    stages=(
        Stage("begin", "speech", "claimcheck_probe:begin_fan"),
        Stage("piece", "speech", "claimcheck_probe:run_part", window=2),
        Stage("assemble", "speech", "claimcheck_probe:assemble"),
    ),
)
