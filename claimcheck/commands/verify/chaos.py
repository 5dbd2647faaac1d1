"""Strike the processes of the system that `claimcheck up` runs on this machine, and no others, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import httpx
import psutil

from claimcheck.commands.up.run_record import Mark, Run, read_run
from claimcheck.commands.verify.calamities import Calamity, draw, pause_s
from claimcheck.commands.verify.errors import NoSystem


class Chaos:
    """Calamities, one after another. Whatever they freeze goes on when they end."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        every_s: float,
        for_s: float | None,
        lease_s: float,
        say: Callable[[Calamity], None],
    ) -> None:
        """`folder` is the launcher's, `lease_s` that of the queues.

        One every `every_s` seconds, for `for_s` seconds; None goes on until it is told to stop.
        """
        self._folder, self._every_s, self._for_s, self._lease_s, self._say = folder, every_s, for_s, lease_s, say
        self._dice = Random(seed)
        self._frozen: dict[str, Mark] = {}
        self.struck: Counter[str] = Counter()
        """How often each thing has happened, for example `kill cosmos`."""

    def check(self, process_url: str) -> None:
        """Raises NoSystem unless the system runs here and is the one at this address."""
        address = self._run().address
        if _place(address) != _place(process_url):
            raise NoSystem(
                f"the system that runs in {self._folder} is at {address}, and the jobs would go to {process_url};"
                " chaos is for the one that they go to"
            )

    @contextlib.asynccontextmanager
    async def raging(self) -> AsyncIterator[asyncio.Task[None]]:
        """Strikes while it is entered; everything runs again after. The task raises NoSystem if there is none left."""
        striking = asyncio.create_task(self._strike(), name="chaos")
        try:
            yield striking
        finally:
            striking.cancel()
            try:
                await asyncio.gather(striking, return_exceptions=True)
            finally:  # Also where a second signal ends the wait.
                self._thaw_all()

    async def _strike(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._for_s):
                await self._strike_on()
        self._thaw_all()

    async def _strike_on(self) -> None:
        while True:
            await asyncio.sleep(pause_s(self._dice, self._every_s))
            run = self._run()
            running = {**run.foundations, **run.services}
            names = [name for name, mark in running.items() if name not in self._frozen and mark.process()]
            if names:
                calamity = draw(self._dice, names, lease_s=self._lease_s)
                self._carry_out(calamity, running[calamity.victim])

    def _carry_out(self, calamity: Calamity, mark: Mark) -> None:
        process = mark.process()
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            match calamity.how:
                case "kill":
                    process.kill()
                case "end":
                    process.terminate()
                case "freeze":
                    self._frozen[calamity.victim] = mark
                    process.suspend()
                    asyncio.get_running_loop().call_later(calamity.for_s, self._thaw, calamity.victim)
        self.struck[f"{calamity.how} {calamity.victim}"] += 1
        self._say(calamity)

    def _thaw(self, name: str) -> None:
        mark = self._frozen.pop(name, None)
        if mark and (process := mark.process()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    def _thaw_all(self) -> None:
        for name in list(self._frozen):
            self._thaw(name)

    def _run(self) -> Run:
        run = read_run(self._folder)
        if run is None or run.launcher.process() is None:
            raise NoSystem(
                f"no system runs in {self._folder}; `claimcheck up` (`make run`) starts one, and"
                " CLAIMCHECK_LOCAL__DIR says in which folder"
            )
        return run


def _place(url: str) -> tuple[str, int | None]:
    parsed = httpx.URL(url)
    host = "localhost" if parsed.host in ("127.0.0.1", "::1", "localhost") else parsed.host
    return host, parsed.port
