"""Create what Terraform creates on Azure: the blob container, and the database with its container of jobs.

Queues are not made here: the Service Bus emulator reads them from `infra/local/Config.json`, as Microsoft's does.
This is the one place outside blobs.py and records.py that imports their SDKs: creating is no part of serving.
"""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.storage.blob.aio import BlobServiceClient

from claimcheck.commands.up.errors import NotProvisioned
from claimcheck.settings import BlobSettings, RecordSettings, Settings

NO_DEFAULT_TTL = -1  # TTL is on, and each item says its own
PARTITION_KEY = ("/tenant", "/job_id")
# What a tenant's list of jobs is ordered by, which Cosmos DB refuses without this index.
NEWEST_FIRST = [{"path": path, "order": "descending"} for path in ("/tenant", "/created_at", "/job_id")]
# The same for dead letters; no other item has both.
NEWEST_LETTERS_FIRST = [{"path": path, "order": "descending"} for path in ("/stored_at", "/id")]
INDEXING: dict[str, Any] = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}, {"path": "/result/*"}, {"path": "/options/*"}],
    "compositeIndexes": [NEWEST_FIRST, NEWEST_LETTERS_FIRST],
}


async def provision(settings: Settings) -> None:
    """Make the containers that are missing, and bring those of an earlier release up to date.

    Safe to repeat. Raises NotProvisioned.
    """
    try:
        await create_blob_container(settings.blobs)
        await create_records_container(settings.records)
    except AzureError as cause:
        raise NotProvisioned(f"the containers could not be made: {cause}") from cause


async def create_blob_container(blobs: BlobSettings) -> None:
    """Make the blob container unless it is there."""
    assert blobs.connection_string is not None, "only local services are provisioned here; on Azure it is Terraform"
    async with BlobServiceClient.from_connection_string(blobs.connection_string.get_secret_value()) as service:
        try:
            await service.create_container(blobs.container)
        except ResourceExistsError:
            return


async def create_records_container(records: RecordSettings) -> None:
    """Make the database and its container unless they are there; a container keeps its items and gets this index."""
    assert records.key is not None, "only local services are provisioned here; on Azure it is Terraform"
    partition_key = PartitionKey(path=list(PARTITION_KEY), kind="MultiHash")
    async with CosmosClient(records.endpoint, credential=records.key.get_secret_value()) as client:
        database = await client.create_database_if_not_exists(records.database)
        container = await database.create_container_if_not_exists(
            records.container, partition_key=partition_key, default_ttl=NO_DEFAULT_TTL, indexing_policy=INDEXING
        )
        if (await container.read())["indexingPolicy"] != INDEXING:
            await database.replace_container(
                container, partition_key=partition_key, default_ttl=NO_DEFAULT_TTL, indexing_policy=INDEXING
            )
