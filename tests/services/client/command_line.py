"""`claimcheck` as a process, with its output in files, in a pipe or on a terminal; or, faster, in this process."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from claimcheck.commands.__main__ import main
from claimcheck.settings import environment_for_child
from tests.stack.components import ROOT

LIMIT_S = 60


@dataclass(frozen=True)
class CommandLine:
    """Runs commands in a folder, with these variables."""

    folder: Path
    variables: Mapping[str, str]

    def run(self, *arguments: str | Path, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one to its end."""
        return self._run(self._command(arguments), stdin, variables)

    def run_with(self, redirection: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one as a shell does, with a redirection such as `>&-`."""
        return self._run(["sh", "-c", f'exec "$@" {redirection}', "sh", *self._command(arguments)], b"", {})

    def _run(self, command: list[str], stdin: bytes, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env=self._environment(variables),
            timeout=LIMIT_S,
            check=False,
        )
        return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str | Path, **variables: str) -> subprocess.Popen[str]:
        """Start one and leave it running; its input stays open."""
        return subprocess.Popen(
            self._command(arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=self._environment(variables),
            text=True,
        )

    def run_on_terminal(
        self, *arguments: str | Path, look: Callable[[str], object] | None = None
    ) -> tuple[int, str, str]:
        """Run one whose standard error is a terminal; its exit status, standard output, and what the terminal got.

        `look`, if given, is called with what it has got so far, each time that more has come.
        """
        terminal, end = pty.openpty()
        with subprocess.Popen(
            self._command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=end,
            cwd=self.folder,
            env=self._environment({"TERM": "xterm", "COLUMNS": "120"}),
        ) as process:
            os.close(end)
            shown = _until_hung_up(terminal, look)
            output, _ = process.communicate(timeout=LIMIT_S)
        return process.returncode, output.decode(), shown.decode()

    def show_on_terminal(self, *arguments: str | Path) -> tuple[int, str]:
        """Run one with a terminal for all its output; its exit status, and what the terminal got."""
        terminal, end = pty.openpty()
        with subprocess.Popen(
            self._command(arguments),
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=end,
            cwd=self.folder,
            env=self._environment({"TERM": "xterm", "COLUMNS": "120"}),
        ) as process:
            os.close(end)
            shown = _until_hung_up(terminal)
            process.wait(timeout=LIMIT_S)
        return process.returncode, shown.decode()

    def _command(self, arguments: tuple[str | Path, ...]) -> list[str]:
        return [sys.executable, "-m", "claimcheck.commands", *map(str, arguments)]

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        # Found also where it is not installed, from any folder.
        return environment_for_child({"PYTHONPATH": str(ROOT), **self.variables, **variables})


@dataclass(frozen=True)
class InProcess:
    """Runs the commands of a `CommandLine` in this process."""

    like: CommandLine
    patch: pytest.MonkeyPatch
    captured: pytest.CaptureFixture[str]

    def run(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one to its end."""
        self.captured.readouterr()
        with self.patch.context() as patch:
            patch.chdir(self.like.folder)
            for name, value in {**self.like.variables, **variables}.items():
                patch.setenv(name, value)
            status = main([*map(str, arguments)])
        shown = self.captured.readouterr()
        return subprocess.CompletedProcess(arguments, status, shown.out, shown.err)


def _until_hung_up(terminal: int, look: Callable[[str], object] | None = None) -> bytes:
    shown = b""
    try:
        while data := os.read(terminal, 4096):
            shown += data
            if look is not None:
                look(shown.decode(errors="replace"))
    except OSError:  # Linux says so when the other end is closed.
        pass
    finally:
        os.close(terminal)
    return shown
