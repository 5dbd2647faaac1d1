"""Stop a full sweep whose records are not those of the blobs: an empty, a restored, or another installation's database.

The rule: no record expires before its job's retention is over, so an upload younger than `job.retention_s` has one,
unless its request died or Cosmos DB was away. Before a full sweep, `SAMPLE` such uploads are drawn at random; if more
than `MOST_MISSING` of them have no record, nothing is deleted and a person is asked. Uploads of expired jobs are older
and never drawn, so they are swept however many they are; and with fewer than `SAMPLE` young uploads there is no brake.
"""

from __future__ import annotations

import logging
import random
from datetime import timedelta

from claimcheck.blobs import Blobs
from claimcheck.records import Records
from claimcheck.settings import KeeperSettings
from claimcheck.sweeping import MOST_MISSING, SAMPLE, OwnedBlob, Window, owned, records_look_wrong
from services.worker.keeper.pacing import each

log = logging.getLogger(__name__)

ADVICE = (
    "nearly every young upload should have a record: is records.database empty, restored, or another installation's"
    " than blobs.container? If these blobs are to go, set CLAIMCHECK_KEEPER__BRAKE=false until one sweep has ended"
)


class Brake:
    """Looks at some uploads before a full sweep looks at all blobs."""

    def __init__(self, records: Records, blobs: Blobs, settings: KeeperSettings, *, retention: timedelta) -> None:
        """`retention`: how long a record outlives its job's end at the least."""
        self._records, self._blobs, self._settings = records, blobs, settings
        self._retention = retention

    async def holds(self) -> bool:
        """Whether nothing may be deleted; says so. Raises BlobsUnavailable, RecordsUnavailable."""
        if not self._settings.brake:
            return False
        sample = await self._sample()
        if len(sample) < SAMPLE:
            return False
        missing = sum(await each(sample, self._has_no_record, per_s=self._settings.reads_per_s))
        if not records_look_wrong(missing):
            return False
        told = {"looked_at": SAMPLE, "without_record": missing, "limit": MOST_MISSING}
        log.error("sweep.braked", extra={**told, "detail": ADVICE})
        return True

    async def _sample(self) -> list[OwnedBlob]:
        """Young uploads, each with the same chance: the first by name may all be one tenant's."""
        sample: list[OwnedBlob] = []
        seen = 0
        async for page in self._blobs.pages("uploads/"):
            young = Window(page.at - timedelta(seconds=self._settings.orphan_age_s), page.at - self._retention)
            for blob in (owned(listed.name) for listed in page.blobs if young.holds(listed.last_modified)):
                if blob is None:
                    continue
                seen += 1
                if len(sample) < SAMPLE:
                    sample.append(blob)
                elif (place := random.randrange(seen)) < SAMPLE:
                    sample[place] = blob
        return sample

    async def _has_no_record(self, blob: OwnedBlob) -> bool:
        try:
            return await self._records.read(blob.tenant, blob.job_id) is None
        except (KeyError, ValueError):  # A record of a newer release is a record.
            return False
