"""Figures that a run says at its end, added up over the workers of pytest-xdist."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

TALLIES = pytest.StashKey[Counter[str]]()
NAME = "tallies"


def add(config: pytest.Config, line: str, number: int) -> None:
    """Add to a figure; `line` says it, with `{}` where the number goes."""
    config.stash.setdefault(TALLIES, Counter())[line] += number


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands in its figures."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output[NAME] = dict(session.config.stash.get(TALLIES, {}))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended. One that crashed has handed nothing in."""
    for line, number in getattr(node, "workeroutput", {}).get(NAME, {}).items():
        add(node.config, line, number)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say the figures."""
    for line, number in terminalreporter.config.stash.get(TALLIES, Counter[str]()).items():
        terminalreporter.write_line(line.format(number))
