"""`python -m azure_local_emulators.service_bus --config Config.json`: a Service Bus namespace on this machine.

Owns the process: arguments, listening, signals, exit codes (0 stopped, 2 cannot start).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from ..faults import Faults
from ..journal import Journal, JournalInUse
from .admin import Admin
from .broker import Broker
from .certificate import Certificate
from .config import InvalidConfig, read_config
from .connection import Connection
from .http_server import HttpServer
from .journal_ledger import JournalLedger
from .settings import QueueSettings

CANNOT_START = 2


class PortTaken(RuntimeError):
    """Somebody else listens there."""


def main() -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    args = _arguments()
    try:
        queues = read_config(args.config) if args.config else []
        _run(_serve(args, queues))
    except (InvalidConfig, JournalInUse, PortTaken) as cause:
        sys.stderr.write(f"service bus emulator: {cause}\n")
        return CANNOT_START
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="azure_local_emulators.service_bus", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--config", type=Path, help="Microsoft's Config.json; without it there are no queues yet")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5672, help="AMQP; 0 takes a free one")
    parser.add_argument("--admin-port", type=int, default=5300, help="HTTP and HTTPS; 0 takes a free one")
    parser.add_argument("--data", type=Path, help="folder that keeps the messages; without it they live in memory")
    return parser.parse_args()


def _run(serving: Coroutine[Any, Any, None]) -> None:
    """On uvloop where it is installed: it answers about a sixth more requests."""
    try:
        from uvloop import run
    except ImportError:
        asyncio.run(serving)
    else:
        run(serving)


async def _serve(args: argparse.Namespace, queues: list[QueueSettings]) -> None:
    """Listen, say so, and stop when told to."""
    stopped = _stop_signal()
    faults, connections = Faults(), set[Connection]()
    broker = Broker(JournalLedger(Journal(args.data / "service_bus.journal")) if args.data else None)
    try:
        broker.start(queues)
        certificate = Certificate(args.data)
        http = HttpServer(Admin(broker, faults, connections, certificate).handle, certificate.context)
        amqp = await _listen_amqp(args, lambda: Connection(broker, faults, connections))
        with _port_named("--admin-port", args.admin_port):
            admin_port = http.start(args.host, args.admin_port)
        sys.stdout.write(f"ready amqp={amqp.sockets[0].getsockname()[1]} admin={admin_port}\n")
        sys.stdout.flush()
        await stopped.wait()
        amqp.close()
        http.close()
        for connection in list(connections):
            connection.drop()
    finally:
        broker.close()


def _stop_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    return stopped


async def _listen_amqp(args: argparse.Namespace, factory: Callable[[], Connection]) -> asyncio.Server:
    with _port_named("--port", args.port):
        return await asyncio.get_running_loop().create_server(factory, args.host, args.port)


@contextlib.contextmanager
def _port_named(option: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise PortTaken(f"port {port} ({option}) cannot be used: {cause.strerror or cause}") from cause


if __name__ == "__main__":
    sys.exit(main())
