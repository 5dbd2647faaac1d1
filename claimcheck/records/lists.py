"""Records by query: a tenant's jobs, newest first, and the keeper's tombstones.

A prefix query over several physical partitions is only concatenated by the SDK. So each range is asked for its first
k, and we sort what they say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from azure.cosmos.aio import ContainerProxy

from claimcheck.job import Job, Tombstone, timestamp
from claimcheck.listing import Position, Wanted
from claimcheck.records.connection import Connection


class Lists:
    """Queries over more than one job."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def jobs(self, tenant: str, wanted: Wanted, *, limit: int, after: Position | None) -> list[Job]:
        """Up to `limit` jobs, newest first, of those behind `after`. Raises RecordsUnavailable."""
        text, parameters = _query(tenant, wanted, limit=limit, after=after)

        async def of_range(container: ContainerProxy, feed_range: dict[str, Any]) -> list[Job]:
            rows = container.query_items(text, parameters=parameters, feed_range=feed_range)
            return [Job.model_validate(row) async for row in rows]

        async with self._connection.call() as container:
            ranges = await _ranges(container, tenant)
            answers = await asyncio.gather(*(of_range(container, feed_range) for feed_range in ranges))
        found = [job for answer in answers for job in answer]
        # Sorted, not merged: a range that has just been split answers in two pieces.
        return sorted(found, key=lambda job: (timestamp(job.created_at), job.job_id), reverse=True)[:limit]

    async def tombstones(self, *, erased_before: datetime, limit: int) -> list[Tombstone]:
        """Up to `limit` tombstones of each range, of every tenant, whose second erase is due.

        Only the keeper asks across tenants.
        """
        text = "SELECT TOP @limit * FROM c WHERE c.kind = 'tombstone' AND c.swept = false AND c.erased_at < @at"
        parameters: list[dict[str, object]] = [
            {"name": "@limit", "value": limit},
            {"name": "@at", "value": timestamp(erased_before)},
        ]
        async with self._connection.call() as container:
            return [
                Tombstone.model_validate(row)
                async for feed_range in container.read_feed_ranges()
                async for row in container.query_items(text, parameters=parameters, feed_range=feed_range)
            ]


def _query(tenant: str, wanted: Wanted, *, limit: int, after: Position | None) -> tuple[str, list[dict[str, object]]]:
    conditions = ["c.tenant = @tenant", "c.kind = 'job'"]
    values: dict[str, object] = {"@tenant": tenant, "@limit": limit}
    if wanted.status is not None:
        conditions.append("c.status = @status")
        values["@status"] = wanted.status
    if wanted.task is not None:
        conditions.append("c.task = @task")
        values["@task"] = wanted.task
    if after is not None:
        conditions.append("(c.created_at < @at OR (c.created_at = @at AND c.job_id < @id))")
        values |= {"@at": timestamp(after.created_at), "@id": after.job_id}
    # The tenant is one value, so it orders nothing; with it the composite index serves filter and order together, and
    # no job of another tenant is looked at.
    order = "c.tenant DESC, c.created_at DESC, c.job_id DESC"
    text = f"SELECT TOP @limit * FROM c WHERE {' AND '.join(conditions)} ORDER BY {order}"
    return text, [{"name": name, "value": value} for name, value in values.items()]


async def _ranges(container: ContainerProxy, tenant: str) -> Sequence[dict[str, Any]]:
    """The physical partitions that may hold jobs of the tenant: the one that holds them all if there is one."""
    own = await container.feed_range_from_partition_key([tenant])
    every = [feed_range async for feed_range in container.read_feed_ranges()]
    for feed_range in every:
        if await container.is_feed_range_subset(feed_range, own):
            return [feed_range]
    return every
