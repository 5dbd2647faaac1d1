"""Copy a blob inside the account: the storage does it, and no byte comes through here."""

from __future__ import annotations

import asyncio
import contextlib

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import StorageErrorCode
from azure.storage.blob.aio import BlobClient

from claimcheck.blobs.calls import call
from claimcheck.errors import BlobMissing, BlobsUnavailable

LOOK_EVERY_S = 0.25


async def copy(source: BlobClient, to: BlobClient, *, timeout_s: float, wait_s: float) -> None:
    """Copy `source`, its media type too. `timeout_s`: time limit of one request; `wait_s`: of the whole copy.

    Within an account a copy is nearly always done when its request is answered. The storage reads the source with the
    right by which it was asked to write, so none has to be signed into the address (also with Microsoft Entra ID:
    Azure/azure-powershell#15152).
    Raises BlobMissing if there is no source, BlobsUnavailable.
    """
    async with call(timeout_s):
        try:
            started = await to.start_copy_from_url(source.url)
        except ResourceNotFoundError as cause:
            if getattr(cause, "error_code", None) == StorageErrorCode.CANNOT_VERIFY_COPY_SOURCE:
                raise BlobMissing("there is no such blob") from cause
            raise
    status = str(started["copy_status"])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            while status == "pending":
                await asyncio.sleep(LOOK_EVERY_S)
                async with call(timeout_s):
                    status = str((await to.get_blob_properties()).copy.status)
    if status == "success":
        return
    if status == "pending":
        await _give_up(to, str(started["copy_id"]), timeout_s)
    raise BlobsUnavailable(f"the copy of a blob was {status} after at most {wait_s:g} s")


async def _give_up(to: BlobClient, copy_id: str, timeout_s: float) -> None:
    """Abort a copy. If that fails it may end after all: a blob that no record names, and is swept."""
    with contextlib.suppress(BlobMissing, BlobsUnavailable):
        async with call(timeout_s):
            await to.abort_copy(copy_id)
