"""`python -m benchmarks [NAME ...]`: run all benchmarks, or these, one after another, and print one table.

About four minutes. The exit status is 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import drain, latency, polls, throughput, uploads
from benchmarks.alone import run_alone
from benchmarks.bare import TUNING

BENCHMARKS = {
    "uploads": uploads.measure,
    "throughput": throughput.measure,
    "polls": polls.measure,
    "drain": drain.measure,
    "latency": latency.measure,
}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--tuned-bare", action="store_true", help="make the bare clients with Claimcheck's transport")
    chosen = parser.parse_args()
    names, TUNING.tuned = chosen.names, chosen.tuned_bare
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    return run_alone(*(measure for name, measure in BENCHMARKS.items() if name in names or not names))


if __name__ == "__main__":
    sys.exit(main())
