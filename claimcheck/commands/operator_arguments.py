"""The command line of operators: `dead-letters list | show | replay | discard` and `jobs stuck`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Command = Callable[[argparse.Namespace], int]
Finish = Callable[[argparse.ArgumentParser, Command], None]

AGE = "a number and s, m, h or d, for example 2h"


def add_dead_letters(parser: argparse.ArgumentParser, finish: Finish) -> None:
    """Add `dead-letters`; `finish` gives a command what every command of the client has."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="the dead letters of all tenants, newest first")
    _add_filters(listing)
    _add_shape(listing, limit=20)
    finish(listing, _list)
    show = commands.add_parser("show", help="a dead letter, what it says, and where its job stands")
    show.add_argument("id", metavar="ID", help="the dead letter's id")
    show.add_argument("--json", action="store_true", help="one JSON object, with the letter's body")
    finish(show, _show)
    replay = commands.add_parser("replay", help="make a new job of each of these dead letters")
    _add_which(replay)
    replay.add_argument("--force", action="store_true", help="also for jobs that succeeded or were cancelled")
    finish(replay, _replay)
    discard = commands.add_parser("discard", help="delete these dead letters; their jobs stay as they are")
    _add_which(discard)
    finish(discard, _discard)


def add_stuck(jobs: argparse.ArgumentParser, finish: Finish) -> None:
    """Add `stuck` to `jobs`, which goes without."""
    commands = jobs.add_subparsers(metavar="")
    # What it shares with `jobs` may stand before `stuck` too: a default here would go over what was given there.
    stuck = commands.add_parser(
        "stuck",
        help="for operators: jobs of all tenants that have not ended and do not move",
        argument_default=argparse.SUPPRESS,
    )
    stuck.add_argument("--older-than", default=None, metavar="AGE", help=f"for longer: {AGE}; default: five leases")
    stuck.add_argument("--limit", type=positive, metavar="N", help="at most so many; default 20")
    _add_json(stuck)
    finish(stuck, _stuck)


def _add_which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="the dead letters' ids, or filters, or --all")
    _add_filters(parser)
    parser.add_argument("--all", action="store_true", help="all there are")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--per-s", type=float, default=5.0, metavar="N", help="at most so many in a second; default 5")
    _add_shape(parser, limit=None)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", help="only of jobs of this task")
    parser.add_argument("--tenant", help="only of this tenant's jobs")
    parser.add_argument("--reason", help="only with exactly this reason")
    parser.add_argument("--older-than", metavar="AGE", help=f"only if stored longer ago: {AGE}")
    parser.add_argument("--newer-than", metavar="AGE", help="only if stored later than that")


def _add_shape(parser: argparse.ArgumentParser, *, limit: int | None) -> None:
    default = "no limit" if limit is None else str(limit)
    parser.add_argument(
        "--limit", type=positive, default=limit, metavar="N", help=f"at most so many; default {default}"
    )
    _add_json(parser)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object per line")


def positive(text: str) -> int:
    """A number of things."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def _list(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.dead_letters import list_letters

    return list_letters(chosen)


def _show(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.dead_letters import show

    return show(chosen)


def _replay(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.dead_letters import replay

    return replay(chosen)


def _discard(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.dead_letters import discard

    return discard(chosen)


def _stuck(chosen: argparse.Namespace) -> int:
    from claimcheck.commands.stuck import stuck

    return stuck(chosen)
