"""Misbehave on request: one generic hook for every test that needs a failing dependency.

A fault reads "the n-th request of kind k: delay | fail as s | commit, then fail | kill process p before | after |
instead of carrying it out".
The emulators ask `Faults.hit` once per request and run the fault's two halves around their commit. Faults are set over
HTTP (`POST /_emulator/faults`), never by configuration, so a forgotten one cannot outlive the process. Each has an
`id`, by which whoever set it takes it away again and leaves the others'.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast, get_args

Action = Literal["delay", "fail", "commit-then-fail", "kill-before", "kill-after", "kill-instead"]
DROP = "drop"


class InvalidFault(ValueError):
    """A fault that makes no sense; the message names the field and the value."""


class InjectedFault(Exception):
    """The request must be answered with `error`: an HTTP status ("503"), or an AMQP condition ("amqp:not-allowed")."""

    def __init__(self, fault: Fault, error: str = "") -> None:
        super().__init__(f"injected fault: {fault.kind} {fault.action} {error or fault.error}")
        self.error = error or fault.error
        self.retry_after_s = fault.retry_after_s


@dataclass
class Fault:
    """The `nth` matching request from now on, and the `times - 1` that follow it."""

    kind: str
    """What the request does, in the emulator's own list of kinds ("send", "complete", "create", "patch", ...)."""
    action: Action
    nth: int = 1
    times: int = 1
    match: Mapping[str, str] = field(default_factory=dict)
    """Labels that must be equal too: {"entity": "speech"}, {"container": "jobs"}; of a peek also how many messages at
    most it asks for, {"count": "100"}."""
    delay_s: float = 0.0
    error: str = ""
    """For `fail` and `commit-then-fail`; "drop" closes the connection without an answer."""
    retry_after_s: float | None = None
    pid: int = 0
    """Who is killed; 0 is the emulator itself. The signal is always SIGKILL. After `kill-before` the request of a
    process that is dead by then is carried out, as one that was on its way; after `kill-instead` it is not, as if the
    process had died before it sent it."""
    seen: int = 0
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise InvalidFault(f"action is {self.action!r}; one of {', '.join(get_args(Action))} is expected")
        if self.nth < 1 or self.times < 1:
            raise InvalidFault(f"nth is {self.nth} and times is {self.times}; both count from 1")
        if self.action in ("fail", "commit-then-fail") and not self.error:
            raise InvalidFault(f"action {self.action!r} needs `error`")

    async def before(self) -> None:
        """Run what comes before the commit. Raises InjectedFault if the request must not be carried out."""
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.action in ("kill-before", "kill-instead"):
            await self._kill()
        if self.action == "kill-instead":
            raise InjectedFault(self, DROP)
        if self.action == "fail":
            raise InjectedFault(self)

    async def after(self) -> None:
        """Run what comes after the commit. Raises InjectedFault if the answer must be an error all the same."""
        if self.action == "kill-after":
            await self._kill()
        if self.action == "commit-then-fail":
            raise InjectedFault(self)

    async def _kill(self) -> None:
        """Send SIGKILL and, if the victim is someone else, wait until it is gone: nothing it does later may count."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid or os.getpid(), signal.SIGKILL)
        while self.pid and _runs(self.pid):  # noqa: ASYNC110 - no event tells of another process's end
            await asyncio.sleep(0.002)


class Faults:
    """The faults that are armed, and how many requests of each kind there were."""

    def __init__(self) -> None:
        self.armed: list[Fault] = []
        self.counts: Counter[str] = Counter()

    def hit(self, kind: str, **labels: str) -> Fault | None:
        """Count one request; the fault that strikes it, if any. Costs one increment when nothing is armed."""
        self.counts[kind] += 1
        for fault in self.armed:
            if fault.kind != kind or any(labels.get(name) != value for name, value in fault.match.items()):
                continue
            fault.seen += 1
            if fault.nth <= fault.seen < fault.nth + fault.times:
                return fault
        return None

    def arm(self, body: Mapping[str, Any]) -> Fault:
        """Add a fault from its JSON form (the fields of Fault, without `seen` and `id`). Raises InvalidFault."""
        known = {f.name for f in fields(Fault)} - {"seen", "id"}
        if unknown := set(body) - known:
            raise InvalidFault(f"unknown field {sorted(unknown)}; known: {', '.join(sorted(known))}")
        try:
            fault = Fault(**cast("dict[str, Any]", body))
        except TypeError as cause:
            raise InvalidFault(str(cause)) from cause
        self.armed.append(fault)
        return fault

    def disarm(self, fault_id: str) -> bool:
        """Forget one fault, and whether there was one; the counts and the other faults stay."""
        kept = [fault for fault in self.armed if fault.id != fault_id]
        known = len(kept) < len(self.armed)
        self.armed = kept
        return known

    def clear(self) -> None:
        """Forget every fault and count."""
        self.armed.clear()
        self.counts.clear()


def _runs(pid: int) -> bool:
    """Whether `pid` still executes; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - read in a 2 ms loop; Path costs more than the read
            return stat.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False
