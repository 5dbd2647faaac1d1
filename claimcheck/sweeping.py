"""Decide which blobs are swept: those that no record names and no request or worker still needs. Pure.

    record                                  upload                   result                  part
    none: never created, or expired         delete                   delete                  delete
    tombstone: the job was erased           delete                   delete                  delete
    a job that names the blob               keep                     keep                    -
    a job that does not, and has ended      delete                   delete                  keep
    a job that does not, and has not        delete                   keep                    keep

An upload that a job does not name came with a second request for the same idempotency key. A result that a job which
has not ended does not name may be about to be named. Parts of an ended job stay as long as its record and its upload,
whose text they are: a replay of its dead letter begins with them, and what a failed job spent on them is not lost.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from claimcheck.job import Job, Tombstone, is_job_id, timestamp

FOLDERS = ("uploads", "parts", "results")
SAMPLE = 100  # Uploads that have their records looked for before a full sweep.
MOST_MISSING = 25  # Cosmos DB away for a day of the retention's seven leaves 14 of 100 without a record.
LIFE_CHARS = 12  # 48 bits tell the jobs apart that one idempotency key makes, years apart.
_NAME = re.compile(rf"({'|'.join(FOLDERS)})/([a-z0-9-]{{1,40}})/([0-9a-f-]{{36}})/[0-9a-f]+")


@dataclass(frozen=True)
class OwnedBlob:
    """A blob with a name as we make them, and whose it is."""

    name: str
    folder: str
    tenant: str
    job_id: str


def owned(name: str) -> OwnedBlob | None:
    """Whose blob this is; None if the name is none of ours, and then the blob is nothing to delete."""
    match = _NAME.fullmatch(name)
    if match is None or not is_job_id(match[3]):
        return None
    return OwnedBlob(name, *match.groups())


def parts_prefix(job: Job) -> str:
    """How the names of a job's own parts begin. An idempotency key may make a second job of one id, and parts of the
    first may still be kept, so what tells the two apart is in the name."""
    life = hashlib.sha256(timestamp(job.created_at).encode()).hexdigest()[:LIFE_CHARS]
    return f"parts/{job.tenant}/{job.job_id}/{life}"


@dataclass(frozen=True)
class Window:
    """Blobs last modified after `after` and up to `until` are looked at; times are the storage's own."""

    until: datetime
    after: datetime | None = None
    """Those up to then were looked at by an earlier sweep; None: all."""

    def holds(self, last_modified: datetime) -> bool:
        """Whether the blob is to be looked at now."""
        return last_modified <= self.until and (self.after is None or last_modified > self.after)


def why_delete(blob: OwnedBlob, record: Job | Tombstone | None) -> str:
    """Why a blob that is old enough is to be deleted; empty: it stays."""
    if record is None:
        return "no record"
    if isinstance(record, Tombstone):
        return "erased"
    if blob.name in _named(record):
        return ""
    if blob.folder == "uploads":
        return "another upload is the job's"
    if blob.folder == "results" and record.ended:
        return "not the result"
    return ""


def records_look_wrong(missing: int) -> bool:
    """Whether these cannot be the blobs' records, since so many of `SAMPLE` young uploads have none."""
    return missing > MOST_MISSING


def _named(job: Job) -> set[str | None]:
    result = job.end.result.blob if job.end and job.end.result else None
    return {job.upload.blob, result}
