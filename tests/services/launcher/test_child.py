"""claimcheck/commands/up/processes.py: one real child process, without a launcher around it."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from claimcheck.commands.up.output import Output
from claimcheck.commands.up.plan import Program
from claimcheck.commands.up.processes import LINE_BYTES, Child
from tests.stack.waiting import eventually


class Watched:
    """A child that runs a shell script, and everything that was said of it."""

    def __init__(self, folder: Path) -> None:
        self.script, self._stream = folder / "script", io.StringIO()
        self._output = Output(self._stream, folder, ["script"])
        program = Program(name="script", command=(str(self.script),), port=1, stop_s=5)
        self.child = Child(program, folder, self._output, lambda: None)
        self.child.ready.set()

    def write(self, body: str) -> None:
        """Make the script."""
        self.script.write_text(f"#!/bin/sh\n{body}\n")
        self.script.chmod(0o755)

    async def says(self, text: str) -> None:
        """Wait until `text` was said."""

        async def said() -> bool:
            return text in self._stream.getvalue()

        await eventually(said, f"{text!r} in {self._stream.getvalue()!r}")

    def lines(self) -> list[str]:
        """What the script has written, without its name."""
        said = (line.removeprefix("script | ") for line in self._stream.getvalue().splitlines())
        return [line for line in said if not line.startswith("--")]

    async def close(self) -> None:
        """End it."""
        await self.child.stop(asyncio.Event())
        self._output.close()


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """A child that is gone after the test."""
    made = Watched(tmp_path)
    yield made
    await made.close()


async def test_a_program_that_cannot_be_started_again_at_once_is_tried_again(watched: Watched) -> None:
    watched.write("echo here; exec tail -f /dev/null")
    await watched.child.start()
    await watched.says("here")
    watched.script.unlink()
    assert watched.child.pid is not None
    os.kill(watched.child.pid, signal.SIGKILL)
    await watched.says("cannot be started")

    watched.write("echo back; exec tail -f /dev/null")

    await watched.says("back")


async def test_the_last_words_of_a_program_are_passed_on(watched: Watched) -> None:
    watched.write("echo first; printf 'without an end'; exit 3")

    await watched.child.start()

    await watched.says("-- ended with status 3")
    assert watched.lines()[:2] == ["first", "without an end"]


async def test_a_restart_does_not_wait_for_who_holds_the_output(watched: Watched) -> None:
    watched.write("tail -f /dev/null & echo $$; exit 1")

    await watched.child.start()

    await watched.says("-- started again")


async def test_a_line_that_never_ends_comes_in_pieces(watched: Watched) -> None:
    watched.write(f"head -c {3 * LINE_BYTES} /dev/zero | tr '\\0' x; exec tail -f /dev/null")

    await watched.child.start()

    await watched.says("x" * LINE_BYTES)


async def test_bytes_that_are_no_text_are_shown_as_such(watched: Watched) -> None:
    watched.write(r"printf 'a\377b\r\n'; exec tail -f /dev/null")

    await watched.child.start()

    await watched.says("script | a\N{REPLACEMENT CHARACTER}b\n")


async def test_stopping_while_it_waits_for_its_restart_starts_nothing(watched: Watched) -> None:
    watched.write("exit 1")
    await watched.child.start()
    await watched.says("starting it again")

    await watched.child.stop(asyncio.Event())

    assert watched.child.pid is None
