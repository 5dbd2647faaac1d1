"""Processes below this one, found by an argument that they were started with."""

from __future__ import annotations

import contextlib

import psutil


def children_with(argument: str, of: psutil.Process | None = None) -> list[psutil.Process]:
    """Those that run below `of`, or below this process, with this argument. A zombie does not run."""
    found = []
    for child in (of or psutil.Process()).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # It has ended since it was listed.
            if child.status() != psutil.STATUS_ZOMBIE and argument in child.cmdline():
                found.append(child)
    return found
