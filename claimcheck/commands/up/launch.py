"""Carry a plan out: start, provision, say that it is ready, keep it so, end it in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from claimcheck.commands.up.errors import NotReady
from claimcheck.commands.up.output import Output
from claimcheck.commands.up.plan import Plan
from claimcheck.commands.up.stopping import Stopping
from claimcheck.commands.up.supervisor import Supervisor


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What to carry out, and how to say so."""

    plan: Plan
    root: Path
    """Working directory of the children."""
    data: Path
    """Folder of the run record."""
    address: str
    """The page; what a second launcher points to."""
    provision: Callable[[], Awaitable[None]]
    """Called once the foundations are ready."""
    ready_lines: Sequence[str]
    """Said once everything is."""
    ready_timeout_s: float


async def launch(what: Launch, output: Output) -> None:
    """Run until somebody asks for the end. Raises CannotStart, after ending what was started."""
    stopping = Stopping(output.say)
    stopping.listen()
    supervisor = Supervisor(what.plan, what.root, what.data, output, what.address)
    try:
        await _unless(stopping.stop, _begin(what, supervisor, output))
        await stopping.stop.wait()
    finally:
        await supervisor.stop(stopping.hurry)
        output.say("claimcheck has stopped")


async def _begin(what: Launch, supervisor: Supervisor, output: Output) -> None:
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + what.ready_timeout_s
    await supervisor.start(supervisor.foundations, what.ready_timeout_s)
    try:
        await asyncio.wait_for(what.provision(), ends_at - loop.time())
    except TimeoutError as cause:
        raise NotReady(f"creating containers took longer than {what.ready_timeout_s:g} s in all") from cause
    await supervisor.start(supervisor.services, ends_at - loop.time())
    for line in what.ready_lines:
        output.say(line)


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Await `work`, or give it up when `stop` is set. Raises what `work` raises."""
    working, stopped = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        working.cancel()
        outcome = (await asyncio.gather(working, return_exceptions=True))[0]
    if isinstance(outcome, Exception):
        raise outcome
