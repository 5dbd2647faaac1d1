"""The open container of records: its client, the time limit of each call, and the SDK's errors as ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from azure.core.exceptions import AzureError
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)
from azure.identity.aio import DefaultAzureCredential

from claimcheck.errors import ConditionFailed, ItemRefused, RecordExists, RecordMissing, RecordsUnavailable
from claimcheck.settings import RecordSettings
from claimcheck.transport import http_transport

NO_OWNER = 1003  # Sub-status of 404: not the item is missing, but its container or database.
NO_ACCESS = (401, 403)  # A wrong key, or a role that is not assigned yet: it may be in minutes.
NEVER = (400, 413)  # Statuses that say: this item can never be written.


class Connection:
    """One container. Safe to share between coroutines; opens itself at the first call."""

    def __init__(self, settings: RecordSettings, *, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._opening = asyncio.Lock()
        self._client: CosmosClient | None = None
        self._credential: DefaultAzureCredential | None = None
        self._container: ContainerProxy | None = None

    async def close(self) -> None:
        """Close every connection."""
        for opened in (self._client, self._credential):
            if opened is not None:
                await opened.close()
        self._client = self._credential = self._container = None

    @contextlib.asynccontextmanager
    async def call(self) -> AsyncIterator[ContainerProxy]:
        """The open container, with the time limit and our errors around what is done with it."""
        try:
            async with asyncio.timeout(self._timeout_s):
                yield self._container or await self._open()
        except CosmosHttpResponseError as cause:
            raise _translated(cause) from cause
        except TimeoutError as cause:
            raise RecordsUnavailable(f"Cosmos DB did not answer within {self._timeout_s:g} s") from cause
        except AzureError as cause:
            raise RecordsUnavailable(f"Cosmos DB cannot be reached: {type(cause).__name__}") from cause

    async def _open(self) -> ContainerProxy:
        async with self._opening:
            if self._container is not None:
                return self._container
            client = CosmosClient(self._settings.endpoint, credential=self._credentials(), transport=http_transport())
            try:
                await client.__aenter__()
            except BaseException:
                await client.close()
                raise
            self._client = client
            database = client.get_database_client(self._settings.database)
            self._container = database.get_container_client(self._settings.container)
            return self._container

    def _credentials(self) -> Any:
        if self._settings.key is not None:
            return self._settings.key.get_secret_value()
        self._credential = self._credential or DefaultAzureCredential()
        return self._credential


def _translated(error: CosmosHttpResponseError) -> Exception:
    if isinstance(error, CosmosResourceExistsError):
        return RecordExists("the item exists")
    if isinstance(error, CosmosResourceNotFoundError) and error.sub_status != NO_OWNER:
        return RecordMissing("there is no such item")
    if isinstance(error, CosmosAccessConditionFailedError):
        return ConditionFailed("the item is not what its writer took it for")
    if error.status_code in NEVER:
        return ItemRefused(f"Cosmos DB refused the item with {error.status_code}")
    if error.status_code in NO_ACCESS:
        return RecordsUnavailable(f"Cosmos DB refuses access: {error.status_code}")
    return RecordsUnavailable(f"Cosmos DB answered {error.status_code}")
