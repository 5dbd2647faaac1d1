"""A blob is copied inside the account."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.storage.blob.aio import ContainerClient

from claimcheck.blobs import Blobs
from claimcheck.errors import BlobMissing, BlobsUnavailable
from claimcheck.settings import BlobSettings, Settings
from tests.services.client.scripted import Answer, scripted

ACCOUNT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;BlobEndpoint={url}/devstoreaccount1"
)
PENDING = {"x-ms-copy-id": "a-copy", "x-ms-copy-status": "pending"}
DONE = {**PENDING, "x-ms-copy-status": "success"}


@pytest.fixture
async def blobs(settings: Settings) -> AsyncIterator[Blobs]:
    """The test's own container."""
    opened = Blobs(settings.blobs, timeout_s=10)
    yield opened
    await opened.close()


async def test_copy_has_the_bytes_and_the_type_and_outlives_the_source(blobs: Blobs, settings: Settings) -> None:
    content = bytes(range(256)) * 4096 * 5  # More than one block.
    writer = blobs.writer("uploads/a")
    await writer.write(content)
    await writer.finish("audio/mpeg")
    await blobs.copy("uploads/a", "uploads/b")
    await blobs.delete("uploads/a")
    assert b"".join([chunk async for chunk in blobs.read("uploads/b")]) == content
    assert settings.blobs.connection_string is not None
    address = settings.blobs.connection_string.get_secret_value()
    async with ContainerClient.from_connection_string(address, settings.blobs.container) as container:
        properties = await container.get_blob_client("uploads/b").get_blob_properties()
    assert properties.content_settings.content_type == "audio/mpeg"


async def test_source_that_is_gone_is_missing(blobs: Blobs) -> None:
    with pytest.raises(BlobMissing):
        await blobs.copy("uploads/a", "uploads/b")
    assert not await blobs.exists("uploads/b")


async def test_container_that_is_gone_is_an_outage(blobs: Blobs, settings: Settings) -> None:
    assert settings.blobs.connection_string is not None
    address = settings.blobs.connection_string.get_secret_value()
    async with ContainerClient.from_connection_string(address, settings.blobs.container) as container:
        await container.delete_container()
    with pytest.raises(BlobsUnavailable):
        await blobs.copy("uploads/a", "uploads/b")
    with pytest.raises(BlobsUnavailable):
        await blobs.exists("uploads/a")


async def copied(*answers: Answer, wait_s: float = 20.0) -> list[str]:
    """Copy where the storage answers so: Azurite is always done at once. What was asked."""
    with scripted(*answers) as server:
        settings = BlobSettings.model_validate({"connection_string": ACCOUNT.format(url=server.url)})
        blobs = Blobs(settings, timeout_s=10, block_timeout_s=wait_s)
        try:
            await blobs.copy("a", "b")
        finally:
            await blobs.close()
            asked = [one.first_line.partition("?")[0].split(" ")[0] for one in server.asked]
        return asked


async def test_copy_that_takes_longer_is_waited_for() -> None:
    asked = await copied(Answer(202, b"", PENDING), Answer(200, b"", PENDING), Answer(200, b"", DONE))
    assert asked == ["PUT", "HEAD", "HEAD"]


async def test_copy_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(BlobsUnavailable, match=r"pending after at most 0\.7 s"):
        await copied(Answer(202, b"", PENDING), *[Answer(200, b"", PENDING)] * 20, wait_s=0.7)


async def test_copy_that_fails_is_an_outage() -> None:
    with pytest.raises(BlobsUnavailable, match="failed"):
        await copied(Answer(202, b"", PENDING), Answer(200, b"", {**PENDING, "x-ms-copy-status": "failed"}))
