"""Run an ASGI application as a process: logging, the address it may listen on, a clean stop."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from claimcheck.settings import Settings
from claimcheck.telemetry import configure_logging
from claimcheck.web import check_host
from claimcheck.web.http_protocol import HttpProtocol
from claimcheck.web.lingering import Lingering

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 75  # Longer than a client waits between two polls (30 s), so that a poll needs no new connection.


class Server(uvicorn.Server):
    """uvicorn's server, which sets `stopping` when it is told to stop: requests that wait would hold it up."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        # A signal handler runs between any two instructions of the event loop.
        asyncio.get_running_loop().call_soon_threadsafe(self._stopping.set)


def serve(create_app: Callable[[Settings], FastAPI], settings: Settings, *, port: int) -> None:
    """Serve until SIGTERM or SIGINT. `create_app` makes `app.state.stopping`, an asyncio.Event."""
    configure_logging(settings.log)
    check_host(settings.web)
    # uvicorn raises the signal again once it has stopped: a clean stop should also look like one from outside. Before
    # uvicorn listens for it, and after that, there is nothing to clean up. SystemExit would be lost where it is raised
    # in a callback (a destructor, a weak reference's), and uvicorn would then serve on.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    log.info("api.started", extra={"host": settings.web.host, "port": port})
    app = create_app(settings)
    config = uvicorn.Config(
        Lingering(app),
        host=settings.web.host,
        port=port,
        http=functools.partial(HttpProtocol, web=settings.web),  # type: ignore[arg-type]  # called like a class
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.web.stop_s,  # type: ignore[arg-type]  # any number of seconds will do
    )
    server = Server(config, app.state.stopping)
    try:
        server.run()
    except KeyboardInterrupt:
        return
    if not server.started:
        sys.exit(STARTUP_FAILURE)
