"""`claimcheck stop`: end the system that `claimcheck up` runs from the same folder, or what is left of it."""

from __future__ import annotations

import signal
import sys
import time

import psutil

from claimcheck.commands.up.orphans import end_orphans
from claimcheck.commands.up.run_record import Run, forget_run, read_run
from claimcheck.settings import LocalSettings, read

SLACK_S = 30.0  # beyond the services' own time: Azurite and the emulators end after them


def stop() -> int:
    """End it and wait until it has; the exit status: 0, also when nothing ran, or 1 if it did not end."""
    local = read(LocalSettings)
    run = read_run(local.dir)
    if run is None:
        _say("claimcheck does not run")
        return 0
    if launcher := run.launcher.process():
        return _stop_launcher(launcher, run, local)
    end_orphans(run, _say)
    forget_run(local.dir)
    _say("claimcheck did not run; what was left of it has ended")
    return 0


def _stop_launcher(launcher: psutil.Process, run: Run, local: LocalSettings) -> int:
    _say(f"stopping claimcheck (process {launcher.pid}) ...")
    launcher.send_signal(signal.SIGTERM)
    ends_at = time.monotonic() + local.drain_s + SLACK_S
    while run.launcher.process():
        if time.monotonic() > ends_at:
            _say(f"claimcheck (process {launcher.pid}) still runs after {local.drain_s + SLACK_S:g} s")
            return 1
        time.sleep(0.05)
    _say("claimcheck has stopped")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
