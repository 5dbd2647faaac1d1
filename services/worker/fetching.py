"""Get what the client handed in: as a file in scratch space, or in memory where it is known to be small."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from claimcheck.blobs import Blobs
from claimcheck.errors import BlobMissing, UploadMissing
from claimcheck.job import Upload
from services.worker.patience import Patience
from services.worker.scratch import RunFolder

T = TypeVar("T")

STORAGE_S = 60.0  # A storage that is away for less than that, counted from its first failure, costs no attempt.


class Fetching:
    """The upload of one job. Both methods raise UploadMissing, DependencyUnavailable."""

    def __init__(self, upload: Upload, blobs: Blobs, patience: Patience) -> None:
        self._upload, self._blobs, self._patience = upload, blobs, patience

    async def to_file(self, folder: RunFolder, path: Path) -> None:
        """Download it to that path in `folder`. Raises ScratchFull."""
        blob, size_bytes = self._upload.blob, self._upload.size_bytes
        await self._stored(lambda: folder.save(self._blobs.read(blob), path, size_bytes))

    async def in_memory(self) -> bytes:
        """All its bytes; how many there are is for the caller to know first."""
        return await self._stored(self._read)

    async def _read(self) -> bytes:
        return b"".join([chunk async for chunk in self._blobs.read(self._upload.blob)])

    async def _stored(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._patience.ask(call, limit_s=STORAGE_S)
        except BlobMissing as cause:
            raise UploadMissing("the upload is no longer stored") from cause
