"""`claimcheck COMMAND`: read the command line and call the command's module."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from claimcheck.commands.arguments import add_client_commands
from claimcheck.settings import ending_if_refused

INTERRUPTED = 130  # what shells report for Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = chosen.command
    try:
        with ending_if_refused():
            return command(chosen)
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="claimcheck", description="An asynchronous job API for slow AI work.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="run the whole system on this machine until Ctrl-C")
    up.set_defaults(command=_up)
    stop = commands.add_parser("stop", help="end the system that `claimcheck up` runs")
    stop.set_defaults(command=_stop)
    running = commands.add_parser("running", help="say whether it runs; exit status 1 if not")
    running.set_defaults(command=_running)
    setup = commands.add_parser("setup", help="get Node.js, Azurite and models where they are missing")
    setup.add_argument("--models", nargs="*", default=[], metavar="NAME", help="for example base")
    setup.set_defaults(command=_setup)
    key = commands.add_parser("key", help="make an API key for a tenant, or for an operator")
    for_whom = key.add_mutually_exclusive_group(required=True)
    for_whom.add_argument("tenant", nargs="?", metavar="TENANT", help="whose jobs the key opens")
    for_whom.add_argument("--operator", action="store_true", help="open operators' routes, and no tenant's jobs")
    key.set_defaults(command=_key)
    schema = commands.add_parser("schema", help="print docs/schema.md: every stored, queued and answered format")
    schema.set_defaults(command=_schema)
    add_client_commands(commands)
    return parser


# Each command is imported when it is called: `claimcheck stop` needs no Azure SDK.


def _up(_: argparse.Namespace) -> int:
    from claimcheck.commands.up.command import up

    return up()


def _stop(_: argparse.Namespace) -> int:
    from claimcheck.commands.stop import stop

    return stop()


def _running(_: argparse.Namespace) -> int:
    from claimcheck.commands.running import running

    return running()


def _setup(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.setup import setup

    return setup(chosen.models)


def _key(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.key import make_key

    return make_key(chosen.tenant)


def _schema(_: argparse.Namespace) -> int:
    from claimcheck.schemas import page

    sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
