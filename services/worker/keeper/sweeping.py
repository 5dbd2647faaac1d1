"""Sweep what is left over: blobs that no record names, and what was written into a job while it was erased.

Thin: `claimcheck.sweeping` decides. Blocks of an upload that was never committed are no blob and no listing shows them;
the storage discards them a week after the last one.

Why age is enough to delete by: from the commit of its upload to the end of its create a request takes at most one
block's time limit (30 s) and then, should it meet others with its idempotency key, 20 rounds of three calls of 3 s:
under four minutes of the 15 for which a blob is left alone. A process that was frozen for longer than that makes a job
without an upload, which fails as `upload-missing`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

from claimcheck.blobs import Blobs, Page
from claimcheck.erasing import erase_content
from claimcheck.errors import WriteRefused
from claimcheck.records import Records
from claimcheck.settings import KeeperSettings
from claimcheck.sweeping import FOLDERS, OwnedBlob, Window, owned, why_delete

log = logging.getLogger(__name__)

AT_ONCE = 8  # Blobs judged, and deleted, at the same time.
TOMBSTONES = 1000  # Erased again in one round; the next round takes the next.


class BlobSweep:
    """Deletes blobs that nothing names. The first round and every full one look at all that are old enough, the others
    at those that have become so since. A round that fails is begun anew: looking twice does no harm."""

    def __init__(self, records: Records, blobs: Blobs, settings: KeeperSettings) -> None:
        self._records, self._blobs, self._settings = records, blobs, settings
        self._looked_at: datetime | None = None
        """Blobs last modified up to then have been looked at; None: the next round is a full one."""
        self._full_at = 0.0
        """When the last full round began (monotonic)."""
        self._told_of_others = False

    async def once(self) -> None:
        """One round. Raises BlobsUnavailable, RecordsUnavailable."""
        began_at, window = time.monotonic(), None
        full = self._looked_at is None or began_at - self._full_at >= self._settings.full_sweep_s
        counts: Counter[str] = Counter()
        for folder in FOLDERS:
            async for page in self._blobs.pages(f"{folder}/"):
                # By the storage's clock, and once: a blob that comes later is the next round's.
                window = window or self._window(page, full=full)
                await self._page(page, window, counts)
        if window is None:
            return
        self._looked_at = window.until
        if full:
            self._full_at = began_at
        level = logging.INFO if counts["deleted"] else logging.DEBUG
        log.log(level, "sweep.ended", extra={"full": full, "took_s": round(time.monotonic() - began_at, 1), **counts})

    def _window(self, page: Page, *, full: bool) -> Window:
        until = page.at - timedelta(seconds=self._settings.orphan_age_s)
        return Window(until, None if full else self._looked_at)

    async def _page(self, page: Page, window: Window, counts: Counter[str]) -> None:
        counts["listed"] += len(page.blobs)
        due = [self._owned(listed.name) for listed in page.blobs if window.holds(listed.last_modified)]
        ours = [blob for blob in due if blob]
        for first in range(0, len(ours), AT_ONCE):
            few = ours[first : first + AT_ONCE]
            # The pace goes beside the work, so that a round never takes more of the records than it was given.
            pace = asyncio.sleep(len(few) / self._settings.reads_per_s)
            _, *deleted = await _all(pace, *(self._judge(blob) for blob in few))
            counts["read"] += len(few)
            counts["deleted"] += sum(map(bool, deleted))

    def _owned(self, name: str) -> OwnedBlob | None:
        blob = owned(name)
        if blob is None and not self._told_of_others:
            self._told_of_others = True
            log.warning("blob.not_ours", extra={"blob": name})
        return blob

    async def _judge(self, blob: OwnedBlob) -> bool:
        """Delete the blob if it is left over."""
        why = why_delete(blob, await self._records.read(blob.tenant, blob.job_id))
        if why:
            await self._blobs.delete(blob.name)
            log.info("blob.swept", extra={"job_id": blob.job_id, "blob": blob.name, "why": why})
        return bool(why)


class SecondErase:
    """Erases once more what was erased: a worker that had the job may have written after the first time."""

    def __init__(self, records: Records, blobs: Blobs, settings: KeeperSettings) -> None:
        self._records, self._blobs = records, blobs
        self._after = timedelta(seconds=settings.erase_again_s)

    async def once(self) -> None:
        """One round. Raises BlobsUnavailable, RecordsUnavailable."""
        due = await self._records.lists.tombstones(erased_before=datetime.now(UTC) - self._after, limit=TOMBSTONES)
        for buried in due:
            await erase_content(self._records, self._blobs, buried.tenant, buried.job_id)
            # Refused: another keeper was here, or the tombstone has expired.
            with contextlib.suppress(WriteRefused):
                await self._records.mark_swept(buried)
            log.info("job.erased_again", extra={"job_id": buried.job_id})


async def _all(*work: Awaitable[Any]) -> list[Any]:
    """Await everything, and only then raise what failed first: nothing may go on behind a round that has ended."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes
