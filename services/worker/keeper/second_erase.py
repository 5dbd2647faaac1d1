"""Erase a second time: a worker that had the job may have written after the first."""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime, timedelta

from claimcheck.blobs import Blobs
from claimcheck.erasing import erase_content
from claimcheck.errors import WriteRefused
from claimcheck.job import Tombstone
from claimcheck.records import Records
from claimcheck.settings import KeeperSettings
from services.worker.keeper.failing import Failing

log = logging.getLogger(__name__)

TOMBSTONES = 1000  # Erased again in one round; the next round takes the next.


class SecondErase:
    """Erases once more what was erased. A job that cannot be erased waits for the next round, and no other for it."""

    def __init__(self, records: Records, blobs: Blobs, settings: KeeperSettings) -> None:
        self._records, self._blobs = records, blobs
        self._after = timedelta(seconds=settings.erase_again_s)

    async def once(self) -> None:
        """One round. Raises what failed first, at the end."""
        due = await self._records.lists.tombstones(erased_before=datetime.now(UTC) - self._after, limit=TOMBSTONES)
        failing = Failing()
        for buried in due:
            with failing.passed_over("job.erase_failed", job_id=buried.job_id):
                await self.erase(buried)
        failing.raise_first()

    async def erase(self, buried: Tombstone) -> None:
        """Erase what was written into this job, unless another keeper was here. Raises DependencyUnavailable."""
        # Read now, since a list of many takes long: a key may have come again once its tombstone had expired.
        if await self._records.read(buried.tenant, buried.job_id) != buried:
            return
        await erase_content(self._records, self._blobs, buried.tenant, buried.job_id)
        # Refused: another keeper was here, or the tombstone has expired.
        with contextlib.suppress(WriteRefused):
            await self._records.mark_swept(buried)
        log.info("job.erased_again", extra={"job_id": buried.job_id})
