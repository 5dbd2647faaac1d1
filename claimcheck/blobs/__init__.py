"""Uploads and results in Azure Blob Storage; this package is the only importer of its SDK.

Owns block-wise writing in bounded memory, downloads, the time limit of each request and the translation of errors.
Names are ours and random (`uploads/{tenant}/{job_id}/{random}`); a client's file name never becomes one.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob.aio import BlobClient, BlobServiceClient, ContainerClient

from claimcheck.blobs.calls import call, put, put_new, read_range
from claimcheck.blobs.copying import copy
from claimcheck.blobs.listing import Page, list_pages
from claimcheck.blobs.writing import Ahead, BlobWriter, Limits, Written
from claimcheck.errors import BlobMissing
from claimcheck.settings import BlobSettings
from claimcheck.transport import http_transport

__all__ = ["BlobWriter", "Blobs", "Page", "Written"]


class Blobs:
    """One container. Safe to share between coroutines."""

    def __init__(self, settings: BlobSettings, *, timeout_s: float, block_timeout_s: float | None = None) -> None:
        """`timeout_s`: time limit of one request; `block_timeout_s`: of one that carries a block, if another."""
        self._settings = settings
        self._timeout_s = timeout_s
        self._block_timeout_s = timeout_s if block_timeout_s is None else block_timeout_s
        self._ahead = Ahead(settings.staged_blocks)
        self._credential: DefaultAzureCredential | None = None
        self._service: BlobServiceClient | None = None
        self._container: ContainerClient | None = None

    def writer(self, name: str) -> BlobWriter:
        """A writer of a new blob."""
        limits = Limits(self._settings.block_bytes, block_s=self._block_timeout_s, other_s=self._timeout_s)
        return BlobWriter(self._blob(name), self._ahead, limits)

    async def put(self, name: str, data: bytes, media_type: str) -> None:
        """Write a small blob in one request. Raises BlobsUnavailable."""
        async with call(self._timeout_s):
            await put(self._blob(name), data, media_type)

    async def put_new(self, name: str, data: bytes, media_type: str) -> bool:
        """Write a small blob in one request unless there is one; whether it was written. Raises BlobsUnavailable.

        A repeat of our own request whose answer was lost finds that there is one.
        """
        async with call(self._timeout_s):
            return await put_new(self._blob(name), data, media_type)

    async def read_range(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Up to `length` bytes from `start` on, in memory; none behind the blob's end.

        Raises BlobMissing, BlobsUnavailable.
        """
        async with call(self._timeout_s):
            return await read_range(self._blob(name), start, length)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """The blob's bytes, in chunks. Raises BlobMissing if it is gone, BlobsUnavailable."""
        async with call(self._timeout_s):
            stream = await self._blob(name).download_blob(max_concurrency=1)
        chunks = stream.chunks().__aiter__()
        while True:
            try:
                async with call(self._timeout_s):
                    chunk = await chunks.__anext__()
            except StopAsyncIteration:
                return
            yield chunk

    async def exists(self, name: str) -> bool:
        """Whether there is such a blob. Raises BlobsUnavailable."""
        try:
            async with call(self._timeout_s):
                await self._blob(name).get_blob_properties()
        except BlobMissing:
            return False
        return True

    async def copy(self, name: str, to: str) -> None:
        """Copy a blob to a name of the same container. Raises BlobMissing, BlobsUnavailable; it may then be there."""
        await copy(self._blob(name), self._blob(to), timeout_s=self._timeout_s, wait_s=self._block_timeout_s)

    async def delete(self, name: str) -> None:
        """Delete a blob; one that is not there is fine. Raises BlobsUnavailable."""
        with contextlib.suppress(BlobMissing):
            async with call(self._timeout_s):
                await self._blob(name).delete_blob()

    def pages(self, prefix: str) -> AsyncIterator[Page]:
        """All blobs that begin so, with their times, page by page. Raises BlobsUnavailable."""
        return list_pages(self._opened(), prefix, self._timeout_s)

    async def ping(self) -> None:
        """Raises BlobsUnavailable unless the container answers."""
        async with call(self._timeout_s):
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
