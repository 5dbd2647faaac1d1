"""`claimcheck running`: does `claimcheck up` run in this folder? For scripts; `make clean` asks before it removes."""

from __future__ import annotations

import sys

from claimcheck.commands.up.run_record import read_run
from claimcheck.settings import LocalSettings, read


def running() -> int:
    """Say so; the exit status: 0 if it runs, 1 if not."""
    run = read_run(read(LocalSettings).dir)
    if run is None or run.launcher.process() is None:
        sys.stdout.write("claimcheck does not run\n")
        return 1
    sys.stdout.write(f"claimcheck runs (process {run.launcher.pid}): {run.address}\n")
    return 0
