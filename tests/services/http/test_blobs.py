"""claimcheck/blobs against Azurite: a missing container is an outage, never a missing blob."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.storage.blob.aio import ContainerClient

from claimcheck.blobs import Blobs
from claimcheck.errors import BlobMissing, BlobsUnavailable
from claimcheck.settings import Settings
from tests.services.http.conftest import BLOCK_BYTES


@pytest.fixture
def block_settings(settings: Settings) -> Settings:
    """Settings with small blocks."""
    return settings.model_copy(update={"blobs": settings.blobs.model_copy(update={"block_bytes": BLOCK_BYTES})})


@pytest.fixture
async def blobs(block_settings: Settings) -> AsyncIterator[Blobs]:
    """The test's own container."""
    opened = Blobs(block_settings.blobs, timeout_s=10)
    yield opened
    await opened.close()


@pytest.fixture
async def lost(blobs: Blobs, block_settings: Settings) -> Blobs:
    """The same after somebody has deleted the container."""
    await delete_container(block_settings)
    return blobs


async def delete_container(settings: Settings) -> None:
    """Delete the container behind the component's back."""
    assert settings.blobs.connection_string is not None
    address = settings.blobs.connection_string.get_secret_value()
    async with ContainerClient.from_connection_string(address, settings.blobs.container) as container:
        await container.delete_container()


async def content(blobs: Blobs, name: str) -> bytes:
    """A blob's bytes."""
    return b"".join([chunk async for chunk in blobs.read(name)])


async def test_blob_that_is_not_there_is_missing_and_may_be_deleted(blobs: Blobs) -> None:
    await blobs.put("there", b"hello", "text/plain")
    assert await content(blobs, "there") == b"hello"
    await blobs.delete("there")
    with pytest.raises(BlobMissing):
        await content(blobs, "there")
    await blobs.delete("there")
    await blobs.ping()


async def test_ping_says_that_the_container_is_missing(lost: Blobs) -> None:
    with pytest.raises(BlobsUnavailable, match="no such container"):
        await lost.ping()


async def test_nothing_can_be_said_of_a_blob_without_its_container(lost: Blobs) -> None:
    with pytest.raises(BlobsUnavailable, match="no such container"):
        await content(lost, "there")
    with pytest.raises(BlobsUnavailable, match="no such container"):
        await lost.delete("there")


@pytest.mark.parametrize("size_bytes", [1, 2 * BLOCK_BYTES], ids=["one request", "in blocks"])
async def test_write_without_a_container_is_unavailable(lost: Blobs, size_bytes: int) -> None:
    writer = lost.writer("there")
    await writer.write(b"x" * size_bytes)  # two blocks at most: they travel, and nothing waits for them yet
    with pytest.raises(BlobsUnavailable, match="no such container"):
        await writer.finish("text/plain")
    await writer.discard()


async def test_small_blob_without_a_container_is_unavailable(lost: Blobs) -> None:
    with pytest.raises(BlobsUnavailable, match="no such container"):
        await lost.put("there", b"hello", "text/plain")


async def test_commit_without_a_container_is_unavailable(blobs: Blobs, block_settings: Settings) -> None:
    writer = blobs.writer("there")
    await writer.write(b"x" * (2 * BLOCK_BYTES))
    await delete_container(block_settings)
    with pytest.raises(BlobsUnavailable):
        await writer.finish("text/plain")
    await writer.discard()
