"""Sweep blobs that no record names.

Thin: `claimcheck.sweeping` decides. Blocks of an upload that was never committed are no blob and no listing shows them;
the storage discards them a week after the last one.

Why age is enough to delete by: `keeper.orphan_age_s` exceeds the longest time that a request takes from the commit of
its upload to the end of its create, and the settings see to that. A process that was frozen for longer makes a job
without an upload, which fails as `upload-missing`.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import Counter
from datetime import datetime, timedelta

from claimcheck.blobs import Blobs, Page
from claimcheck.records import Records
from claimcheck.settings import KeeperSettings
from claimcheck.sweeping import FOLDERS, OwnedBlob, Window, owned, why_delete
from services.worker.keeper.brake import Brake
from services.worker.keeper.failing import Failing
from services.worker.keeper.pacing import each

log = logging.getLogger(__name__)


class BlobSweep:
    """Deletes blobs that nothing names. The first round and every full one look at all that are old enough, the others
    at those that have become so since. A round in which a blob failed is begun anew: looking twice does no harm."""

    def __init__(self, records: Records, blobs: Blobs, settings: KeeperSettings, *, retention: timedelta) -> None:
        """`retention`: how long a record outlives its job's end at the least."""
        self._records, self._blobs, self._settings = records, blobs, settings
        self._brake = Brake(records, blobs, settings, retention=retention)
        self._looked_at: datetime | None = None
        """Blobs last modified up to then have been looked at; None: the next round is a full one."""
        self._full_at = 0.0
        """When the last full round began (monotonic)."""
        self._told_of_others = False

    async def once(self) -> None:
        """One round. Raises what failed first: of a listing at once, of single blobs at the end."""
        began_at = time.monotonic()
        full = self._looked_at is None or began_at - self._full_at >= self._settings.full_sweep_s
        if full and await self._brake.holds():
            return
        counts, failing = Counter[str](), Failing()
        until = await self._folders(full=full, counts=counts, failing=failing)
        level = logging.INFO if counts["deleted"] else logging.DEBUG
        told = {"full": full, "took_s": round(time.monotonic() - began_at, 1), "failed": failing.count}
        log.log(level, "sweep.ended", extra={**told, **counts})
        failing.raise_first()
        self._looked_at = until
        if full:
            self._full_at = began_at

    async def _folders(self, *, full: bool, counts: Counter[str], failing: Failing) -> datetime:
        """Look at every folder; up to which time of their last change the blobs have been looked at."""
        window: Window | None = None
        for folder in FOLDERS:
            async for page in self._blobs.pages(f"{folder}/"):
                # By the storage's clock, and once: a blob that comes later is the next round's.
                window = window or self._window(page, full=full)
                await self._page(page, window, counts, failing)
        assert window is not None, "an empty listing is a page too"
        return window.until

    def _window(self, page: Page, *, full: bool) -> Window:
        until = page.at - timedelta(seconds=self._settings.orphan_age_s)
        return Window(until, None if full else self._looked_at)

    async def _page(self, page: Page, window: Window, counts: Counter[str], failing: Failing) -> None:
        counts["listed"] += len(page.blobs)
        due = [self._owned(listed.name) for listed in page.blobs if window.holds(listed.last_modified)]
        ours = [blob for blob in due if blob]
        judge = functools.partial(self._judge, counts=counts, failing=failing)
        await each(ours, judge, per_s=self._settings.reads_per_s)

    def _owned(self, name: str) -> OwnedBlob | None:
        blob = owned(name)
        if blob is None and not self._told_of_others:
            self._told_of_others = True
            log.warning("blob.not_ours", extra={"blob": name})
        return blob

    async def _judge(self, blob: OwnedBlob, *, counts: Counter[str], failing: Failing) -> None:
        """Delete the blob if it is left over."""
        with failing.passed_over("blob.sweep_failed", job_id=blob.job_id, blob=blob.name):
            record = await self._records.read(blob.tenant, blob.job_id)
            counts["read"] += 1
            if why := why_delete(blob, record):
                await self._blobs.delete(blob.name)
                counts["deleted"] += 1
                log.info("blob.swept", extra={"job_id": blob.job_id, "blob": blob.name, "why": why})
