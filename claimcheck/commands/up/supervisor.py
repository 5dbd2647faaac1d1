"""The children of one launcher: start them in two steps, know whether they are ready, end them in reverse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from claimcheck.commands.up.errors import NotReady
from claimcheck.commands.up.output import Output
from claimcheck.commands.up.plan import Plan
from claimcheck.commands.up.processes import Child
from claimcheck.commands.up.run_record import Mark, Run


class Supervisor:
    """Keeps the programs of a plan running and their process ids on disk."""

    def __init__(self, plan: Plan, root: Path, data: Path, output: Output, address: str) -> None:
        """`root` is the children's working directory, `data` the folder of the run record."""
        self._output, self._data, self._address = output, data, address
        self.foundations = [Child(program, root, output, self._record) for program in plan.foundations]
        self.services = [Child(program, root, output, self._record) for program in plan.services]
        self._record()

    async def start(self, children: Sequence[Child], limit_s: float) -> None:
        """Start `children` and wait until each is ready. Raises NotReady after `limit_s` seconds, or without hope."""
        for child in children:
            try:
                await child.start()
            except OSError as cause:
                raise NotReady(f"{child.program.name} cannot be started: {cause}") from cause
        waits = [asyncio.create_task(_ready_or_hopeless(child)) for child in children]
        try:
            await asyncio.wait(waits, timeout=limit_s, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if late := [child for child in children if not child.ready.is_set()]:
            # Who was given up is the cause; the others had no time.
            raise NotReady(self._complaint([c for c in late if c.hopeless.is_set()] or late, limit_s))

    async def stop(self, hurry: asyncio.Event) -> None:
        """End the services, and then what they stand on."""
        for children in (self.services, self.foundations):
            await asyncio.gather(*(child.stop(hurry) for child in children))

    def _record(self) -> None:
        own = Mark.of(os.getpid())
        assert own is not None
        run = Run(own, self._address, foundations=_marks(self.foundations), services=_marks(self.services))
        run.write(self._data)

    def _complaint(self, late: Iterable[Child], limit_s: float) -> str:
        sections = []
        for child in late:
            name = child.program.name
            log = self._output.logs[name]
            why = "ended before it was ready" if child.hopeless.is_set() else f"is not ready after {limit_s:g} s"
            tail = "\n".join(f"    {line}" for line in log.tail) or "    (it has written nothing)"
            sections.append(f"{name} {why}; the end of {log.path}:\n{tail}")
        return "\n".join(sections)


class _Hopeless(Exception):
    """One program was given up; waiting for the others is pointless."""


async def _ready_or_hopeless(child: Child) -> None:
    ready = asyncio.create_task(child.ready.wait())
    hopeless = asyncio.create_task(child.hopeless.wait())
    try:
        await asyncio.wait({ready, hopeless}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            raise _Hopeless
    finally:
        ready.cancel()
        hopeless.cancel()


def _marks(children: Iterable[Child]) -> dict[str, Mark]:
    """Those that run, by name."""
    found = {child.program.name: Mark.of(child.pid) for child in children if child.pid}
    return {name: mark for name, mark in found.items() if mark}
