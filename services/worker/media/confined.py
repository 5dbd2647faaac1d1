"""Run a script on a client's file in a child process under limits. The worker itself never opens such a file.

Owns the child's life and what it may say; what its words mean is for the caller.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from claimcheck.errors import RetryableFailure, ScratchFull

CONFINE = Path(__file__).with_name("confine.py")
# Nothing of the worker's environment, which holds keys. The encoding is for file names.
ENVIRONMENT = {"LANG": "C.UTF-8"}
REPORT_BYTES = 64 * 1024
DETAIL_CHARS = 80

Report = TypeVar("Report", bound=BaseModel)


class Refusal(Exception):
    """The script refused the file: its word, and numbers that belong to it."""

    def __init__(self, word: str, numbers: dict[str, float]) -> None:
        super().__init__(word)
        self.word, self.numbers = word, numbers


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What one child is and may use."""

    script: Path
    """Has `report(*arguments)`, see `confine.py`."""
    reader: str
    """What messages call the child, such as `the media decoder`."""
    crashed: type[RetryableFailure]
    """Raised when it dies or exceeds a limit."""
    memory_bytes: int
    """Address space."""
    cpu_s: int
    wall_s: float
    file_bytes: int
    """Largest file that it may write."""

    async def run(self, *arguments: str | float | Path, folder: Path, into: type[Report]) -> Report:
        """Run the script in `folder`; its report, once it is of the shape `into`.

        The child is dead when this returns or raises, also when the caller is cancelled or (on Linux) killed.
        Raises Refusal, ScratchFull and `crashed`.
        """
        try:
            async with asyncio.timeout(self.wall_s):
                returncode, output = await _run(self._command(arguments), folder)
        except TimeoutError as error:
            raise self.crashed(f"{self.reader} took longer than {self.wall_s:g} s, the limit") from error
        said = self._said(returncode, output)
        if "error" in said:
            self._refuse(said)
        try:
            return into.model_validate(said, strict=True)
        except ValidationError as error:
            raise self.crashed(f"{self.reader} reported what it may not") from error

    def _command(self, arguments: tuple[str | float | Path, ...]) -> list[str]:
        # -I: neither PYTHON* variables nor the working folder, where a client's file lies, lead to a module.
        numbers = [self.memory_bytes, self.cpu_s, self.file_bytes]
        given = [str(given.absolute() if isinstance(given, Path) else given) for given in arguments]
        return [sys.executable, "-I", str(CONFINE), str(self.script), *map(str, numbers), *given]

    def _said(self, returncode: int, output: bytes) -> dict[str, Any]:
        """The child's JSON object. Raises `crashed` if it died before it could report."""
        if returncode == -signal.SIGXCPU:
            raise self.crashed(f"{self.reader} took more than {self.cpu_s} s of CPU, the limit")
        if returncode < 0:
            raise self.crashed(f"{self.reader} was killed by {signal.Signals(-returncode).name}")
        try:
            said = json.loads(output)
        except (ValueError, RecursionError) as error:
            raise self.crashed(f"{self.reader} ended with status {returncode} and no report") from error
        if not isinstance(said, dict):
            raise self.crashed(f"{self.reader} reported what it may not")
        return said

    def _refuse(self, said: dict[str, Any]) -> None:
        """Raise what the child's word stands for. Whoever takes the child over writes the words: they are cut."""
        detail = ascii(said.get("detail", ""))[1:-1][:DETAIL_CHARS]
        match said["error"]:
            case "disk-full":
                raise ScratchFull(f"the worker's scratch folder is full ({detail})")
            case "memory":
                raise self.crashed(f"{self.reader} needs more than {self.memory_bytes:,} bytes of memory, the limit")
            case "crash":
                raise self.crashed(f"{self.reader} failed ({detail})")
            case word:
                numbers = {name: value for name, value in said.items() if isinstance(value, int | float)}
                raise Refusal(str(word)[:DETAIL_CHARS], numbers)


async def _run(command: list[str], folder: Path) -> tuple[int, bytes]:
    """Exit status and standard output of the child; it is dead when this returns, however it returns."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # a library's own words, with bytes of the file in them
        cwd=folder,
        env=ENVIRONMENT,
        start_new_session=True,  # Ctrl-C in a terminal is for the worker, which drains
    )
    assert child.stdout is not None
    try:
        await child.stdout.readexactly(REPORT_BYTES + 1)
    except asyncio.IncompleteReadError as end:
        return await child.wait(), end.partial
    else:
        return 0, b""  # more than any script has to say
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
