"""Erase what a job consists of, besides its record: upload, parts and results, in Blob Storage and in Cosmos DB.

Whoever erases has replaced the record by a tombstone before: from then on no writer's condition holds. A worker may
still write a blob that no record will name, and deletes it once its last write is refused; what a worker that dies
leaves is for the keeper's second erase. Repeating it is harmless.
"""

from __future__ import annotations

from claimcheck.blobs import Blobs
from claimcheck.records import Records
from claimcheck.sweeping import FOLDERS


async def erase_content(records: Records, blobs: Blobs, tenant: str, job_id: str) -> None:
    """Delete the job's blobs, and every item but the record. Raises BlobsUnavailable, RecordsUnavailable."""
    for folder in FOLDERS:
        # The slash at the end: without it one job's id could be the beginning of another's.
        async for page in blobs.pages(f"{folder}/{tenant}/{job_id}/"):
            for blob in page.blobs:
                await blobs.delete(blob.name)
    await records.erase_others(tenant, job_id)
