"""What an endpoint's answers say of whether it may be asked. Pure: times, of a monotonic clock, are passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from claimcheck.settings import LanguageSettings
from services.worker.engines.language.outcomes import (
    Answered,
    Busy,
    Denied,
    Failing,
    Filtered,
    Outcome,
    Refused,
    TooLong,
)
from services.worker.engines.language.states import State

PROBE_LOOK_S = 0.5
"""While one request tries an endpoint, nobody knows how long it takes; whoever waits looks again after so long."""
MAX_DOUBLINGS = 20  # A power of two that any longest rest cuts.


@dataclass(frozen=True)
class Resting:
    """How long an endpoint rests that fails, and how soon."""

    failures_to_open: int
    first_s: float
    max_s: float
    failed_s: float
    """Of one that has failed."""

    @classmethod
    def of(cls, settings: LanguageSettings) -> Resting:
        """As the settings say."""
        return cls(settings.failures_to_open, settings.rest_first_s, settings.rest_max_s, settings.failed_rest_s)

    def rest_s(self, rests: int, jitter: float) -> float:
        """Seconds to rest after so many rests in a row: doubled each time; between half and all of it, by `jitter`."""
        return min(self.first_s * 2.0 ** min(rests, MAX_DOUBLINGS), self.max_s) * half_to_all(jitter)


@dataclass(frozen=True)
class Standing:
    """One endpoint as its answers have left it."""

    state: State = State.READY
    until: float = 0.0
    """When it may be asked again, unless it is ready."""
    failures: int = 0
    """In a row."""
    rests: int = 0
    """Rests in a row: of those that we choose, each is longer than the last."""
    probing: bool = False
    """Whether one request is under way that tries it after a rest."""

    def ready_in_s(self, now: float) -> float:
        """Seconds until it may be asked."""
        if self.state == State.READY:
            return 0.0
        return PROBE_LOOK_S if self.probing else max(0.0, self.until - now)

    def as_of(self, now: float) -> State:
        """The state as people see it: a cooled one is ready, any other is what it was until a request has tried it."""
        return State.READY if self.state == State.COOLING and now >= self.until else self.state

    def tried(self) -> Standing:
        """A request begins."""
        return replace(self, probing=True) if self.state in (State.RESTING, State.FAILED) else self

    def let_go(self, *, probe: bool) -> Standing:
        """A request was cancelled: that says nothing."""
        return replace(self, probing=False) if probe else self

    def after(self, outcome: Outcome, *, probe: bool, now: float, resting: Resting, jitter: float) -> Standing:
        """As the outcome of a request leaves it. `probe`: the request tried it; `jitter`: uniform in [0, 1)."""
        match outcome:
            case _ if self.state == State.FAILED and not probe:
                return self  # It was asked before.
            case Answered() | Filtered() | TooLong() | Refused():
                return self if self._cools(now) else Standing()
            case Busy(retry_after_s=asked_s):
                return self._cooling(asked_s, now, resting, jitter)
            case Failing() if self.state != State.FAILED:
                return self._failing(now, resting, jitter, probe=probe)
            case Denied() if self.probing and not probe:
                return self  # It was asked before, and the one that tries it will tell.
            case Failing() | Denied():
                return Standing(State.FAILED, until=now + resting.failed_s * half_to_all(jitter))
        assert_never(outcome)

    def _cools(self, now: float) -> bool:
        """An answer that comes while it cools was asked for before; the service still wants to be left alone."""
        return self.state == State.COOLING and now < self.until

    def _cooling(self, asked_s: float | None, now: float, resting: Resting, jitter: float) -> Standing:
        cools = self._cools(now)
        if asked_s:
            # Later than asked, by a tenth and at most a second: workers that were told the same come one by one.
            wait_s = asked_s + jitter * min(1.0, asked_s / 10)
            if self.state == State.COOLING and not cools:
                # It was waited for as long as asked, in vain: some services ask for a millisecond, over and over.
                wait_s = max(wait_s, resting.rest_s(self.rests - 1, jitter))
        elif cools:
            return self
        else:
            wait_s = resting.rest_s(self.rests, jitter)
        return Standing(State.COOLING, until=max(now + wait_s, self.until), rests=self.rests + (not cools))

    def _failing(self, now: float, resting: Resting, jitter: float, *, probe: bool) -> Standing:
        if self.state == State.RESTING and not probe and (self.probing or now < self.until):
            return self  # It was asked before the rest began.
        failures = self.failures + 1
        if self.state != State.RESTING and failures < resting.failures_to_open:
            return replace(self, failures=failures)
        until = max(self.until, now + resting.rest_s(self.rests, jitter))
        return Standing(State.RESTING, until=until, failures=failures, rests=self.rests + 1)


def half_to_all(jitter: float) -> float:
    """The share of a time that is waited, by `jitter`, which is uniform in [0, 1)."""
    return 0.5 + 0.5 * jitter
