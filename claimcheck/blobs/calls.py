"""One request to Blob Storage: its time limit, and our errors instead of the SDK's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContentSettings, StorageErrorCode
from azure.storage.blob.aio import BlobClient

from claimcheck.errors import BlobMissing, BlobsUnavailable

NO_ACCESS = (401, 403)  # A wrong key, or a role that is not assigned yet: it may be in minutes.
RANGE_NOT_SATISFIABLE = 416  # The range begins behind the blob's last byte, or the blob has none.


async def put(blob: BlobClient, data: bytes, media_type: str) -> None:
    """Write a whole blob in one request, to be made within `call`."""
    # The name is random, so only our own repeated request can find the blob there: overwriting is idempotent.
    settings = ContentSettings(content_type=media_type)
    await blob.upload_blob(data, length=len(data), overwrite=True, content_settings=settings)


async def put_new(blob: BlobClient, data: bytes, media_type: str) -> bool:
    """Write a whole blob in one request, to be made within `call`; False: there is one, perhaps of our own request."""
    settings = ContentSettings(content_type=media_type)
    try:
        await blob.upload_blob(data, length=len(data), overwrite=False, content_settings=settings)
    except ResourceExistsError as refused:
        # 409 is also the answer for a lease or a snapshot that is in the way: then nothing is known.
        if getattr(refused, "error_code", None) != StorageErrorCode.BLOB_ALREADY_EXISTS:
            raise
        return False
    return True


async def read_range(blob: BlobClient, start: int, length: int | None) -> bytes:
    """Up to `length` bytes from `start` on, to be made within `call`; none behind the blob's end."""
    whole = start == 0 and length is None
    try:
        stream = await blob.download_blob(None if whole else start, length, max_concurrency=1)
    except HttpResponseError as refused:
        if refused.status_code == RANGE_NOT_SATISFIABLE:
            return b""
        raise
    return await stream.readall()


@contextlib.asynccontextmanager
async def call(timeout_s: float) -> AsyncIterator[None]:
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
    except HttpResponseError as cause:
        if cause.status_code in NO_ACCESS:
            raise BlobsUnavailable(f"Blob Storage refuses access: {cause.status_code}") from cause
        raise BlobsUnavailable(f"Blob Storage answered {cause.status_code}") from cause
    except AzureError as cause:
        raise BlobsUnavailable(f"Blob Storage failed: {type(cause).__name__}") from cause
