"""The launcher's handling of processes, with small programs in the place of the real ones."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from claimcheck.commands.up.run_record import Mark, Run
from claimcheck.commands.up.stopping import SAME_REQUEST_S
from tests.services.launcher.conftest import StartSmall
from tests.services.launcher.running import LauncherProcess, runs
from tests.services.launcher.small_system import ADDRESS
from tests.stack.components import ROOT
from tests.stack.ports import free_port
from tests.stack.waiting import until


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of the launcher's business."""
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda how: how.name)
def test_a_signal_ends_everything_in_order_with_status_0(start_small: StartSmall, how: signal.Signals) -> None:
    launcher = start_small()
    launcher.wait_ready()
    children = launcher.children()
    assert set(children) == {"disk", "bus", "front", "worker"}

    launcher.send(how)

    assert launcher.wait() == 0
    assert not [name for name, mark in children.items() if runs(mark.pid)]
    said = launcher.output()
    assert said.count("ended in order") == 4
    assert "got SIGINT" not in said, "Ctrl-C reached a child"
    services_end = max(said.index("front  | ended in order"), said.index("worker | ended in order"))
    assert services_end < min(said.index("disk   | got SIGTERM"), said.index("bus    | got SIGTERM"))
    assert not (launcher.folder / "run.json").exists()


def test_lines_are_also_in_one_log_file_a_program(start_small: StartSmall) -> None:
    launcher = start_small()
    launcher.wait_ready()

    file = launcher.folder / "logs" / "front.log"

    until(lambda: "listening on" in file.read_text(), "its line is there")
    log = file.read_text()
    assert "|" not in log
    assert "\x1b" not in launcher.output(), "colours in a file"


def test_a_crashed_program_is_started_again(start_small: StartSmall) -> None:
    launcher = start_small()
    launcher.wait_ready()
    before = launcher.children()

    os.kill(before["worker"].pid, signal.SIGKILL)

    launcher.wait_said("worker | -- started again")
    assert "worker | -- ended by SIGKILL; starting it again in 0.5 s" in launcher.output()
    after = until(lambda: _changed(launcher, before), "the record names the new process")
    assert {name for name in before if before[name] != after[name]} == {"worker"}


def test_whoever_was_ready_is_started_again_at_once_however_often_it_crashes(start_small: StartSmall) -> None:
    launcher = start_small()
    launcher.wait_ready()

    for lives in (1, 2, 3):
        os.kill(launcher.children()["worker"].pid, signal.SIGKILL)
        _wait_ready_again(launcher, "worker", lives)

    assert launcher.output().count("worker | -- ended by SIGKILL; starting it again in 0.5 s") == 3


def _wait_ready_again(launcher: LauncherProcess, name: str, times: int) -> None:
    until(lambda: launcher.output().count(f"{name} | -- is ready again") == times, f"{name} is ready again")


def _changed(launcher: LauncherProcess, before: dict[str, Mark]) -> dict[str, Mark] | None:
    now = launcher.children()
    return now if set(now) == set(before) and now != before else None


def test_what_a_crashed_program_had_started_ends_with_it(
    start_small: StartSmall, plan: dict[str, Any], tmp_path: Path
) -> None:
    note = tmp_path / "child"
    plan["services"]["worker"] = ["--child-note", str(note)]
    launcher = start_small()
    launcher.wait_ready()
    grandchild = int(note.read_text())
    assert runs(grandchild)

    os.kill(launcher.children()["worker"].pid, signal.SIGKILL)

    until(lambda: not runs(grandchild), "the child of the killed program has ended")


def test_a_program_that_ignores_sigterm_is_killed_at_its_limit(start_small: StartSmall, plan: dict[str, Any]) -> None:
    plan["services"]["worker"], plan["stop_s"] = ["--ignore-term"], 1
    launcher = start_small()
    launcher.wait_ready()
    worker = launcher.children()["worker"].pid

    launcher.send(signal.SIGTERM)

    assert launcher.wait() == 0
    assert "worker | -- did not end in time and is killed" in launcher.output()
    assert not runs(worker)


def test_a_second_ctrl_c_does_not_wait_for_the_limit(start_small: StartSmall, plan: dict[str, Any]) -> None:
    plan["services"]["worker"], plan["stop_s"] = ["--ignore-term"], 60
    launcher = start_small()
    launcher.wait_ready()
    launcher.send(signal.SIGINT)
    launcher.wait_said("worker | got SIGTERM")
    stopping_at = time.monotonic()
    until(lambda: time.monotonic() - stopping_at > SAME_REQUEST_S, "the next Ctrl-C counts as another one")

    launcher.send(signal.SIGINT)

    assert launcher.wait() == 0
    assert "hurrying" in launcher.output()
    assert "disk   | ended in order" in launcher.output(), "who has something to write gets the time for it"


def test_a_program_that_cannot_start_is_named_with_its_last_lines(
    start_small: StartSmall, plan: dict[str, Any]
) -> None:
    plan["services"]["worker"] = ["--end-beside", str(plan["ports"]["front"])]
    launcher = start_small()

    assert launcher.wait() == 1

    complaint = launcher.output().partition("claimcheck cannot start: ")[2]
    assert complaint.startswith("worker ended before it was ready")
    assert "the frobnicator is missing" in complaint
    assert "front" not in complaint, "the program that was ready is no part of the complaint"
    assert launcher.output().count("ended in order") == 3


def test_a_program_that_never_becomes_ready_is_named_after_the_time_limit(
    start_small: StartSmall, plan: dict[str, Any]
) -> None:
    plan["ready_timeout_s"] = 2
    # It listens elsewhere than the launcher asks, and it alone is waited for.
    plan["foundations"], plan["services"] = {"front": ["--port", str(free_port())]}, {"worker": []}
    launcher = start_small()

    assert launcher.wait() == 1

    assert "claimcheck cannot start: front is not ready after" in launcher.output()


def test_a_second_launcher_says_who_runs_and_leaves_it_alone(start_small: StartSmall) -> None:
    first = start_small()
    first.wait_ready()

    second = start_small()

    assert second.wait() == 1
    assert f"it already runs (process {first.pid}): {ADDRESS}" in second.output()
    assert all(mark.process() for mark in first.children().values())


def test_orphans_of_a_killed_launcher_are_ended_by_the_next(start_small: StartSmall) -> None:
    first = start_small()
    first.wait_ready()
    orphans = first.children()
    first.kill()
    assert all(mark.process() for mark in orphans.values())

    second = start_small()
    second.wait_ready()

    assert not [name for name, mark in orphans.items() if mark.process()]
    assert f"ending worker (process {orphans['worker'].pid}), left over" in second.output()
    second.send(signal.SIGTERM)
    assert second.wait() == 0


def test_a_stranger_with_a_recorded_id_lives(
    start_small: StartSmall, stranger: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    recorded = Mark(stranger.pid, psutil.Process(stranger.pid).create_time() - 60)
    Run(Mark(stranger.pid, 1.0), ADDRESS, services={"worker": recorded}).write(folder)

    launcher = start_small()
    launcher.wait_ready()

    assert stranger.poll() is None
    assert "left over" not in launcher.output()


def test_a_taken_port_is_named_with_its_user_its_variable_and_its_holder(
    start_small: StartSmall, plan: dict[str, Any]
) -> None:
    with socket.create_server(("127.0.0.1", plan["ports"]["front"])):
        launcher = start_small()
        status = launcher.wait()

    said = launcher.output()
    assert status == 2
    assert f"port {plan['ports']['front']}, wanted by front, is taken by process {os.getpid()} (" in said
    assert "set PORT_OF_FRONT to another port" in said
    assert "listening" not in said, "something was started"


def test_a_port_wanted_twice_is_refused(start_small: StartSmall, plan: dict[str, Any]) -> None:
    plan["ports"]["worker"] = port = plan["ports"]["front"]
    launcher = start_small()

    assert launcher.wait() == 2

    assert f"port {port} is wanted by front (PORT_OF_FRONT) and worker (PORT_OF_WORKER)" in launcher.output()


def test_a_broken_record_is_no_obstacle(start_small: StartSmall, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "run.json").write_text('{"launcher": ')

    start_small().wait_ready()


def _stop(folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["env", f"CLAIMCHECK_LOCAL__DIR={folder}", sys.executable, "-m", "claimcheck.commands", "stop"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_stop_ends_a_running_launcher_and_waits_for_it(start_small: StartSmall) -> None:
    launcher = start_small()
    launcher.wait_ready()
    children = launcher.children()

    stopped = _stop(launcher.folder)

    assert stopped.returncode == 0, stopped.stderr
    assert not [name for name, mark in children.items() if runs(mark.pid)]
    assert launcher.wait() == 0


def test_stop_ends_orphans_when_the_launcher_is_gone(start_small: StartSmall) -> None:
    launcher = start_small()
    launcher.wait_ready()
    children = launcher.children()
    launcher.kill()

    stopped = _stop(launcher.folder)

    assert "what was left of it has ended" in stopped.stdout
    assert not [name for name, mark in children.items() if mark.process()]


def test_stop_without_a_run_says_so(tmp_path: Path) -> None:
    stopped = _stop(tmp_path)

    assert (stopped.returncode, stopped.stdout) == (0, "claimcheck does not run\n")


def test_the_record_is_whole_at_any_time(start_small: StartSmall) -> None:
    launcher = start_small()
    launcher.wait_ready()

    recorded = json.loads((launcher.folder / "run.json").read_text())

    assert recorded["launcher"]["pid"] == launcher.pid
    assert set(recorded["services"]) == {"front", "worker"}
