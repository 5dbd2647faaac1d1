"""Erase a job: its record, then what it consists of besides: upload, parts and results, in Blob and in Cosmos DB.

Whoever erases replaces the record by a tombstone first: from then on no writer's condition holds. A worker may
still write a blob that no record will name, and deletes it once its last write is refused; what a worker that dies
leaves is for the keeper's second erase. Repeating it is harmless.
"""

from __future__ import annotations

from datetime import UTC, datetime

from claimcheck.blobs import Blobs
from claimcheck.errors import RecordMissing, RecordsUnavailable, WriteRefused
from claimcheck.job import Job
from claimcheck.records import Records
from claimcheck.sweeping import FOLDERS

ROUNDS = 10  # A record is written a few times in its life, so an erase that judges its etag soon meets a quiet moment.


async def bury(records: Records, tenant: str, job_id: str) -> bool:
    """Put a tombstone in the record's place; False if one was there. Raises RecordMissing, RecordsUnavailable."""
    for tries in range(ROUNDS):
        record = await records.read(tenant, job_id)
        if record is None:
            raise RecordMissing("there is no such record")
        if not isinstance(record, Job):
            return tries > 0  # A tombstone that came while we tried may be our own.
        try:
            await records.bury(record, datetime.now(UTC))
        except WriteRefused:
            continue
        return True
    raise RecordsUnavailable(f"the job changed {ROUNDS} times while it was erased")


async def erase_content(records: Records, blobs: Blobs, tenant: str, job_id: str) -> None:
    """Delete the job's blobs, and every item but the record. Raises BlobsUnavailable, RecordsUnavailable."""
    for folder in FOLDERS:
        # The slash at the end: without it one job's id could be the beginning of another's.
        async for page in blobs.pages(f"{folder}/{tenant}/{job_id}/"):
            for blob in page.blobs:
                await blobs.delete(blob.name)
    await records.erase_others(tenant, job_id)
