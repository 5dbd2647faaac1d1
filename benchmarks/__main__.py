"""`python -m benchmarks [NAME ...]`: run all benchmarks, or these, one after another, and print one table.

About ten minutes. The exit status is 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import big_uploads, drain, foreign_ids, language, latency, polls, slow_uploads, throughput, uploads
from benchmarks.alone import run_alone
from benchmarks.bare import TUNING

BENCHMARKS = {
    "uploads": uploads.measure,
    "throughput": throughput.measure,
    "big_uploads": big_uploads.measure,
    "slow_uploads": slow_uploads.measure,
    "polls": polls.measure,
    "foreign_ids": foreign_ids.measure,
    "drain": drain.measure,
    "latency": latency.measure,
    "language": language.measure,
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
