"""Whether this machine's clock is right. Leases need none: the monotonic clock times them, and the broker keeps them.

But due times, deadlines and the rescuer's patience are written by one machine and read by another. A worker or keeper
whose clock is off therefore refuses to start, by the `Date` of any answer of Cosmos DB: all of Azure has one time, and
an answer that refuses the key has a date too. Service Bus tells its time only with a delivery; each is looked at.
"""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp

from services.worker.drain import Drain

log = logging.getLogger(__name__)

LIMIT_S = 60.0  # The lock of the queues, the shortest time that anybody compares across machines.
ASK_S = 10.0
AGAIN_S = 2.0


class ClockOff(Exception):
    """This machine's clock is off by more than the limit. The message says how far, and in which direction."""


def ahead_s(theirs: datetime, *, asked_at: datetime, answered_at: datetime) -> float:
    """By how many seconds a clock that said `theirs` is ahead of ours at least; below 0: behind; 0: perhaps the same.

    It was read at some moment between the two of ours, and tells whole seconds.
    """
    if theirs > answered_at:
        return (theirs - answered_at).total_seconds()
    return min(0.0, (theirs + timedelta(seconds=1) - asked_at).total_seconds())


def complaint(ahead_s: float) -> str:
    """What is wrong with this machine's clock if another is so far ahead; empty if nothing."""
    if abs(ahead_s) <= LIMIT_S:
        return ""
    how = "slow" if ahead_s > 0 else "fast"
    return f"this machine's clock is {abs(ahead_s):,.0f} s {how}; the limit is {LIMIT_S:g} s"


async def until_checked(url: str, drain: Drain) -> None:
    """Return once a server of Azure has told the time, or the drain begins. Raises ClockOff."""
    failed = False
    while not drain.begun:
        asked_at = datetime.now(UTC)
        try:
            theirs = await _date(url)
        except (aiohttp.ClientError, TimeoutError, OSError, LookupError, ValueError) as cause:
            if not failed:
                log.warning("clock.unknown", extra={"url": url, "detail": type(cause).__name__})
            failed = True
            await drain.wait_begun_for(AGAIN_S * random.uniform(0.1, 1))
            continue
        wrong = complaint(ahead_s(theirs, asked_at=asked_at, answered_at=datetime.now(UTC)))
        if wrong:
            raise ClockOff(wrong)
        return


async def _date(url: str) -> datetime:
    """When the server answered, whatever it answered."""
    async with (
        asyncio.timeout(ASK_S),
        aiohttp.ClientSession(trust_env=True) as session,
        session.get(url, allow_redirects=False) as answer,
    ):
        return parsedate_to_datetime(answer.headers["Date"])


class ClockWatch:
    """Compares the broker's clock with ours at each delivery, and says once when they part."""

    def __init__(self, lease_s: float) -> None:
        self._lease = timedelta(seconds=lease_s)
        self._wrong = False

    def note(self, leased_until: datetime, now: datetime) -> None:
        """`leased_until`: by the broker's clock, of a lease that it gave just now."""
        wrong = complaint((leased_until - self._lease - now).total_seconds())
        if wrong and not self._wrong:
            log.error("clock.off", extra={"detail": f"{wrong}; or queue.lease_s is not the queue's lock duration"})
        self._wrong = bool(wrong)
