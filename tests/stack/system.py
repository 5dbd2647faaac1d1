"""The whole system as real processes: both APIs and some workers, on services that already run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import httpx

from claimcheck.commands.up.addresses import HOST
from claimcheck.settings import environment_for_child
from tests.stack.components import ROOT
from tests.stack.ports import free_port
from tests.stack.waiting import until

READY_S = 60.0
DRAIN_S = 35.0


class Running(Protocol):
    """A process, as `subprocess.Popen` has it."""

    pid: int

    @property
    def returncode(self) -> int | None:
        """None: it runs."""

    def poll(self) -> int | None:
        """None: it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return once it has ended. Raises TimeoutExpired."""

    def send_signal(self, how: int) -> None:
        """Unless it has ended."""


Spawn = Callable[[list[str], Mapping[str, str], Path], Running]


def spawn(command: list[str], variables: Mapping[str, str], log: Path) -> Running:
    """Run `python COMMAND` in a process group of its own; its output is added to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment_for_child(variables),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class Program:
    """One program of the system: its command, its own environment, and where it says that it is ready."""

    def __init__(
        self, command: list[str], variables: Mapping[str, str], ready_url: str, log: Path, spawn: Spawn = spawn
    ) -> None:
        self.command, self.variables, self.ready_url, self.log = command, dict(variables), ready_url, log
        self.spawn = spawn
        self.process: Running | None = None

    def start(self) -> None:
        """Start it."""
        self.process = self.spawn(self.command, self.variables, self.log)

    def is_ready(self) -> bool:
        """Whether it says so over HTTP. Fails with its log if it has ended."""
        assert self.process is not None
        assert self.process.poll() is None, f"{self.command} ended with {self.process.returncode}:\n{self.output()}"
        with contextlib.suppress(httpx.TransportError):
            # Nothing is verified where there is no TLS, and to load certificates takes 25 ms each time.
            return httpx.get(self.ready_url, timeout=5, verify=False).status_code == httpx.codes.OK
        return False

    def output(self) -> str:
        """Everything it has said so far."""
        return self.log.read_text(errors="replace")

    def send(self, how: signal.Signals) -> None:
        """Send a signal to it and to its children."""
        assert self.process is not None
        try:
            os.killpg(self.process.pid, how)
        except ProcessLookupError:
            # One that was forked leads no group before its first line.
            self.process.send_signal(how)


class System:
    """Both APIs, workers and keepers. Names: process-api, status-api, worker-1, language-1, media-1, keeper-1, ..."""

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str],
        *,
        workers: int,
        language_workers: int = 0,
        media_workers: int = 0,
        keepers: int = 0,
        keeper_variables: Mapping[str, str] | None = None,
        spawn: Spawn = spawn,
    ) -> None:
        """`folder` takes logs and scratch; `variables` is the environment of every program, and keepers have more."""
        self._folder, self._spawn = folder, spawn
        folder.mkdir(parents=True, exist_ok=True)
        process_port, status_port = free_port(), free_port()
        self.process_url, self.status_url = f"http://{HOST}:{process_port}", f"http://{HOST}:{status_port}"
        web = {
            "CLAIMCHECK_WEB__PROCESS_PORT": str(process_port),
            "CLAIMCHECK_WEB__STATUS_PORT": str(status_port),
            "CLAIMCHECK_WEB__PROCESS_URL": self.process_url,
            "CLAIMCHECK_WEB__STATUS_URL": self.status_url,
        }
        self._variables = {**web, **variables}
        self.programs = {
            "process-api": self._api("process-api", self.process_url),
            "status-api": self._api("status-api", self.status_url),
        }
        for number in range(1, workers + 1):
            self.programs[f"worker-{number}"] = self._worker(f"worker-{number}", "speech")
        for number in range(1, language_workers + 1):
            self.programs[f"language-{number}"] = self._worker(f"language-{number}", "language")
        for number in range(1, media_workers + 1):
            self.programs[f"media-{number}"] = self._worker(f"media-{number}", "media")
        for number in range(1, keepers + 1):
            self.programs[f"keeper-{number}"] = self._worker(f"keeper-{number}", "keeper", keeper_variables)

    def start(self, *names: str) -> None:
        """Start these programs, or all, and wait until each is ready."""
        chosen = names or tuple(self.programs)
        for name in chosen:
            self.programs[name].start()
        for name in chosen:
            self.wait_ready(name)

    def wait_ready(self, name: str) -> None:
        """Return once the program says that it is ready."""
        program = self.programs[name]
        until(program.is_ready, f"{name} is ready; its log: {program.log}", deadline_s=READY_S)

    def kill(self, name: str) -> None:
        """End it as a crash does, children included (SIGKILL)."""
        self._end(name, signal.SIGKILL)

    def stop(self, name: str) -> int:
        """End it as an operator does (SIGTERM), wait, and return its exit status."""
        return self._end(name, signal.SIGTERM)

    def restart(self, name: str) -> None:
        """Start it again after `kill` or `stop`, and wait until it is ready."""
        self.start(name)

    @contextlib.contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """Inside, these programs and their children stand still; what is sent to them waits for them."""
        programs = [self.programs[name] for name in names]
        try:
            for program in programs:
                program.send(signal.SIGSTOP)
            yield
        finally:
            for program in programs:
                program.send(signal.SIGCONT)

    def logs(self, name: str) -> str:
        """What the program has said, over all its lives."""
        return self.programs[name].output()

    def close(self) -> None:
        """End what still runs, at once; also what a test froze or forgot."""
        for program in self.programs.values():
            if program.process is not None:
                program.send(signal.SIGKILL)
                program.process.wait()
                program.process = None

    def _end(self, name: str, how: signal.Signals) -> int:
        program = self.programs[name]
        assert program.process is not None, f"{name} does not run"
        program.process.send_signal(how) if how is signal.SIGTERM else program.send(how)
        status = program.process.wait(timeout=DRAIN_S)
        program.process = None
        return status

    def _api(self, name: str, url: str) -> Program:
        module = "services." + name.replace("-", "_")
        return Program(["-m", module], self._variables, f"{url}/readyz", self._folder / f"{name}.log", self._spawn)

    def _worker(self, name: str, role: str, more: Mapping[str, str] | None = None) -> Program:
        port = free_port()
        own = {
            "CLAIMCHECK_WORKER__HEALTH_PORT": str(port),
            # Swept at start, so no two workers may share it.
            "CLAIMCHECK_WORKER__SCRATCH_DIR": str(self._folder / "scratch" / name),
        }
        command = ["-m", "services.worker", "--role", role]
        log = self._folder / f"{name}.log"
        variables = {**self._variables, **own, **(more or {})}
        return Program(command, variables, f"http://{HOST}:{port}/readyz", log, self._spawn)
