"""One child process: start it, pass on its lines, start it again when it crashes, end it in order.

A child leads a session of its own, so that Ctrl-C in the terminal reaches the launcher alone, which then decides who
ends when.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from claimcheck.commands.up.output import Output
from claimcheck.commands.up.plan import Program
from claimcheck.commands.up.readiness import until_ready
from claimcheck.commands.up.restarts import HOPELESS_STARTS, restart_delay_s
from claimcheck.settings import environment_for_child

LINE_BYTES = 16 * 1024  # a longer line is cut into pieces
LAST_LINES_S = 2.0  # to read what a program wrote just before its end


class Child:
    """A program that is kept running until `stop`."""

    def __init__(self, program: Program, folder: Path, output: Output, changed: Callable[[], None]) -> None:
        """`folder` is its working directory; `changed` is called whenever its process id has."""
        self.program = program
        self.ready = asyncio.Event()
        """It has been ready, in this life or an earlier one."""
        self.hopeless = asyncio.Event()
        """It ended again and again before it was ever ready, and is not started any more."""
        self._folder, self._output, self._changed = folder, output, changed
        self._process: Process | None = None
        self._stopping = False
        self._kept: asyncio.Task[None] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._readiness: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The running process's id; None while it is down."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start it the first time; from now on it is kept running."""
        await self._spawn()
        self._kept = asyncio.create_task(self._keep(), name=f"keep {self.program.name}")

    async def stop(self, hurry: asyncio.Event) -> None:
        """End it by SIGTERM, and by SIGKILL if that takes longer than its limit; `hurry` shortens the limit."""
        self._stopping = True
        if self._kept is None:
            return
        if self._process is None:
            self._kept.cancel()
        else:
            _signal(self._process, signal.SIGTERM)
            if not await _ends_in_time(self._kept, self.program, hurry):
                self._output.note(self.program.name, "did not end in time and is killed")
                _kill_group(self._process.pid)
        with contextlib.suppress(asyncio.CancelledError):
            await self._kept

    async def _keep(self) -> None:
        """Wait for its end, and start it again after a pause; returns when it shall not run any more."""
        delay_s, starts = 0.0, 1
        while True:
            ran_s, status = await self._watch()
            got_ready = self._got_ready()
            if self._stopping:
                return
            if not self.ready.is_set() and starts >= HOPELESS_STARTS:
                self._output.note(self.program.name, f"{_ended(status)}; it was never ready and is given up")
                self.hopeless.set()
                return
            delay_s = await self._start_again(_ended(status), restart_delay_s(delay_s, ran_s, got_ready=got_ready))
            starts += 1
            self._output.note(self.program.name, f"started again (process {self.pid})")

    async def _start_again(self, why: str, delay_s: float) -> float:
        """Wait and start it, as often as it takes: memory may be short for a while. The last wait in seconds."""
        while True:
            self._output.note(self.program.name, f"{why}; starting it again in {delay_s:g} s")
            await asyncio.sleep(delay_s)
            try:
                await self._spawn()
            except OSError as refusal:
                why, delay_s = f"cannot be started ({refusal})", restart_delay_s(delay_s, 0.0, got_ready=False)
                continue
            return delay_s

    async def _spawn(self) -> None:
        # A pipe of our own: with asyncio's, `wait` would also wait for whoever inherited the child's output.
        reading, writing = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.program.command,
                cwd=self._folder,
                env=environment_for_child(self.program.variables, without=self.program.without),
                stdin=DEVNULL,
                stdout=writing,
                stderr=STDOUT,
                start_new_session=True,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._pump = asyncio.create_task(self._pass_on(reading), name=f"lines of {self.program.name}")
        self._readiness = asyncio.create_task(self._until_ready(), name=f"readiness of {self.program.name}")
        self._changed()
        if self._stopping:
            _signal(self._process, signal.SIGTERM)

    async def _watch(self) -> tuple[float, int]:
        """Wait for its end; how many seconds it ran, and its exit status."""
        process, started_at = self._process, time.monotonic()
        assert process is not None
        assert self._pump is not None
        status = await process.wait()
        # What it started itself must not outlive it, or a child that reads media goes on for nobody.
        _kill_group(process.pid)
        await asyncio.wait({self._pump}, timeout=LAST_LINES_S)
        self._pump.cancel()
        self._process = None
        self._changed()
        return time.monotonic() - started_at, status

    async def _until_ready(self) -> None:
        await until_ready(self.program)
        if self.ready.is_set():
            self._output.note(self.program.name, "is ready again")
        self.ready.set()

    def _got_ready(self) -> bool:
        """Whether it was ready in the life that has just ended."""
        assert self._readiness is not None
        was = self._readiness.done()
        self._readiness.cancel()
        return was

    async def _pass_on(self, pipe: int) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb")
        )
        try:
            async for line in _lines(reader):
                self._output.line(self.program.name, line)
        finally:
            transport.close()


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines without their end; a line without end, or too long, comes in pieces."""
    rest = b""
    while chunk := await stream.read(LINE_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
        if len(rest) > LINE_BYTES:
            yield rest.decode(errors="replace")
            rest = b""
    if rest:
        yield rest.decode(errors="replace")


async def _ends_in_time(task: asyncio.Task[None], program: Program, hurry: asyncio.Event) -> bool:
    """Whether `task` ends within the program's limit, which is another once somebody is in a hurry."""
    hurried = asyncio.create_task(hurry.wait())
    try:
        await asyncio.wait({task, hurried}, timeout=program.stop_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hurried.cancel()
    if hurry.is_set():
        await asyncio.wait({task}, timeout=program.hurried_stop_s)
    return task.done()


def _ended(status: int) -> str:
    """In words: `ended by SIGKILL`, `ended with status 1`."""
    if status >= 0:
        return f"ended with status {status}"
    return f"ended by {signal.Signals(-status).name}"


def _signal(process: Process, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(how)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
