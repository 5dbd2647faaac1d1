"""Run the emulator: `python -m azure_local_emulators.cosmos --port 8081 [--data DIR]`.

Prints `ready http=PORT` once it listens. Exits with 2 and a sentence when the port or the folder is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.web_request import BaseRequest

from ..journal import JournalInUse
from .account import Account, AccountOptions
from .authorization import WELL_KNOWN_KEY, Authorizer
from .consistency import OFFERED
from .persistence import JournalRecorder, NoRecorder
from .service import MAX_REQUEST_BYTES, Service

KEEP_ALIVE_S = 3600.0  # Longer than any client keeps an idle connection, so that none meets a closing one.


class CannotStart(Exception):
    """The message says what is taken or wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _parser().parse_args(arguments)
    try:
        listener = _listener(options.host, options.port)
        service = _service(options)
    except (CannotStart, JournalInUse, ValueError) as problem:
        sys.stderr.write(f"cosmos emulator: {problem}\n")
        return 2
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(service, listener))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m azure_local_emulators.cosmos", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8081, help="0 takes any free port")
    parser.add_argument("--data", type=Path, help="folder of the journal; without it everything is in memory")
    parser.add_argument("--key", default=WELL_KNOWN_KEY, help="account key in base64")
    parser.add_argument("--consistency", choices=OFFERED, default="Session", help="the account's default level")
    parser.add_argument("--staleness-ms", type=float, default=50.0, help="how far readers lag unless reads are Strong")
    parser.add_argument("--split-tenant", default="default", help="first key value whose items both partitions share")
    return parser


def _listener(host: str, port: int) -> socket.socket:
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


def _service(options: argparse.Namespace) -> Service:
    account_options = AccountOptions(options.consistency, max(options.staleness_ms, 0.0) / 1000, options.split_tenant)
    journal = JournalRecorder(options.data) if options.data is not None else None
    account = Account(account_options, journal or NoRecorder())
    if journal is not None:
        journal.load(account)
        account.purge(time.time())
    return Service(account, Authorizer(options.key), journal)


async def _serve(service: Service, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()

    def make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> BaseRequest:
        return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_REQUEST_BYTES)

    server = web.Server(
        service.handle,
        request_factory=make_request,
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
    service.close()


def _loop_factory() -> Any:
    with contextlib.suppress(ImportError):
        import uvloop  # optional: half again as many requests per second

        return uvloop.new_event_loop
    return None


if __name__ == "__main__":
    sys.exit(main())
