"""Jobs, their parts and their results in Azure Cosmos DB; the only importer of its SDK.

Owns the calls, their time limit and the translation of errors. What is written, and under which condition, is decided
in `claimcheck.writes`. Every call takes at most `timeout_s` and raises RecordsUnavailable beyond it: the write may then
have happened or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosBatchOperationError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)
from azure.identity.aio import DefaultAzureCredential

from claimcheck.errors import ConditionFailed, ItemRefused, RecordExists, RecordMissing, RecordsUnavailable
from claimcheck.job import JOB_ITEM_ID, Job, PartItem, ResultItem, Tombstone
from claimcheck.settings import RecordSettings
from claimcheck.transport import http_transport
from claimcheck.writes import Write

BATCH_RETRIES = 20
BATCH_RETRY_S = 0.04  # 449 means "a concurrent write of this partition won"; the SDK does not retry it.


class Records:
    """The container `jobs`. Safe to share between coroutines; opens itself at the first call."""

    def __init__(self, settings: RecordSettings, *, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._opening = asyncio.Lock()
        self._client: CosmosClient | None = None
        self._credential: DefaultAzureCredential | None = None
        self._container: ContainerProxy | None = None

    async def create_job(self, job: Job) -> Job:
        """Create the record of a new job. Raises RecordExists, also when our own create is repeated by the SDK."""
        async with self._call() as container:
            return Job.model_validate(await container.create_item(job.model_dump(mode="json")))

    async def read(self, tenant: str, job_id: str) -> Job | Tombstone | None:
        """The record as it is now (the account is Strong), or None."""
        try:
            async with self._call() as container:
                item = await container.read_item(JOB_ITEM_ID, partition_key=[tenant, job_id])
        except RecordMissing:
            return None
        return Tombstone.model_validate(item) if item["kind"] == "tombstone" else Job.model_validate(item)

    async def delete_unchanged(self, job: Job) -> None:
        """Delete the record if nobody has written it since `job` was read. Raises ConditionFailed, RecordMissing."""
        async with self._call() as container:
            await container.delete_item(
                JOB_ITEM_ID,
                partition_key=[job.tenant, job.job_id],
                etag=job.etag,
                match_condition=MatchConditions.IfNotModified,
            )

    async def write(self, tenant: str, job_id: str, write: Write) -> Job:
        """Patch the job item; the record as it is afterwards. Raises ConditionFailed, RecordMissing."""
        conditions: dict[str, Any] = {"filter_predicate": f"FROM c WHERE {write.condition}"} if write.condition else {}
        if write.etag:
            conditions |= {"etag": write.etag, "match_condition": MatchConditions.IfNotModified}
        async with self._call() as container:
            item = await container.patch_item(
                JOB_ITEM_ID, partition_key=[tenant, job_id], patch_operations=write.operations(), **conditions
            )
        return Job.model_validate(item)

    async def write_with(self, item: ResultItem | PartItem, write: Write) -> Job:
        """Create `item` and patch its job, both or neither; the record as it is afterwards.

        Raises RecordExists if the item is there, ConditionFailed if the job's condition does not hold.
        """
        assert write.condition, "a batch checks the job by condition"
        batch = [
            ("create", (item.model_dump(mode="json"),)),
            (
                "patch",
                (JOB_ITEM_ID, write.operations()),
                {"filter_predicate": f"FROM c WHERE {write.condition}"},
            ),
        ]
        for _ in range(BATCH_RETRIES):
            try:
                return await self._execute(batch, [item.tenant, item.job_id])
            except _RetryWith:
                await asyncio.sleep(BATCH_RETRY_S * random.random())
        raise RecordsUnavailable(f"other writes of the job won {BATCH_RETRIES} times")

    async def _execute(self, batch: list[Any], partition: Sequence[str]) -> Job:
        async with self._call() as container:
            try:
                answers = await container.execute_item_batch(batch, partition_key=list(partition))
            except CosmosBatchOperationError as cause:
                raise _of_batch(cause) from cause
        return Job.model_validate(answers[1]["resourceBody"])

    async def part_done(self, tenant: str, job_id: str, stage: str, part: int) -> bool:
        """Whether the part's item exists."""
        try:
            async with self._call() as container:
                await container.read_item(PartItem.id_of(stage, part), partition_key=[tenant, job_id])
        except RecordMissing:
            return False
        return True

    async def parts_done(self, tenant: str, job_id: str, stage: str) -> set[int]:
        """The numbers of a stage's finished parts."""
        rows = self._query("SELECT c.part FROM c WHERE c.kind = 'part' AND c.stage = @stage", tenant, job_id, stage)
        return {row["part"] for row in await rows}

    async def parts(self, tenant: str, job_id: str, stage: str) -> list[PartItem]:
        """A stage's finished parts, in order."""
        rows = self._query("SELECT * FROM c WHERE c.kind = 'part' AND c.stage = @stage", tenant, job_id, stage)
        return sorted([PartItem.model_validate(row) for row in await rows], key=lambda item: item.part)

    async def _query(self, text: str, tenant: str, job_id: str, stage: str) -> list[dict[str, Any]]:
        parameters: list[dict[str, object]] = [{"name": "@stage", "value": stage}]
        async with self._call() as container:
            rows = container.query_items(text, parameters=parameters, partition_key=[tenant, job_id])
            return [row async for row in rows]

    async def read_result(self, tenant: str, job_id: str, item: str) -> dict[str, Any]:
        """The result in a result item. Raises RecordMissing."""
        async with self._call() as container:
            found = await container.read_item(item, partition_key=[tenant, job_id])
        return ResultItem.model_validate(found).result

    async def ping(self) -> None:
        """Raises RecordsUnavailable unless the container answers."""
        async with self._call() as container:
            await container.read()

    async def close(self) -> None:
        """Close every connection."""
        for opened in (self._client, self._credential):
            if opened is not None:
                await opened.close()
        self._client = self._credential = self._container = None

    @contextlib.asynccontextmanager
    async def _call(self) -> AsyncIterator[ContainerProxy]:
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


class _RetryWith(Exception):
    """A batch lost against a concurrent write (449)."""


_NO_OWNER = 1003  # Sub-status of 404: not the item is missing, but its container or database.
_NEVER = (400, 413)


def _of_batch(error: CosmosBatchOperationError) -> Exception:
    failed = error.status_code
    if failed == 449:
        return _RetryWith()
    if failed == 409:
        return RecordExists("the item exists")
    if failed == 412:
        return ConditionFailed("the job is not what its writer took it for")
    if failed == 404:
        return RecordMissing("there is no such job")
    if failed in _NEVER:
        return ItemRefused(f"Cosmos DB refused an item of the batch with {failed}")
    return RecordsUnavailable(f"Cosmos DB answered {failed} to a batch")


def _translated(error: CosmosHttpResponseError) -> Exception:
    if isinstance(error, CosmosResourceExistsError):
        return RecordExists("the item exists")
    if isinstance(error, CosmosResourceNotFoundError) and error.sub_status != _NO_OWNER:
        return RecordMissing("there is no such item")
    if isinstance(error, CosmosAccessConditionFailedError):
        return ConditionFailed("the item is not what its writer took it for")
    if error.status_code in _NEVER:
        return ItemRefused(f"Cosmos DB refused the item with {error.status_code}")
    return RecordsUnavailable(f"Cosmos DB answered {error.status_code}")
