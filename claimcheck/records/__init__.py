"""Jobs, their parts and their results in Azure Cosmos DB; this package is the only importer of its SDK.

Owns the calls, their time limit and the translation of errors. What is written, and under which condition, is decided
in `claimcheck.writes`. Every call takes at most `timeout_s` and raises RecordsUnavailable beyond it: the write may then
have happened or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.cosmos.exceptions import CosmosBatchOperationError

from claimcheck.dead_letters import DeadLetter
from claimcheck.errors import ConditionFailed, ItemRefused, RecordExists, RecordMissing, RecordsUnavailable
from claimcheck.job import JOB_ITEM_ID, Job, PartItem, ResultItem, Tombstone, timestamp, tombstone
from claimcheck.records.asked import AskedItems
from claimcheck.records.connection import NEVER, Connection
from claimcheck.records.letters import Letters
from claimcheck.records.lists import Lists
from claimcheck.settings import RecordSettings
from claimcheck.writes import Write

BATCH_RETRIES = 20
BATCH_RETRY_S = 0.04  # 449 means "a concurrent write of this partition won"; the SDK does not retry it.


class Records:
    """The container `jobs`. Safe to share between coroutines; opens itself at the first call."""

    def __init__(self, settings: RecordSettings, *, timeout_s: float) -> None:
        """`timeout_s`: time limit of one call."""
        self._connection = Connection(settings, timeout_s=timeout_s)
        self._call = self._connection.call
        self.lists = Lists(self._connection)
        self.letters = Letters(self._connection, self.lists)
        self.asked = AskedItems(self._connection)

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

    async def bury(self, job: Job, now: datetime) -> Tombstone:
        """Replace the record by a tombstone if nobody has written it since `job` was read.

        Raises ConditionFailed, RecordMissing; a tombstone of our own may be there all the same (its answer was lost).
        """
        async with self._call() as container:
            item = await container.replace_item(
                JOB_ITEM_ID,
                tombstone(job, now).model_dump(mode="json"),
                etag=job.etag,
                match_condition=MatchConditions.IfNotModified,
            )
        return Tombstone.model_validate(item)

    async def mark_swept(self, buried: Tombstone) -> None:
        """Note on a tombstone that the second erase has been. Raises ConditionFailed, RecordMissing."""
        async with self._call() as container:
            await container.patch_item(
                JOB_ITEM_ID,
                partition_key=[buried.tenant, buried.job_id],
                patch_operations=[{"op": "set", "path": "/swept", "value": True}],
                etag=buried.etag,
                match_condition=MatchConditions.IfNotModified,
            )

    async def erase_others(self, tenant: str, job_id: str) -> None:
        """Delete every item of the job but its record: parts, results, what was asked. Raises RecordsUnavailable."""
        async with self._call() as container:
            rows = container.query_items(
                "SELECT c.id FROM c WHERE c.kind != 'job' AND c.kind != 'tombstone'", partition_key=[tenant, job_id]
            )
            ids = [row["id"] async for row in rows]
        for item_id in ids:
            with contextlib.suppress(RecordMissing):
                async with self._call() as container:
                    await container.delete_item(item_id, partition_key=[tenant, job_id])

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

    async def keep_letter(self, letter: DeadLetter) -> None:
        """Keep a dead letter; nothing happens if it is kept already. Raises RecordsUnavailable."""
        with contextlib.suppress(RecordExists):
            async with self._call() as container:
                await container.create_item(letter.model_dump(mode="json"))

    async def part_done(self, job: Job, stage: str, part: int) -> bool:
        """Whether the part's item exists."""
        try:
            async with self._call() as container:
                await container.read_item(PartItem.id_of(job, stage, part), partition_key=[job.tenant, job.job_id])
        except RecordMissing:
            return False
        return True

    async def parts_done(self, job: Job, stage: str) -> set[int]:
        """The numbers of a stage's finished parts."""
        return {row["part"] for row in await self._query_parts("c.part", job, stage)}

    async def parts(self, job: Job, stage: str) -> list[PartItem]:
        """A stage's finished parts, in order."""
        rows = await self._query_parts("*", job, stage)
        return sorted([PartItem.model_validate(row) for row in rows], key=lambda item: item.part)

    async def _query_parts(self, what: str, job: Job, stage: str) -> list[dict[str, Any]]:
        text = f"SELECT {what} FROM c WHERE c.kind = 'part' AND c.stage = @stage AND c.job_created_at = @created_at"
        values = {"@stage": stage, "@created_at": timestamp(job.created_at)}
        parameters: list[dict[str, object]] = [{"name": name, "value": value} for name, value in values.items()]
        async with self._call() as container:
            rows = container.query_items(text, parameters=parameters, partition_key=[job.tenant, job.job_id])
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
        await self._connection.close()


class _RetryWith(Exception):
    """A batch lost against a concurrent write (449)."""


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
    if failed in NEVER:
        return ItemRefused(f"Cosmos DB refused an item of the batch with {failed}")
    return RecordsUnavailable(f"Cosmos DB answered {failed} to a batch")
