"""When to ask again, and how long to rest first. Pure: no clock, no network, no randomness of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from claimcheck.client.exchange import NoReply, Outcome

WORTH_REPEATING: Final = frozenset({408, 429, 502, 503, 504})
# The request itself cannot be sent, or the answer cannot be read, however often.
HOPELESS: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.DecodingError)

MOST_DOUBLINGS: Final = 30  # Far beyond any `longest_s`; 2.0 ** 1024 is an error.


@dataclass(frozen=True)
class Retry:
    """How patient a client is with a server that is down, busy or out of reach."""

    attempts: int | None = None
    """Requests in all, the first included; 1: never ask again. None: as many as there is time for."""
    first_s: float = 0.5
    """Upper bound in seconds of the first rest, which is random up to it (full jitter); doubles with each attempt."""
    longest_s: float = 20.0
    """Upper bound in seconds of any rest. A server that asks for a longer one (Retry-After) gets it."""
    total_s: float = 120.0
    """Seconds from the first failure after which no further attempt is begun."""
    outage_s: float = 300.0
    """The same for a wait that has seen its job, which goes on meanwhile."""

    def rest_s(self, outcome: Outcome, *, attempt: int, failing_s: float, share: float) -> float | None:
        """Seconds to rest before asking again; None: this outcome stands.

        `attempt` counts from 1, `failing_s` is the time since the first failure, `share` is random, 0 to 1.
        """
        if not is_worth_repeating(outcome) or (self.attempts is not None and attempt >= self.attempts):
            return None
        rest_s = share * min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, MOST_DOUBLINGS))
        if not isinstance(outcome, NoReply):
            rest_s = max(rest_s, retry_after_s(outcome.headers) or 0.0)
        return rest_s if failing_s + rest_s <= self.total_s else None

    def in_outage(self) -> Retry:
        """The patience of a wait that has seen its job: time alone ends it, and no number of attempts."""
        return replace(self, attempts=None, total_s=self.outage_s)


@dataclass(frozen=True)
class Retrying:
    """A request has failed, and is sent again."""

    reason: str
    """What is raised if it never succeeds."""
    rest_s: float
    """In so many seconds."""


OnRetry = Callable[[Retrying], None]


def is_worth_repeating(outcome: Outcome) -> bool:
    """Whether the same request may do better later."""
    if isinstance(outcome, NoReply):
        return not isinstance(outcome.error, HOPELESS)
    return outcome.status in WORTH_REPEATING


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, whether it is a number or a date (RFC 9110, 10.2.3); None without a readable one.

    A date is counted from the answer's own `Date`, so that a clock that is wrong here does no harm.
    """
    said = headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        rest = parsedate_to_datetime(said) - parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, rest.total_seconds())
