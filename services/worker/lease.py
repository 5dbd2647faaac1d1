"""Keep a delivery's lease alive while its stage runs, and stop the stage when the lease or the job is gone.

Renewing runs beside the handler on the event loop, which no inference blocks. The record is read at each renewal: that
is how a running job notices that it was cancelled or that someone else took it over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from claimcheck.background import ended
from claimcheck.errors import DependencyUnavailable, LeaseLost
from claimcheck.messaging import Delivery, Receiver
from claimcheck.settings import QueueSettings

log = logging.getLogger(__name__)

RETRY_S = 0.5  # While the broker does not answer, ask again this often, with jitter, until the lease has run out.

Check = Callable[[], Awaitable[None]]


class Overtaken(Exception):
    """The job no longer waits for this run: it was cancelled, or someone else runs it. Begin again to find out."""


class Heartbeats:
    """When the next heartbeat is due: once a lock, since a rescuer's patience is five."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._last_at = time.monotonic()  # The take has just written the record.

    def due(self) -> bool:
        """Whether the interval has passed, give or take what a renewal comes early."""
        return time.monotonic() - self._last_at >= 0.9 * self._interval_s

    def done(self) -> None:
        """One was written."""
        self._last_at = time.monotonic()


class Lease:
    """The lease of one delivery. Times are this process's monotonic clock: wall clocks of two machines differ."""

    def __init__(self, receiver: Receiver, delivery: Delivery, settings: QueueSettings) -> None:
        self._receiver, self._delivery, self._settings = receiver, delivery, settings
        self._check: Check | None = None
        self._renewed_at = time.monotonic()
        self._body: asyncio.Task[object] | None = None
        self._lost: LeaseLost | Overtaken | None = None

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew for as long as the context lasts. Raises LeaseLost or Overtaken out of it, at once."""
        self._lost = None
        self._body = asyncio.current_task()
        renewing = asyncio.create_task(self._keep())
        try:
            yield
            if self._lost is not None:  # The body may have swallowed the cancel.
                raise self._lost
        except asyncio.CancelledError:
            if self._lost is None:
                raise
            assert self._body is not None
            self._body.uncancel()
            raise self._lost from None
        finally:
            self._body = None
            await ended(renewing)

    @contextlib.contextmanager
    def checking(self, check: Check) -> Iterator[None]:
        """Also run `check` after each renewal; it raises Overtaken to stop the body."""
        self._check = check
        try:
            yield
        finally:
            self._check = None

    async def renew(self) -> None:
        """Renew now. Raises LeaseLost, QueueUnavailable."""
        asked_at = time.monotonic()
        await self._receiver.renew(self._delivery)
        self._renewed_at = asked_at

    async def _keep(self) -> None:
        try:
            while True:
                await asyncio.sleep(self._renewed_at + self._settings.renew_s - time.monotonic())
                await self._renew_until_expiry()
                await self._checked()
        except (LeaseLost, Overtaken) as lost:
            self._stop(lost)
        except Exception:
            # Without a renewer the body must not go on: someone else will have the message soon.
            log.exception("lease.keeper_failed")
            self._stop(LeaseLost("the lease is no longer renewed"))

    def _stop(self, lost: LeaseLost | Overtaken) -> None:
        self._lost = lost
        if self._body is not None:
            self._body.cancel()

    async def _renew_until_expiry(self) -> None:
        expires_at = self._renewed_at + self._settings.lease_s
        while True:
            try:
                # A connection that is half open never answers; the next try opens another.
                async with asyncio.timeout(min(self._settings.lease_s / 4, expires_at - time.monotonic())):
                    return await self.renew()
            except (DependencyUnavailable, TimeoutError) as cause:
                if time.monotonic() >= expires_at:
                    raise LeaseLost("the lease ran out before it could be renewed") from cause
                log.warning("lease.renewal_failed", extra={"message_id": self._delivery.message_id})
                await asyncio.sleep(RETRY_S * random.uniform(0.5, 1.5))

    async def _checked(self) -> None:
        if self._check is None:
            return
        try:
            async with asyncio.timeout(self._settings.renew_s):  # The next renewal must not wait for it.
                await self._check()
        except (DependencyUnavailable, TimeoutError) as error:
            # The lease still holds; whether the job does is asked again at the next renewal.
            log.warning("lease.check_failed", extra={"detail": str(error)})
