"""Read the result of a job, from the item beside its record or from its blob."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from claimcheck.blobs import Blobs
from claimcheck.errors import BlobMissing, RecordMissing
from claimcheck.job import Job, ResultRef
from claimcheck.records import Records
from claimcheck.web.finding import no_such_job


class Results:
    """Reads results."""

    def __init__(self, records: Records, blobs: Blobs) -> None:
        self._records, self._blobs = records, blobs

    async def of(self, job: Job) -> dict[str, Any] | None:
        """The result of a succeeded job, else None. Raises JobNotFound if it has expired meanwhile."""
        where = job.end.result if job.end else None
        if where is None:
            return None
        try:
            return await self._read(job, where)
        except (RecordMissing, BlobMissing) as cause:
            raise no_such_job() from cause

    async def _read(self, job: Job, where: ResultRef) -> dict[str, Any]:
        if where.item is not None:
            return await self._records.read_result(job.tenant, job.job_id, where.item)
        assert where.blob is not None
        content = b"".join([chunk async for chunk in self._blobs.read(where.blob)])
        result: dict[str, Any] = await asyncio.to_thread(json.loads, content)
        return result
