"""Run benchmarks on a fresh installation and print their table."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence

from benchmarks.figures import Figure, table
from benchmarks.installation import Installation, installation

Benchmark = Callable[[Installation], list[Figure]]


def run_alone(*benchmarks: Benchmark) -> int:
    """Run them one after another; the exit status: 1 if a goal is missed."""
    # An end from outside unwinds too, so that no process outlives this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    figures: list[Figure] = []
    with installation() as running:
        for benchmark in benchmarks:
            sys.stderr.write(f"{benchmark.__module__} ...\n")
            figures += benchmark(running)
    return printed(figures)


def printed(figures: Sequence[Figure]) -> int:
    """Print the table; the exit status."""
    sys.stdout.write(table(figures))
    return 0 if all(figure.met for figure in figures) else 1
