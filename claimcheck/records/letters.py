"""Dead letters that are kept beside their jobs, and what a replay takes over from the old job: for operators."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from claimcheck.dead_letters import DeadLetter
from claimcheck.errors import ConditionFailed, RecordExists, RecordMissing
from claimcheck.job import Job, PartItem, timestamp
from claimcheck.operator_queries import LetterId, Position, Wanted, no_such_letter
from claimcheck.records.connection import Connection
from claimcheck.records.lists import Lists
from claimcheck.replaying import KeptPart, copied

# All of a letter but its body, which may have 256 KB where it is none of ours.
_SHOWN = ", ".join(f"c.{name}" for name in DeadLetter.model_fields if name != "body_base64")
_UNREPLAYED = "(NOT IS_DEFINED(c.replayed_as) OR IS_NULL(c.replayed_as))"


class Letters:
    """The dead letters of every tenant. Every call raises RecordsUnavailable beyond its time limit."""

    def __init__(self, connection: Connection, lists: Lists) -> None:
        self._connection, self._lists = connection, lists

    async def page(self, wanted: Wanted, *, limit: int, after: Position | None) -> list[DeadLetter]:
        """Up to `limit` letters without their bodies, newest first, of those behind `after`.

        Each range is asked for its first `limit`; see `claimcheck.records.lists`.
        """
        text, values = _query(wanted, limit=limit, after=after)
        rows = [{**row, "body_base64": ""} for row in await self._lists.every_range(text, values)]
        letters = self._lists.readable(DeadLetter, rows)
        return sorted(letters, key=lambda letter: (timestamp(letter.stored_at), letter.id), reverse=True)[:limit]

    async def read(self, letter_id: LetterId) -> DeadLetter:
        """The letter as it is now. Raises LetterNotFound."""
        try:
            async with self._connection.call() as container:
                item = await container.read_item(letter_id.item, partition_key=[letter_id.tenant, letter_id.job_id])
        except RecordMissing as cause:
            raise no_such_letter() from cause
        return DeadLetter.model_validate(item)

    async def note_replay(self, letter: DeadLetter, job_id: str) -> None:
        """Note as which job the letter was replayed; the first note stands, and a letter that is gone needs none."""
        with contextlib.suppress(ConditionFailed, RecordMissing):
            async with self._connection.call() as container:
                await container.patch_item(
                    letter.id,
                    partition_key=[letter.tenant, letter.job_id],
                    patch_operations=[{"op": "set", "path": "/replayed_as", "value": job_id}],
                    filter_predicate=f"FROM c WHERE {_UNREPLAYED}",
                )

    async def discard(self, letter: DeadLetter) -> None:
        """Delete the letter; one that is gone already is fine."""
        with contextlib.suppress(RecordMissing):
            async with self._connection.call() as container:
                await container.delete_item(letter.id, partition_key=[letter.tenant, letter.job_id])

    async def kept_parts(self, job: Job) -> list[KeptPart]:
        """The parts that the job has finished or skipped, of all its stages, without their results."""
        text = "SELECT c.stage, c.part, c.warning FROM c WHERE c.kind = 'part' AND c.job_created_at = @created_at"
        parameters: list[dict[str, object]] = [{"name": "@created_at", "value": timestamp(job.created_at)}]
        async with self._connection.call() as container:
            rows = container.query_items(text, parameters=parameters, partition_key=[job.tenant, job.job_id])
            return [KeptPart(row["stage"], row["part"], row.get("warning") is not None) async for row in rows]

    async def copy_part(self, part: KeptPart, old: Job, new: Job) -> None:
        """Copy a finished part to another job; one that is there already is fine. Raises RecordMissing."""
        async with self._connection.call() as container:
            item = await container.read_item(
                PartItem.id_of(old, part.stage, part.part), partition_key=[old.tenant, old.job_id]
            )
        own = copied(PartItem.model_validate(item), new)
        with contextlib.suppress(RecordExists):
            async with self._connection.call() as container:
                await container.create_item(own.model_dump(mode="json"))


def _query(wanted: Wanted, *, limit: int, after: Position | None) -> tuple[str, Mapping[str, object]]:
    conditions, values = ["c.kind = 'dead-letter'"], dict[str, Any]({"@limit": limit})
    for name, value in {"task": wanted.task, "tenant": wanted.tenant, "reason": wanted.reason}.items():
        if value is not None:
            conditions.append(f"c.{name} = @{name}")
            values[f"@{name}"] = value
    for name, sign, at in (("before", "<", wanted.stored_before), ("since", ">=", wanted.stored_after)):
        if at is not None:
            conditions.append(f"c.stored_at {sign} @{name}")
            values[f"@{name}"] = timestamp(at)
    if wanted.unreplayed:
        conditions.append(_UNREPLAYED)
    if after is not None:
        conditions.append("(c.stored_at < @at OR (c.stored_at = @at AND c.id < @id))")
        values |= {"@at": timestamp(after.stored_at), "@id": after.item}
    # Both together order them fully, by one composite index; no two letters have the same id, whatever their jobs.
    order = "c.stored_at DESC, c.id DESC"
    return f"SELECT TOP @limit {_SHOWN} FROM c WHERE {' AND '.join(conditions)} ORDER BY {order}", values
