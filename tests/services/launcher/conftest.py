"""Launchers that are gone after the test, with everything that they started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.launcher.running import LauncherProcess, small_system
from tests.stack.ports import free_port

StartSmall = Callable[..., LauncherProcess]


@pytest.fixture
def plan() -> dict[str, Any]:
    """Two foundations and two services; a test adds arguments to make one misbehave."""
    names = {"foundations": ("disk", "bus"), "services": ("front", "worker")}
    ports = {name: free_port() for group in names.values() for name in group}
    programs: dict[str, Any] = {group: {name: [] for name in members} for group, members in names.items()}
    return {**programs, "ports": ports, "ready_timeout_s": 60, "stop_s": 20}


@pytest.fixture
def start_small(tmp_path: Path, plan: dict[str, Any]) -> Iterator[StartSmall]:
    """Start the launcher with `plan`; each call is one more launcher in the same folder."""
    started: list[LauncherProcess] = []

    def start() -> LauncherProcess:
        started.append(small_system(tmp_path / "data", plan))
        return started[-1]

    yield start
    for launcher in started:
        launcher.close()
