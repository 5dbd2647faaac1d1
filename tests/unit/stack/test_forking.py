"""A program that was started by fork costs nothing once nobody asks for it any more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.stack.forking import GONE, Forked


def pidfds() -> int:
    """How many processes this one holds by a descriptor."""
    held = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            held += "[pidfd]" in str(descriptor.readlink())
        except FileNotFoundError:
            continue  # The one that lists them.
    return held


def test_program_that_has_ended_and_is_forgotten_holds_no_descriptor() -> None:
    before = pidfds()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        forked = Forked(process.pid)
        assert pidfds() == before + 1
        assert forked.wait(30) == forked.poll() == GONE
        del forked
        assert pidfds() == before
