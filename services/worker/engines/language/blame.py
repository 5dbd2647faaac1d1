"""Tell an input that endpoints fail at from endpoints that fail. Pure: times are passed in.

Once is nobody's fault. If an endpoint fails at a question, then answers others, then fails at the same question again,
it is the question's. One that is busy may be so by chance, so that takes many times. Each worker remembers for itself.
Where nobody else asks anything there is no telling, so what may have been paid for has a limit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from services.worker.engines.language.outcomes import Busy, Failing

MOST_LOST = 10
"""Requests of one question whose answers were lost: from then on each costs the job an attempt. An endpoint that hangs
is tried about every two minutes, so a lonely job outlasts twenty minutes of it before it loses the first."""

MOST_FAILURES = 2
MOST_BUSY = 20
"""Nine of ten requests may be too many for a service, and still only one question in ten loses an attempt by chance,
and one in 37,000 all five; one that no quota suffices for ends in minutes, not after a day of cooling for everybody."""

MOST_REMEMBERED = 20_000
"""Failures of one worker that are remembered, in about 7 MB. A job that meets a 429 is put back behind its backlog,
each job of which may meet one as well before it comes again: with fewer, none of a long backlog is ever blamed."""


@dataclass(frozen=True)
class _Seen:
    at: float
    times: int


class Suspects:
    """When which endpoint last failed at which question, and how often with an answer to another one in between."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str, str], _Seen] = OrderedDict()

    def blamed(
        self, question: str, endpoint: str, outcome: Failing | Busy, *, answered_at: float | None, now: float
    ) -> bool:
        """Note that it failed at it just now; whether that is taken for the question's fault.

        `answered_at`: when the endpoint last answered any question.
        """
        key = (question, endpoint, outcome.name)
        seen = self._seen.get(key)
        again = seen is None or (answered_at is not None and answered_at > seen.at)
        times = (seen.times if seen else 0) + again
        self._seen[key] = _Seen(now, times)
        self._seen.move_to_end(key)
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return again and times >= (MOST_BUSY if isinstance(outcome, Busy) else MOST_FAILURES)

    def forget_busy(self, question: str, endpoints: Collection[str]) -> None:
        """It has cost an attempt: the next one has as many."""
        for endpoint in endpoints:
            self._seen.pop((question, endpoint, Busy.name), None)
