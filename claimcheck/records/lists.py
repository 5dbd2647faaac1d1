"""Records by query: a tenant's jobs, newest first, and what the keeper looks for among those of all tenants.

A prefix query over several physical partitions is only concatenated by the SDK. So each range is asked for its first
k, and we sort what they say.

A row that this release cannot read, since a newer one wrote it, must not keep the keeper from all the others: it is
passed over, and said so once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from azure.cosmos.aio import ContainerProxy
from pydantic import ValidationError

from claimcheck.job import Job, Stored, Tombstone, timestamp
from claimcheck.listing import Position, Wanted
from claimcheck.records.connection import Connection
from claimcheck.writes import OUTSIDER

PLACE = ("task", "stage")

Row = TypeVar("Row", bound=Stored)

log = logging.getLogger(__name__)


class Lists:
    """Queries over more than one job."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._told_of_unreadable = False

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

    async def forgotten(self, stages: Collection[tuple[str, str]], *, moved_before: datetime, limit: int) -> list[Job]:
        """Up to `limit` unended jobs of each range in one of these (task, stage), of every tenant, that have neither
        moved nor come due since `moved_before`; those that have waited longest first. Raises RecordsUnavailable.
        """
        places = " OR ".join(f"(c.task = @task{n} AND c.stage = @stage{n})" for n in range(len(stages)))
        named = {f"@{what}{n}": name for n, place in enumerate(stages) for what, name in zip(PLACE, place, strict=True)}
        return await self._unmoved(f"AND ({places})", named, moved_before=moved_before, limit=limit)

    async def overdue(self, *, now: datetime, limit: int) -> list[Job]:
        """Up to `limit` unended jobs of each range, of every tenant, past their deadline. Raises RecordsUnavailable."""
        text = f"SELECT TOP @limit * FROM c WHERE c.kind = 'job' AND {OUTSIDER} AND c.deadline_at < @now"
        rows = await self.every_range(text, {"@limit": limit, "@now": timestamp(now)})
        return self.readable(Job, rows)

    async def unmoved(self, *, moved_before: datetime, limit: int) -> list[Job]:
        """Up to `limit` unended jobs, of every tenant and task, that have neither moved nor come due since then; those
        that have waited longest first. Raises RecordsUnavailable.
        """
        return await self._unmoved("", {}, moved_before=moved_before, limit=limit)

    async def _unmoved(
        self, where: str, named: Mapping[str, object], *, moved_before: datetime, limit: int
    ) -> list[Job]:
        text = (
            f"SELECT TOP @limit * FROM c WHERE c.kind = 'job' AND {OUTSIDER} AND c.moved_at < @before"
            f" AND (NOT IS_DEFINED(c.due_at) OR IS_NULL(c.due_at) OR c.due_at < @before) {where} ORDER BY c.moved_at"
        )
        values: dict[str, object] = {"@limit": limit, "@before": timestamp(moved_before), **named}
        found = self.readable(Job, await self.every_range(text, values))
        return sorted(found, key=lambda job: job.moved_at)[:limit]

    async def tombstones(self, *, erased_before: datetime, limit: int) -> list[Tombstone]:
        """Up to `limit` tombstones of each range, of every tenant, whose second erase is due."""
        text = "SELECT TOP @limit * FROM c WHERE c.kind = 'tombstone' AND c.swept = false AND c.erased_at < @at"
        rows = await self.every_range(text, {"@limit": limit, "@at": timestamp(erased_before)})
        return self.readable(Tombstone, rows)

    def readable(self, kind: type[Row], rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """The rows that this release can read."""
        found = []
        for row in rows:
            try:
                found.append(kind.model_validate(row))
            except ValidationError as error:
                self._tell_of_unreadable(row, error)
        return found

    def _tell_of_unreadable(self, row: Mapping[str, Any], error: ValidationError) -> None:
        if self._told_of_unreadable:
            return
        self._told_of_unreadable = True
        # Which field, never its value: that may be a client's.
        place = ".".join(str(step) for step in error.errors(include_url=False, include_input=False)[0]["loc"])
        log.warning("record.unreadable", extra={"job_id": row.get("job_id"), "v": row.get("v"), "field": place})

    async def every_range(self, text: str, values: Mapping[str, object]) -> list[dict[str, Any]]:
        """What each range answers, one after another. Only the keeper and operators ask across tenants."""
        parameters = [{"name": name, "value": value} for name, value in values.items()]
        async with self._connection.call() as container:
            return [
                row
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
