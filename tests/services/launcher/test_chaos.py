"""claimcheck/commands/verify/chaos.py: it strikes what a launcher has recorded, and leaves nothing frozen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from claimcheck.commands.verify.calamities import Calamity
from claimcheck.commands.verify.chaos import Chaos
from claimcheck.commands.verify.errors import NoSystem
from tests.services.launcher.conftest import StartSmall
from tests.services.launcher.running import LauncherProcess
from tests.services.launcher.small_system import ADDRESS
from tests.stack.ports import free_port
from tests.stack.waiting import eventually, until

EVERYTHING = {"end azurite", "freeze azurite", "kill speech-1"}

Say = Callable[[Calamity], None]


@pytest.fixture
def plan() -> dict[str, Any]:
    """Small programs under the names of two that are struck in more ways than one."""
    ports = {name: free_port() for name in ("azurite", "speech-1")}
    groups: dict[str, Any] = {"foundations": {"azurite": []}, "services": {"speech-1": []}}
    return {**groups, "ports": ports, "ready_timeout_s": 60, "stop_s": 20}


def chaos_for(folder: Path, say: Say = lambda calamity: None, *, for_s: float | None = None) -> Chaos:
    """Chaos in a hurry."""
    return Chaos(folder, seed=1, every_s=0.5, for_s=for_s, lease_s=1.0, say=say)


def _frozen(launcher: LauncherProcess) -> list[str]:
    names = []
    for name, mark in launcher.children().items():
        with contextlib.suppress(psutil.NoSuchProcess):  # It has ended since its mark was found.
            if (found := mark.process()) and found.status() == psutil.STATUS_STOPPED:
                names.append(name)
    return names


@pytest.mark.timeout(180)
async def test_it_strikes_in_every_way_and_everything_runs_again_after(start_small: StartSmall) -> None:
    launcher = start_small()
    await asyncio.to_thread(launcher.wait_ready)
    said: list[str] = []
    chaos = chaos_for(launcher.folder, lambda calamity: said.append(str(calamity)))

    async with chaos.raging() as striking:

        async def every_way() -> bool:
            assert not striking.done(), striking.result()
            return set(chaos.struck) >= EVERYTHING

        await eventually(every_way, "everything has happened once", deadline_s=120)

        async def frozen() -> bool:
            return bool(_frozen(launcher))

        await eventually(frozen, "somebody is frozen", deadline_s=60)

    assert _frozen(launcher) == []
    assert sum(chaos.struck.values()) == len(said)
    until(lambda: len(launcher.children()) == 2, "both run", deadline_s=60)
    assert "azurite  | -- ended by SIGKILL" not in launcher.output()


async def test_it_ends_by_itself_after_its_time(start_small: StartSmall) -> None:
    launcher = start_small()
    await asyncio.to_thread(launcher.wait_ready)

    async with chaos_for(launcher.folder, for_s=2.0).raging() as striking:
        await asyncio.wait_for(striking, 30)
        assert _frozen(launcher) == []


async def test_a_launcher_that_goes_away_is_told(start_small: StartSmall) -> None:
    launcher = start_small()
    await asyncio.to_thread(launcher.wait_ready)

    async with chaos_for(launcher.folder).raging() as striking:
        launcher.kill()
        with pytest.raises(NoSystem, match="no system runs in"):
            await asyncio.wait_for(striking, 30)


def test_only_the_system_that_the_jobs_go_to_is_struck(start_small: StartSmall) -> None:
    launcher = start_small()
    launcher.wait_ready()
    chaos = chaos_for(launcher.folder)

    chaos.check(ADDRESS.replace("localhost", "127.0.0.1"))
    with pytest.raises(NoSystem, match=r"https://jobs\.test"):
        chaos.check("https://jobs.test")


def test_without_a_launcher_there_is_nothing_to_strike(tmp_path: Path) -> None:
    with pytest.raises(NoSystem, match="claimcheck up"):
        chaos_for(tmp_path).check(ADDRESS)
