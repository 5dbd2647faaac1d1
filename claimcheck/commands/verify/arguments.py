"""The command line of `claimcheck verify`. Loads no HTTP client to parse it."""

from __future__ import annotations

import argparse
import math
from typing import Final

from claimcheck.commands.operator_arguments import positive

JOBS: Final = 100
IN_FLIGHT: Final = 32
EVERY_S: Final = 2.0
LONGEST_S: Final = 1e9  # Beyond it lie dates that nothing can hold.


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    parser.add_argument("--jobs", type=positive, default=JOBS, metavar="N", help=f"how many jobs; default {JOBS}")
    parser.add_argument("--task", default="transcribe", help="of which task; default transcribe, on generated audio")
    parser.add_argument("--options", metavar="JSON", help="the task's options as a JSON object")
    parser.add_argument(
        "--concurrency", type=positive, default=IN_FLIGHT, metavar="K", help=f"jobs in flight; default {IN_FLIGHT}"
    )
    parser.add_argument(
        "--chaos", action="store_true", help="kill and freeze processes of `claimcheck up` on this machine meanwhile"
    )
    parser.add_argument(
        "--every", type=_seconds, default=EVERY_S, metavar="S", help=f"one every S seconds; default {EVERY_S:g}"
    )
    parser.add_argument(
        "--chaos-s",
        type=_seconds,
        metavar="S",
        help="for at most S seconds, and not after the last job has been followed; default until then",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="what befalls whom is drawn with it; default random")
    parser.add_argument(
        "--wait-s",
        type=_seconds,
        metavar="S",
        help="a job that has not ended S seconds after the last was handed in is stuck; default 900."
        " With --since: S seconds after its creation; default its deadline",
    )
    parser.add_argument(
        "--since", metavar="WHEN", help="hand nothing in: judge the jobs created since then, such as 1h or a time"
    )
    parser.add_argument("--until", metavar="WHEN", help="with --since: and before then; default now")
    parser.add_argument("--json", action="store_true", help="the verdict as JSON; for people it is on standard error")


def check(chosen: argparse.Namespace) -> None:
    """Raises ValueError for arguments that contradict each other."""
    if chosen.since and chosen.chaos:
        raise ValueError("--since only reads; --chaos is for a run that hands jobs in")
    if chosen.until and not chosen.since:
        raise ValueError("--until is the end of a window; --since says where it begins")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0 and up to {LONGEST_S:,.0f}")
    return seconds
