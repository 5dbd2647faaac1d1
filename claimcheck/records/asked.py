"""What models were asked for a job, and answered: one item a question, beside the job."""

from __future__ import annotations

from azure.core import MatchConditions

from claimcheck.job import Job, timestamp
from claimcheck.language import Asked
from claimcheck.records.connection import Connection


class AskedItems:
    """The questions of every job. Every call raises RecordsUnavailable beyond its time limit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, asked: Asked) -> Asked:
        """Create the item. Raises RecordExists, also when our own create is repeated by the SDK; ItemRefused."""
        async with self._connection.call() as container:
            return Asked.model_validate(await container.create_item(asked.model_dump(mode="json")))

    async def read(self, asked: Asked) -> Asked:
        """The item as it is now. Raises RecordMissing."""
        async with self._connection.call() as container:
            found = await container.read_item(asked.id, partition_key=[asked.tenant, asked.job_id])
        return Asked.model_validate(found)

    async def replace(self, asked: Asked) -> Asked:
        """Replace the item if nobody has written it since `asked` was read.

        Raises ConditionFailed, also when our own write is repeated by the SDK; RecordMissing, ItemRefused.
        """
        async with self._connection.call() as container:
            item = await container.replace_item(
                asked.id,
                asked.model_dump(mode="json"),
                etag=asked.etag,
                match_condition=MatchConditions.IfNotModified,
            )
        return Asked.model_validate(item)

    async def of_job(self, job: Job) -> list[Asked]:
        """Everything that was asked for the job, by stage, part and question."""
        text = "SELECT * FROM c WHERE c.kind = 'asked' AND c.job_created_at = @created_at"
        parameters: list[dict[str, object]] = [{"name": "@created_at", "value": timestamp(job.created_at)}]
        async with self._connection.call() as container:
            rows = container.query_items(text, parameters=parameters, partition_key=[job.tenant, job.job_id])
            found = [Asked.model_validate(row) async for row in rows]
        return sorted(found, key=lambda asked: (asked.stage, -1 if asked.part is None else asked.part, asked.name))
