"""claimcheck/blobs/writing.py against Azurite: blocks ahead are shared, given back, and nobody waits for another's."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from azure.storage.blob.aio import ContainerClient

from claimcheck.blobs.writing import STAGED_AT_ONCE, Ahead, BlobWriter, Limits
from claimcheck.errors import BlobsUnavailable
from claimcheck.settings import Settings
from tests.services.http.conftest import BLOCK_BYTES
from tests.stack.azurite import AzuriteProcess
from tests.stack.waiting import eventually

CONTENT = random.Random(0).randbytes(5 * BLOCK_BYTES + 5)

NewWriter = Callable[[Ahead], BlobWriter]


@pytest.fixture
async def container(settings: Settings) -> AsyncIterator[ContainerClient]:
    """The test's own container."""
    assert settings.blobs.connection_string is not None
    address = settings.blobs.connection_string.get_secret_value()
    async with ContainerClient.from_connection_string(address, settings.blobs.container) as client:
        yield client


@pytest.fixture
def new_writer(container: ContainerClient) -> NewWriter:
    """A writer of the blob `there` that stages as far ahead as it is told."""
    limits = Limits(BLOCK_BYTES, block_s=10, other_s=10)
    return lambda ahead: BlobWriter(container.get_blob_client("there"), ahead, limits)


def room(ahead: Ahead) -> int:
    """How many blocks may still be taken."""
    taken = 0
    while ahead.take():
        taken += 1
    for _ in range(taken):
        ahead.give_back()
    return taken


@pytest.mark.parametrize("blocks", [0, 1, 16])
@pytest.mark.parametrize("chunk_bytes", [1000, BLOCK_BYTES, 3 * BLOCK_BYTES + 1])
async def test_what_is_stored_does_not_depend_on_the_room_ahead(
    container: ContainerClient, new_writer: NewWriter, blocks: int, chunk_bytes: int
) -> None:
    ahead = Ahead(blocks)
    writer = new_writer(ahead)
    for begin in range(0, len(CONTENT), chunk_bytes):
        await writer.write(CONTENT[begin : begin + chunk_bytes])
    await writer.finish("text/plain")
    stored = await container.download_blob("there")
    assert await stored.readall() == CONTENT
    assert room(ahead) == blocks


async def test_discarded_upload_gives_its_room_back(new_writer: NewWriter, azurite: AzuriteProcess) -> None:
    ahead = Ahead(8)
    writer = new_writer(ahead)
    azurite.pause()
    try:
        await writer.write(CONTENT[: STAGED_AT_ONCE * BLOCK_BYTES + 1])
        assert room(ahead) == 8 - STAGED_AT_ONCE
        await writer.discard()
        assert room(ahead) == 8
    finally:
        azurite.resume()


async def test_failed_block_gives_its_room_back_and_fails_the_upload(
    container: ContainerClient, new_writer: NewWriter
) -> None:
    await container.delete_container()
    ahead = Ahead(8)
    with pytest.raises(BlobsUnavailable, match="no such container"):
        await new_writer(ahead).write(CONTENT)

    async def given_back() -> bool:
        return room(ahead) == 8

    await eventually(given_back, "all blocks are given back")


async def test_failure_that_nobody_waits_for_is_no_warning(container: ContainerClient, new_writer: NewWriter) -> None:
    await container.delete_container()
    ahead, warned = Ahead(8), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: warned.append(context))
    writer = new_writer(ahead)
    await writer.write(CONTENT[: STAGED_AT_ONCE * BLOCK_BYTES + 1])
    assert room(ahead) == 8 - STAGED_AT_ONCE
    del writer

    async def given_back() -> bool:
        return room(ahead) == 8

    await eventually(given_back, "all blocks have failed")
    gc.collect()
    assert warned == []
