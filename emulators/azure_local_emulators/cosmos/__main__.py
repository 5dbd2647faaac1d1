"""Run the emulator: `python -m azure_local_emulators.cosmos --port 8081 [--data DIR]`.

Prints `ready http=PORT` once it listens. Exits with 2 and a sentence when the port or the folder is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ..http_program import CannotStart, listening_socket, loop_factory, serve
from ..journal import JournalInUse
from .account import Account, AccountOptions
from .authorization import WELL_KNOWN_KEY, Authorizer
from .consistency import OFFERED
from .persistence import JournalRecorder, NoRecorder
from .service import MAX_REQUEST_BYTES, Service


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    options = _parser().parse_args(arguments)
    try:
        listener = listening_socket(options.host, options.port)
        service = _service(options)
    except (CannotStart, JournalInUse, ValueError) as problem:
        sys.stderr.write(f"cosmos emulator: {problem}\n")
        return 2
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
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


def _service(options: argparse.Namespace) -> Service:
    account_options = AccountOptions(options.consistency, max(options.staleness_ms, 0.0) / 1000, options.split_tenant)
    journal = JournalRecorder(options.data) if options.data is not None else None
    account = Account(account_options, journal or NoRecorder())
    if journal is not None:
        journal.load(account)
        account.purge(time.time())
    return Service(account, Authorizer(options.key), journal)


async def _serve(service: Service, listener: socket.socket) -> None:
    await serve(service.handle, listener, max_request_bytes=MAX_REQUEST_BYTES)
    service.close()


if __name__ == "__main__":
    sys.exit(main())
