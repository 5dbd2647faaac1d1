"""`python -m services.worker --role speech`: take deliveries until SIGTERM, then drain."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
from typing import get_args

from claimcheck.settings import Settings, settings
from claimcheck.tasks import QueueKind
from claimcheck.telemetry import configure_logging
from services.worker.health_port import serving_health
from services.worker.worker import Worker

log = logging.getLogger(__name__)


async def _main(kind: QueueKind, settings: Settings) -> None:
    worker = Worker(kind, settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _drain, worker)
    host, port = settings.web.host, settings.worker.health_port
    async with serving_health(worker.health, host, port):
        await worker.run()


def _drain(worker: Worker) -> None:
    log.info("worker.draining")
    worker.health.draining = True
    worker.drain.begin()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m services.worker", description=__doc__)
    parser.add_argument("--role", required=True, choices=get_args(QueueKind), help="the queue this worker works for")
    role = parser.parse_args().role
    configure_logging(settings().log)
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    asyncio.run(_main(role, settings()))
    # A model call cannot be interrupted, and Python would wait for its thread: whatever it computes is put back by now.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
