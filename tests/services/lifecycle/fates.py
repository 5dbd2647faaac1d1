"""What befalls a process at one of its calls: it dies before or after it, the call fails, or its answer is lost.

Around the real objects, whose calls go to the real services: a death between any two of them needs no process to kill.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast

from claimcheck.errors import BlobsUnavailable, ClaimcheckError, QueueUnavailable, RecordsUnavailable

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone. No `except Exception` of it runs on."""


class Blow(StrEnum):
    """What happens at the call."""

    DIES_BEFORE = "dies before"
    DIES_AFTER = "dies after"
    FAILS = "fails"
    ANSWER_LOST = "answer lost"


@dataclass(frozen=True)
class Fate:
    """At which of its calls to a dependency, counted from 1, a process meets a blow; 0: never."""

    call: int = 0
    blow: Blow = Blow.DIES_BEFORE

    @property
    def fails(self) -> bool:
        """Whether a dependency will seem to fail, and the process goes on."""
        return self.call > 0 and self.blow in (Blow.FAILS, Blow.ANSWER_LOST)


LONG_LIFE = Fate()


class Life:
    """One process's calls, counted over all its dependencies."""

    def __init__(self, fate: Fate) -> None:
        self._fate, self._calls = fate, 0
        self.over = False

    def of(self, real: T, unavailable: Callable[[bool], ClaimcheckError]) -> T:
        """`real` as this process has it. `unavailable`: its error, given whether the call certainly did nothing."""
        return cast(T, _Mortal(real, self, unavailable))

    def of_records(self, real: T) -> T:
        """The same for records."""
        return self.of(real, lambda _: RecordsUnavailable("a blow of fate"))

    def of_blobs(self, real: T) -> T:
        """The same for blobs."""
        return self.of(real, lambda _: BlobsUnavailable("a blow of fate"))

    def of_queue(self, real: T) -> T:
        """The same for what sends or receives."""
        return self.of(real, lambda refused: QueueUnavailable("a blow of fate", refused=refused))

    async def spend(self, call: Callable[[], Awaitable[Any]], unavailable: Callable[[bool], ClaimcheckError]) -> Any:
        """Make a call, unless fate will have it otherwise."""
        if self.over:
            raise Killed
        self._calls += 1
        if self._calls != self._fate.call:
            return await call()
        match self._fate.blow:
            case Blow.FAILS:
                raise unavailable(True)
            case Blow.DIES_AFTER | Blow.ANSWER_LOST:
                with contextlib.suppress(ClaimcheckError):
                    await call()
        if self._fate.blow == Blow.ANSWER_LOST:
            raise unavailable(False)
        self.over = True
        raise Killed


class _Mortal:
    """Passes everything on to a real object; its coroutine methods are calls of a life."""

    def __init__(self, real: object, life: Life, unavailable: Callable[[bool], ClaimcheckError]) -> None:
        self._real, self._life, self._unavailable = real, life, unavailable

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._real, name)
        if not inspect.iscoroutinefunction(member):
            return member

        @functools.wraps(member)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._life.spend(lambda: member(*args, **kwargs), self._unavailable)

        return call
