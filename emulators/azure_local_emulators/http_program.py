"""What every emulator that answers through aiohttp does around its answers: take a port, run a loop, stop on a signal.

Owns the socket and the process's life; what is answered is the emulator's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.web_request import BaseRequest

KEEP_ALIVE_S = 3600.0  # Longer than any client keeps an idle connection, so that none meets a closing one.

Handle = Callable[[BaseRequest], Awaitable[web.StreamResponse]]


class CannotStart(Exception):
    """The message says what is taken or wrong."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any free one. Raises CannotStart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as cause:
        listener.close()
        taken = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
        raise CannotStart(f"port {port} on {host} is {'taken' if taken else f'not usable: {cause}'}") from cause
    return listener


async def serve(
    handle: Handle, listener: socket.socket, *, max_request_bytes: int, cancels_when_clients_leave: bool = False
) -> None:
    """Print `ready http=PORT`, answer until SIGTERM or SIGINT, and close the connections."""
    loop = asyncio.get_running_loop()

    def make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> BaseRequest:
        return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=max_request_bytes)

    server = web.Server(
        handle,
        request_factory=make_request,
        handler_cancellation=cancels_when_clients_leave,
        keepalive_timeout=KEEP_ALIVE_S,
        access_log=None,
        max_field_size=65_536,
        max_line_size=65_536,
    )
    stopped = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopped.set)
    listening = await loop.create_server(server, sock=listener)
    sys.stdout.write(f"ready http={listener.getsockname()[1]}\n")
    sys.stdout.flush()
    await stopped.wait()
    listening.close()
    server.pre_shutdown()
    await server.shutdown(timeout=1.0)


def loop_factory() -> Any:
    """The fastest event loop that is installed."""
    with contextlib.suppress(ImportError):
        import uvloop  # optional: half again as many requests per second

        return uvloop.new_event_loop
    return None
