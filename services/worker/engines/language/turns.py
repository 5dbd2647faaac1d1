"""Wait for an endpoint's turn and give it back: the pool with a clock, chance, a log, and somebody who waits."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from claimcheck.settings import LanguageSettings
from services.worker.engines.language.outcomes import Outcome
from services.worker.engines.language.pool import Change, Choice, NotReady, Pool, Turn, WaitForSlot
from services.worker.engines.language.standing import Resting
from services.worker.engines.language.states import EndpointState, State

log = logging.getLogger(__name__)

PROBE_WAIT_S = 2.0
"""How long a question waits for another's to show that a rested endpoint is well; then it is put back."""

_EVENTS = {
    State.READY: (logging.INFO, "endpoint.ready"),
    State.COOLING: (logging.WARNING, "endpoint.cooling"),
    State.RESTING: (logging.WARNING, "endpoint.resting"),
    State.FAILED: (logging.ERROR, "endpoint.failed"),
}


@dataclass(eq=False)
class _Waiter:
    """A question that waits for an endpoint."""

    among: tuple[str, ...]
    prefer: str | None
    told: asyncio.Future[Turn | NotReady]

    @property
    def wanted(self) -> tuple[tuple[str, ...], str | None]:
        """What `choose` is asked for."""
        return self.among, self.prefer


class Turns:
    """The turns of one worker's endpoints. Safe to share between coroutines of one event loop."""

    def __init__(self, settings: LanguageSettings) -> None:
        self._pool = Pool(settings.endpoints, Resting.of(settings))
        self._slot_wait_s = settings.call_s
        self._waiting: list[_Waiter] = []
        self._look: asyncio.TimerHandle | None = None
        """While somebody waits: of an endpoint whose time is over, nothing else tells."""

    async def take(self, among: Sequence[str], *, prefer: str | None) -> Turn | NotReady:
        """The next request's endpoint, once it has a free slot; NotReady if none is, or has none for too long."""
        if self._waiting:
            self._serve()  # Whose time is just over is for those who came before.
        choice = self._pool.choose(among, prefer=prefer, now=time.monotonic())
        if isinstance(choice, Turn | NotReady):
            return choice
        limit_s = self._slot_wait_s if isinstance(choice, WaitForSlot) else PROBE_WAIT_S
        waiter = _Waiter(tuple(among), prefer, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._look_again()
        try:
            # Awaited as it is: `asyncio.wait` comes one turn of the loop later, for which the endpoint would idle.
            async with asyncio.timeout(limit_s):
                return await waiter.told
        except TimeoutError:
            return waiter.told.result() if _is_told(waiter) else NotReady(self.ready_in_s(among))
        except asyncio.CancelledError:
            if _is_told(waiter) and isinstance(turn := waiter.told.result(), Turn):
                self.cancelled(turn)
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                self._look_again()

    def ended(self, turn: Turn, outcome: Outcome, *, asker: str) -> Outcome:
        """The request of this question has ended so; the outcome as it counts."""
        now = time.monotonic()
        weighed = self._pool.weighed(turn, outcome, asker=asker, now=now)
        _tell(self._pool.ended(turn, weighed, now=now, jitter=random.random()))
        self._serve()
        return weighed

    def cancelled(self, turn: Turn) -> None:
        """The request was not made, or nobody waits for it any more."""
        self._pool.cancelled(turn)
        self._serve()

    def all_rest(self, among: Collection[str]) -> bool:
        """Whether none of them is ready, nor being tried."""
        return self._pool.all_rest(among, now=time.monotonic())

    def answered_at(self, endpoint: str) -> float | None:
        """The moment of the monotonic clock at which the endpoint last answered anything; None if it never has."""
        return self._pool.answered_at(endpoint)

    def failed(self, among: Collection[str]) -> dict[str, str]:
        """Those of them that have failed, and what they answered last."""
        return self._pool.failed(among)

    def ready_in_s(self, among: Collection[str]) -> float | None:
        """Seconds until the first of these is ready; None if there is none."""
        return self._pool.ready_in_s(among, now=time.monotonic())

    def next_in_s(self) -> float | None:
        """The same of all, for whoever then takes a job; one at a time while a rested endpoint is to be tried."""
        return self._pool.next_in_s(now=time.monotonic())

    def states(self) -> list[EndpointState]:
        """Every endpoint, in the order of the configuration."""
        return self._pool.states(time.monotonic())

    def _serve(self) -> None:
        """Give what has come free to those who have waited longest; who wants the same as one in vain, waits on."""
        now, in_vain, still = time.monotonic(), set[tuple[tuple[str, ...], str | None]](), list[_Waiter]()
        for waiter in self._waiting:
            if waiter.told.done():
                continue  # Its task was cancelled, and has not run since.
            choice: Choice = WaitForSlot()
            if waiter.wanted not in in_vain:
                choice = self._pool.choose(waiter.among, prefer=waiter.prefer, now=now)
            if isinstance(choice, Turn | NotReady):
                waiter.told.set_result(choice)
            else:
                in_vain.add(waiter.wanted)
                still.append(waiter)
        self._waiting = still
        self._look_again()

    def _look_again(self) -> None:
        """Serve once the next endpoint's time is over, if somebody waits."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if self._waiting and (due_in_s := self._pool.due_in_s(now=time.monotonic())) is not None:
            self._look = asyncio.get_running_loop().call_later(due_in_s, self._serve)


def _is_told(waiter: _Waiter) -> bool:
    return waiter.told.done() and not waiter.told.cancelled()


def _tell(change: Change | None) -> None:
    if change is None:
        return
    level, event = _EVENTS[change.state]
    fields = {"endpoint": change.endpoint.name, "model": change.endpoint.model, "error": change.error}
    if change.ready_in_s:
        fields["ready_in_s"] = f"{change.ready_in_s:.1f}"
    log.log(level, event, extra=fields)
