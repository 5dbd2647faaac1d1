"""Uploads and results in Azure Blob Storage; the only importer of its SDK.

Owns block-wise writing in bounded memory, downloads, the time limit of each request and the translation of errors.
Names are ours and random (`uploads/{tenant}/{job_id}/{random}`); a client's file name never becomes one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob import BlobBlock, ContentSettings, StorageErrorCode
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient

from claimcheck.errors import BlobMissing, BlobsUnavailable
from claimcheck.settings import BlobSettings
from claimcheck.transport import http_transport

STAGED_AT_ONCE = 2  # One block travels while the next fills: more memory buys nothing on one connection.


@dataclass(frozen=True)
class Written:
    """What a finished blob holds."""

    size_bytes: int
    sha256: str


class Blobs:
    """One container. Safe to share between coroutines."""

    def __init__(self, settings: BlobSettings, *, timeout_s: float) -> None:
        """`timeout_s`: time limit of one request."""
        self._settings = settings
        self._timeout_s = timeout_s
        self._credential: DefaultAzureCredential | None = None
        self._service: BlobServiceClient | None = None
        self._container: ContainerClient | None = None

    def writer(self, name: str) -> BlobWriter:
        """A writer of a new blob."""
        return BlobWriter(self._blob(name), self._settings.block_bytes, self._timeout_s)

    async def put(self, name: str, data: bytes, media_type: str) -> None:
        """Write a small blob in one request. Raises BlobsUnavailable."""
        async with _call(self._timeout_s):
            await _put(self._blob(name), data, media_type)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """The blob's bytes, in chunks. Raises BlobMissing if it is gone, BlobsUnavailable."""
        async with _call(self._timeout_s):
            stream = await self._blob(name).download_blob(max_concurrency=1)
        chunks = stream.chunks().__aiter__()
        while True:
            try:
                async with _call(self._timeout_s):
                    chunk = await chunks.__anext__()
            except StopAsyncIteration:
                return
            yield chunk

    async def delete(self, name: str) -> None:
        """Delete a blob; one that is not there is fine. Raises BlobsUnavailable."""
        with contextlib.suppress(BlobMissing):
            async with _call(self._timeout_s):
                await self._blob(name).delete_blob()

    async def ping(self) -> None:
        """Raises BlobsUnavailable unless the container answers."""
        async with _call(self._timeout_s):
            await self._opened().get_container_properties()

    async def close(self) -> None:
        """Close every connection."""
        for opened in (self._service, self._credential):
            if opened is not None:
                await opened.close()
        self._service = self._credential = self._container = None

    def _opened(self) -> ContainerClient:
        if self._container is None:
            # A block is retried twice; what lasts longer than the time limit is for the caller to decide.
            options: dict[str, Any] = {
                "retry_total": 2,
                "initial_backoff": 1,
                "max_single_put_size": 64 * 1024 * 1024,
                "transport": http_transport(),
            }
            if self._settings.connection_string is not None:
                secret = self._settings.connection_string.get_secret_value()
                self._service = BlobServiceClient.from_connection_string(secret, **options)
            else:
                self._credential = DefaultAzureCredential()
                self._service = BlobServiceClient(self._settings.account_url, self._credential, **options)
            # Made once: each takes a new pipeline, which is a tenth of the cost of a small upload.
            self._container = self._service.get_container_client(self._settings.container)
        return self._container

    def _blob(self, name: str) -> BlobClient:
        return self._opened().get_blob_client(name)


class BlobWriter:
    """Writes one blob block by block; holds at most `STAGED_AT_ONCE` blocks and the one that fills.

    A blob that ends within its first block is one Put Blob. Until `finish` nothing is visible; staged blocks that are
    never committed are discarded by the service after a week.
    """

    def __init__(self, blob: BlobClient, block_bytes: int, timeout_s: float) -> None:
        self._blob, self._block_bytes, self._timeout_s = blob, block_bytes, timeout_s
        self._filling = bytearray()
        self._staging: list[asyncio.Task[None]] = []
        self._blocks: list[str] = []
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    async def write(self, chunk: bytes) -> None:
        """Add bytes; waits while the storage is slower than the caller. Raises BlobsUnavailable."""
        self._digest.update(chunk)
        self.size_bytes += len(chunk)
        self._filling += chunk
        while len(self._filling) > self._block_bytes:
            block = bytes(self._filling[: self._block_bytes])
            del self._filling[: self._block_bytes]
            await self._stage(block)

    async def finish(self, media_type: str) -> Written:
        """Make the blob visible. Raises BlobsUnavailable; it may then be there all the same."""
        last = bytes(self._filling)
        self._filling.clear()
        if self._blocks:
            await self._stage(last)
            await self._staged(0)
            async with _call(self._timeout_s):
                blocks = [BlobBlock(block_id) for block_id in self._blocks]
                await self._blob.commit_block_list(blocks, content_settings=ContentSettings(content_type=media_type))
        else:
            async with _call(self._timeout_s):
                await _put(self._blob, last, media_type)
        return Written(self.size_bytes, self._digest.hexdigest())

    async def discard(self) -> None:
        """Stop writing; what was staged stays invisible."""
        for task in self._staging:
            task.cancel()
        await asyncio.gather(*self._staging, return_exceptions=True)
        self._staging.clear()
        self._filling.clear()

    async def _stage(self, block: bytes) -> None:
        await self._staged(STAGED_AT_ONCE - 1)
        block_id = secrets.token_hex(16)  # Random: two writers of one name could never mix their blocks.
        self._blocks.append(block_id)
        self._staging.append(asyncio.create_task(self._send(block_id, block)))

    async def _send(self, block_id: str, block: bytes) -> None:
        async with _call(self._timeout_s):
            await self._blob.stage_block(block_id, block, length=len(block))

    async def _staged(self, left: int) -> None:
        """Wait until at most `left` blocks are under way."""
        while len(self._staging) > left:
            await self._staging.pop(0)


async def _put(blob: BlobClient, data: bytes, media_type: str) -> None:
    # The name is random, so only our own repeated request can find the blob there: overwriting is idempotent.
    settings = ContentSettings(content_type=media_type)
    await blob.upload_blob(data, length=len(data), overwrite=True, content_settings=settings)


@contextlib.asynccontextmanager
async def _call(timeout_s: float) -> AsyncIterator[None]:
    """The time limit and our errors around one request."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except ResourceNotFoundError as cause:
        # 404 is also the answer where the container is missing, and then nothing is known of the blob.
        if getattr(cause, "error_code", None) == StorageErrorCode.BLOB_NOT_FOUND:
            raise BlobMissing("there is no such blob") from cause
        raise BlobsUnavailable("Blob Storage has no such container") from cause
    except TimeoutError as cause:
        raise BlobsUnavailable(f"Blob Storage did not answer within {timeout_s:g} s") from cause
    except AzureError as cause:
        raise BlobsUnavailable(f"Blob Storage failed: {type(cause).__name__}") from cause
