"""Where lines go: the terminal, each with the name of its program, and one bounded log file a program."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

LOG_BYTES = 5 * 1024 * 1024  # of each log file; one older file is kept beside it
TAIL_LINES = 20  # what an error message shows of a log
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


class LogFile:
    """A program's log: bounded, and its last lines at hand."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._file = path.open("a", buffering=1, errors="replace")

    def write(self, line: str) -> None:
        """Add one line; a full file becomes NAME.log.1."""
        self.tail.append(line)
        # A full disk must not take the system down with it.
        with contextlib.suppress(OSError):
            self._file.write(line + "\n")
            if self._file.tell() > LOG_BYTES:
                self._file.close()
                self.path.replace(self.path.with_suffix(".log.1"))
                self._file = self.path.open("a", buffering=1, errors="replace")

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class Output:
    """The one writer to the terminal."""

    def __init__(self, stream: TextIO, folder: Path, names: Iterable[str]) -> None:
        """`folder` takes the log files; `names` are the programs, for aligning."""
        self._stream = stream
        self._order = {name: number for number, name in enumerate(names)}
        self._width = max(map(len, self._order), default=0)
        self._coloured = stream.isatty()
        self.logs = {name: LogFile(folder / f"{name}.log") for name in self._order}

    def line(self, name: str, text: str) -> None:
        """A line that a program has written."""
        self.logs[name].write(text)
        self.say(f"{self._prefix(name)} {text}")

    def note(self, name: str, text: str) -> None:
        """A line of the launcher about a program; it is in that program's log too."""
        self.line(name, f"-- {text}")

    def say(self, text: str) -> None:
        """A line of the launcher itself."""
        # The terminal may be gone, or the reader of a pipe; that is no reason to leave programs running unwatched.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Close the log files."""
        for log in self.logs.values():
            log.close()

    def _prefix(self, name: str) -> str:
        prefix = f"{name:<{self._width}} |"
        if not self._coloured:
            return prefix
        return f"\x1b[{_COLOURS[self._order[name] % len(_COLOURS)]}m{prefix}\x1b[0m"
