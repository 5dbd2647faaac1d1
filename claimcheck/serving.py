"""Run an ASGI application as a process: logging, the address it may listen on, a clean stop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from claimcheck.settings import Settings
from claimcheck.telemetry import configure_logging
from claimcheck.web import check_host

log = logging.getLogger(__name__)

STOP_S = 20  # Open requests may finish; Azure kills 30 s after SIGTERM.


def serve(create_app: Callable[[Settings], FastAPI], settings: Settings, *, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging(settings.log)
    check_host(settings.web)
    # uvicorn raises the signal again once it has stopped; a clean stop should also look like one from outside.
    signal.signal(signal.SIGTERM, lambda *_: None)
    log.info("api.started", extra={"host": settings.web.host, "port": port})
    uvicorn.run(
        create_app(settings),
        host=settings.web.host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_S,
    )
