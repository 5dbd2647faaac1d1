"""`python -m services.worker --role speech`: do the role's work until SIGTERM, then drain."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
from typing import Protocol, get_args

from aiohttp.web import RouteDef

from claimcheck.health import Health
from claimcheck.settings import Settings, ending_if_refused, settings
from claimcheck.tasks import QueueKind
from claimcheck.telemetry import configure_logging
from services.worker.clock import ClockOff, until_checked
from services.worker.drain import Drain
from services.worker.health_port import serving_health

log = logging.getLogger(__name__)

KEEPER = "keeper"
GARBAGE_AFTER = 50_000
"""Objects made until the collector of cycles looks for some. At Python's own 700 it takes a tenth of the CPU of a
language job and more (benchmarks/language.py: 8.0 ms against 6.6), for cycles that are mostly the SDKs' and few."""
ASKS_MODELS = "language"
"""The role that asks models: each of its endpoints must have its key, which is nobody else's business."""


class Role(Protocol):
    """What one process does."""

    health: Health
    drain: Drain
    pages: list[RouteDef]
    """What it shows on its health port besides its health."""

    async def run(self) -> None:
        """Work until the drain is over, then close everything."""


def _role(name: str, settings: Settings) -> Role:
    # Imported here: the keeper is small because it loads neither handlers nor what models need.
    if name == KEEPER:
        from services.worker.keeper.keeper import Keeper

        return Keeper(settings)
    from services.worker.worker import Worker

    kinds: dict[str, QueueKind] = {kind: kind for kind in get_args(QueueKind)}
    return Worker(kinds[name], settings)


async def _main(name: str, settings: Settings) -> int:
    """The exit status."""
    role = _role(name, settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _drain, role, settings.worker.drain_s)
    host, port = settings.web.host, settings.worker.health_port
    async with serving_health(role.health, host, port, role.pages):
        try:
            await until_checked(settings.records.endpoint, role.drain)
        except ClockOff as off:
            log.error("clock.off", extra={"detail": str(off)})
            return 1
        await role.run()
    return 0


def _drain(role: Role, drain_s: float) -> None:
    log.info("worker.draining")
    role.health.stopping.set()
    role.drain.begin()
    asyncio.get_running_loop().call_later(drain_s, _cut_short)


def _cut_short() -> None:
    """End at once: something does not answer, and whoever stops us would kill us in the middle of whatever comes then.

    Nothing is lost by it. Leases run out, and what was not written is done again.
    """
    log.error("worker.drain_cut_short")
    logging.shutdown()
    os._exit(1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m services.worker", description=__doc__)
    roles = [*get_args(QueueKind), KEEPER]
    parser.add_argument("--role", required=True, choices=roles, help="the queue this worker works for, or keeper")
    role = parser.parse_args().role
    if role == ASKS_MODELS:
        with ending_if_refused():
            settings().language.require_keys()
    configure_logging(settings().log)
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    gc.set_threshold(GARBAGE_AFTER)
    status = asyncio.run(_main(role, settings()))
    # A model call cannot be interrupted, and Python would wait for its thread: whatever it computes is put back by now.
    logging.shutdown()
    os._exit(status)


if __name__ == "__main__":
    main()
