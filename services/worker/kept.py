"""What the stages of one job leave for each other, in blobs of the job's own.

Names are `parts/{tenant}/{job_id}/{life}{rest}`: `life` says which of the jobs that an idempotency key may have made of
one id, `rest` is random or made of a key. Stages know the rest alone, so that what one has written down is true in a
replay too, which gets copies of the old job's blobs.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from claimcheck.blobs import Blobs
from claimcheck.job import Job
from claimcheck.sweeping import parts_prefix
from services.worker.fetching import STORAGE_S
from services.worker.patience import Patience

T = TypeVar("T")

MEDIA_TYPE = "application/octet-stream"


class KeptBlobs:
    """The blobs of one job. See `services.worker.stage.Kept`."""

    def __init__(self, job: Job, *, blobs: Blobs, patience: Patience) -> None:
        self._prefix, self._blobs, self._patience = parts_prefix(job), blobs, patience

    async def put(self, data: bytes) -> str:
        """Keep under a random name."""
        name = secrets.token_hex(16)
        await self._ask(lambda: self._blobs.put(self._prefix + name, data, MEDIA_TYPE))
        return name

    async def put_once(self, key: str, data: bytes) -> bytes:
        """Keep under a name made of `key`, or read what is there."""
        name = self._prefix + _hashed(key)
        if await self._ask(lambda: self._blobs.put_new(name, data, MEDIA_TYPE)):
            return data
        # Perhaps our own, if the answer to its put was lost: then it is the same.
        return await self.get(key)

    async def get(self, key: str) -> bytes:
        """Read what is kept under `key`."""
        return await self.read(_hashed(key))

    async def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Read some bytes, or all."""
        return await self._ask(lambda: self._blobs.read_range(self._prefix + name, start, length))

    async def delete(self, name: str) -> None:
        """Delete what `put` has kept."""
        await self._ask(lambda: self._blobs.delete(self._prefix + name))

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        return await self._patience.ask(call, limit_s=STORAGE_S)


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
