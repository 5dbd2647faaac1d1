"""Start programs by fork of a process that has loaded everything: a start costs milliseconds, and a kill is a kill.

A test that kills a program hundreds of times cannot afford a second of imports for each. Each program is a process of
its own, in a session of its own, begun as `python -m MODULE ARGS` would be; only its modules are there already.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from claimcheck.settings import environment_for_child
from tests.stack.components import ROOT

PRELOADED = (
    *("services.process_api.app", "services.status_api.app", "services.worker.worker", "claimcheck.web.serving"),
    *("services.worker.keeper.keeper", "services.worker.health_port", "services.worker.handlers.transcribe"),
    *("claimcheck_probe", "uvloop", "uvicorn.lifespan.on"),
)
GONE = -1
PR_SET_PDEATHSIG = 1  # prctl(2)


class Forked:
    """A program that runs, or ran; what of `subprocess.Popen` is asked of one. Its exit status nobody knows."""

    def __init__(self, pid: int) -> None:
        """`pid` runs now: it is held until the server says go."""
        self.pid = pid
        self._fd = os.pidfd_open(pid)
        # Not when it ends: a test and whoever killed the program may wait for that in two threads.
        weakref.finalize(self, os.close, self._fd)

    @property
    def returncode(self) -> int | None:
        """None: it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """None: it runs."""
        return GONE if self._ended_within(0.0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Return once it has ended. Raises TimeoutExpired."""
        if not self._ended_within(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return GONE

    def send_signal(self, how: int) -> None:
        """Unless it has ended. Never hits another process that has its number by now."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, how)

    def _ended_within(self, seconds: float | None) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))


class ForkServer:
    """The process that is forked. Safe to share between threads."""

    def __init__(self, plugins: Path) -> None:
        """`plugins`: a folder of tasks that is on the path of every program."""
        environment = environment_for_child({"PYTHONPATH": str(plugins)})
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._turn = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._server as server:  # closes its pipes, at which it ends
            assert server.stdin is not None
            server.stdin.close()

    def spawn(
        self, command: list[str], variables: Mapping[str, str], log: Path, held: Callable[[Forked], None] | None = None
    ) -> Forked:
        """Run `-m MODULE ARGS`, its output added to `log`. `held` is called before the program's first line runs."""
        assert command[0] == "-m"
        order = {"module": command[1], "args": command[2:], "env": dict(variables), "log": str(log)}
        forked = Forked(self._ask(order))
        if held is not None:
            held(forked)
        self._ask({"go": forked.pid})
        return forked

    def _ask(self, order: dict[str, Any]) -> int:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        with self._turn:
            self._server.stdin.write(json.dumps(order) + "\n")
            answer = self._server.stdout.readline()
        assert answer, "the fork server has ended; what it said is above"
        return int(answer)


def serve() -> None:
    """Fork a program for each order on standard input, until that ends."""
    for module in PRELOADED:
        importlib.import_module(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # The dead need no burial.
    held: dict[int, int] = {}
    for line in sys.stdin:
        order = json.loads(line)
        pid = order.get("go") or _forked(order, held)
        if "go" in order:
            os.close(held.pop(pid))
        os.write(1, f"{pid}\n".encode())


def _forked(order: dict[str, Any], held: dict[int, int]) -> int:
    waits, goes = os.pipe()
    pid = os.fork()
    if pid:
        os.close(waits)
        held[pid] = goes
        return pid
    status = 1
    try:
        for fd in (goes, *held.values()):
            os.close(fd)
        os.read(waits, 1)  # Until the other end is closed.
        os.close(waits)
        _become(order)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _become(order: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # No program outlives a test run that was killed.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for fd, standard in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(fd, standard)
    os.environ.update(order["env"])
    sys.argv = [order["module"], *order["args"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve()
