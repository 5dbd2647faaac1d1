"""A program that was started by fork costs nothing once nobody asks for it any more."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from tests.stack.forking import GONE, Forked


def pidfds() -> set[str]:
    """The descriptors by which this process holds others."""
    held = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # The one that lists them.
            if "[pidfd]" in str(descriptor.readlink()):
                held.add(descriptor.name)
    return held


def test_program_that_has_ended_and_is_forgotten_holds_no_descriptor() -> None:
    before = pidfds()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        forked = Forked(process.pid)
        (own,) = pidfds() - before
        assert forked.wait(30) == forked.poll() == GONE
        del forked
        assert own not in pidfds()
