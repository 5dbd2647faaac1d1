"""Run an ASGI application as a process: logging, the address it may listen on, a clean stop."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from claimcheck.settings import Settings
from claimcheck.telemetry import configure_logging
from claimcheck.web import check_host

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 75  # Longer than a client waits between two polls (30 s), so that a poll needs no new connection.
STOP_S = 20  # Open requests may finish; Azure kills 30 s after SIGTERM.


def serve(create_app: Callable[[Settings], FastAPI], settings: Settings, *, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging(settings.log)
    check_host(settings.web)
    # uvicorn raises the signal again once it has stopped: a clean stop should also look like one from outside. Before
    # uvicorn listens for it, there is nothing to clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    log.info("api.started", extra={"host": settings.web.host, "port": port})
    uvicorn.run(
        create_app(settings),
        host=settings.web.host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
    )
