"""Records by query: a tenant's jobs, newest first, and the keeper's tombstones.

A prefix query over several physical partitions is only concatenated by the SDK. So each range is asked for its first
k, and we merge; the answer of every range is already in order.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.cosmos.aio import ContainerProxy

from claimcheck.job import Job, Status, Tombstone, timestamp
from claimcheck.records.connection import Connection


@dataclass(frozen=True)
class Position:
    """Where a page ends: its last job's `created_at` and id. Text order of both together is list order, reversed."""

    created_at: datetime
    job_id: str


@dataclass(frozen=True)
class Wanted:
    """Which of a tenant's jobs; None: all."""

    status: Status | None = None
    task: str | None = None


class Lists:
    """Queries over more than one job."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def jobs(self, tenant: str, wanted: Wanted, *, limit: int, after: Position | None) -> list[Job]:
        """Up to `limit` jobs, newest first, of those behind `after`. Raises RecordsUnavailable."""
        text, parameters = _query(tenant, wanted, limit=limit, after=after)
        async with self._connection.call() as container:
            answers = [
                [
                    Job.model_validate(row)
                    async for row in container.query_items(text, parameters=parameters, feed_range=r)
                ]
                async for r in _ranges(container, tenant)
            ]
        newest_first = heapq.merge(*answers, key=lambda job: (timestamp(job.created_at), job.job_id), reverse=True)
        return list(newest_first)[:limit]

    async def tombstones(self, *, erased_before: datetime) -> list[Tombstone]:
        """Tombstones whose second erase is due, of every tenant; only the keeper asks across tenants."""
        text = "SELECT * FROM c WHERE c.kind = 'tombstone' AND c.swept = false AND c.erased_at < @at"
        parameters: list[dict[str, object]] = [{"name": "@at", "value": timestamp(erased_before)}]
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
    where = " AND ".join(conditions)
    text = f"SELECT TOP @limit * FROM c WHERE {where} ORDER BY c.created_at DESC, c.job_id DESC"
    return text, [{"name": name, "value": value} for name, value in values.items()]


async def _ranges(container: ContainerProxy, tenant: str) -> AsyncIterator[dict[str, Any]]:
    """The physical partitions that may hold jobs of the tenant: the one that holds them all if there is one."""
    own = await container.feed_range_from_partition_key([tenant])
    every = [feed_range async for feed_range in container.read_feed_ranges()]
    for feed_range in every:
        if await container.is_feed_range_subset(feed_range, own):
            yield feed_range
            return
    for feed_range in every:
        yield feed_range
