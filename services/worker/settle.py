"""Settle a delivery: results before the record says so, the record before messages, messages before `complete`.

Thin: what to write and send, `claimcheck.settlements` says. A write that is refused raises WriteRefused; it may have
been our own whose answer was lost, so nothing is undone before the record was read.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from claimcheck import writes
from claimcheck.announcing import Announcer
from claimcheck.blobs import Blobs
from claimcheck.errors import ItemRefused, WriteRefused
from claimcheck.job import End, Job, PartItem, ResultItem, ResultRef, Status
from claimcheck.messaging import Queues
from claimcheck.records import Records
from claimcheck.settings import JobSettings
from claimcheck.settlements import Advance, FailJob, FinishPart, PutBack, Settlement, Succeed
from claimcheck.tasks import QueueKind
from services.worker.begin import Begun

log = logging.getLogger(__name__)

MAX_ITEM_BYTES = 256 * 1024  # Larger results go to Blob Storage: an item costs its size in request units at each read.

MAX_PART_BYTES = 1024 * 1024  # An item may have 2 MB; parts are read together, and a part is a minute of work.


class Settler:
    """Carries out settlements, up to but without the `complete`."""

    def __init__(
        self,
        *,
        kind: QueueKind,
        records: Records,
        blobs: Blobs,
        queues: Queues,
        announcer: Announcer,
        settings: JobSettings,
    ) -> None:
        """`kind`: the queue that deliveries come from and copies go back to."""
        self._kind, self._records, self._blobs, self._queues = kind, records, blobs, queues
        self._announcer, self._settings = announcer, settings

    async def settle(self, begun: Begun, settlement: Settlement) -> None:
        """Write and send. Raises WriteRefused: begin again; ItemRefused: the result can never be written."""
        match settlement:
            case Succeed(result):
                await self._succeed(begun, result)
            case Advance(stage, parts):
                await self._advance(begun, stage, parts)
            case PutBack():
                await self._put_back(begun, settlement)
            case FailJob(problem):
                await self._fail(begun, problem)
            case FinishPart():
                await self._finish_part(begun, settlement)

    async def _succeed(self, begun: Begun, result: dict[str, Any]) -> None:
        content = _encoded(result)
        warnings = len(result.get("warnings") or ())
        if len(content) <= MAX_ITEM_BYTES:
            await self._succeed_with_item(begun, result, warnings)
        else:
            await self._succeed_with_blob(begun, content, warnings)
        log.info("job.succeeded", extra=begun.log_fields())

    async def _succeed_with_item(self, begun: Begun, result: dict[str, Any], warnings: int) -> None:
        item = ResultItem(
            id=f"result:{begun.result_name}",
            tenant=begun.job.tenant,
            job_id=begun.job.job_id,
            result=result,
            ttl=self._settings.deadline_s + self._settings.retention_s,
        )
        await self._records.write_with(item, self._success(begun, ResultRef(item=item.id), warnings))

    async def _succeed_with_blob(self, begun: Begun, content: bytes, warnings: int) -> None:
        name = f"results/{begun.job.tenant}/{begun.job.job_id}/{begun.result_name}"
        await self._blobs.put(name, content, "application/json")
        try:
            await self._write(begun, self._success(begun, ResultRef(blob=name), warnings))
        except WriteRefused:
            if not await self._names(begun, name):
                await self._blobs.delete(name)
            raise

    def _success(self, begun: Begun, where: ResultRef, warnings: int) -> writes.Write:
        now = datetime.now(UTC)
        end = End(at=now, result=where, warnings=warnings)
        return writes.end_by_runner(begun.owner, Status.SUCCEEDED, end, self._settings.retention_s, now)

    async def _names(self, begun: Begun, blob: str) -> bool:
        """Whether the record says that this blob is the result: then the refused write was our own."""
        record = await self._records.read(begun.job.tenant, begun.job.job_id)
        if not isinstance(record, Job) or record.end is None or record.end.result is None:
            return False
        return record.end.result.blob == blob

    async def _advance(self, begun: Begun, stage: str, parts: int) -> None:
        job = await self._write(begun, writes.advance(begun.owner, stage, parts, datetime.now(UTC)))
        log.info("job.advanced", extra={**begun.log_fields(), "next": stage})
        await self._announcer.written(job, begun.traceparent)

    async def _fail(self, begun: Begun, problem: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        end = End(at=now, error=problem)
        ttl_s = self._settings.retention_s
        if begun.given_up:
            write = writes.fail_as_read(begun.job, end, ttl_s, now)
        else:
            write = writes.end_by_runner(begun.owner, Status.FAILED, end, ttl_s, now)
        await self._write(begun, write)
        log.info("job.failed", extra={**begun.log_fields(), "problem": problem["type"]})

    async def _put_back(self, begun: Begun, put_back: PutBack) -> None:
        if begun.message.part is not None:
            if not await self._note_part(begun, put_back.due_at):
                return
        else:
            now = datetime.now(UTC)
            copy, due_at = put_back.copy, put_back.due_at
            handed_back = writes.hand_back(begun.owner, copy, now)
            await self._write(begun, writes.retry(begun.owner, copy, due_at, now) if due_at else handed_back)
        await self._queues.send(self._kind, put_back.copy, due_at=put_back.due_at, traceparent=begun.traceparent)
        log.info("job.put_back", extra={**begun.log_fields(), "due_at": put_back.due_at})

    async def _note_part(self, begun: Begun, due_at: datetime | None) -> bool:
        """A part leaves the record alone but for `due_at` or `moved_at`. False: the job has ended, send nothing."""
        now = datetime.now(UTC)
        if due_at is not None:
            try:
                await self._write(begun, writes.postpone(due_at, now))
            except WriteRefused:
                pass  # A later due time stands, or the job has ended; touching tells which.
            else:
                return True
        try:
            await self._write(begun, writes.touch(now))
        except WriteRefused:
            return False
        return True

    async def _finish_part(self, begun: Begun, part: FinishPart) -> None:
        assert begun.message.part is not None
        if (size_bytes := len(_encoded(part.result))) > MAX_PART_BYTES:
            raise ItemRefused(f"the part's result has {size_bytes:,} bytes; the limit is {MAX_PART_BYTES:,}")
        item = PartItem(
            id=PartItem.id_of(begun.job, begun.message.stage, begun.message.part),
            tenant=begun.job.tenant,
            job_id=begun.job.job_id,
            job_created_at=begun.job.created_at,
            stage=begun.message.stage,
            part=begun.message.part,
            result=part.result,
            warning=part.warning,
            ttl=self._settings.deadline_s + self._settings.retention_s,
        )
        job = await self._records.write_with(item, writes.count_part(begun.message, datetime.now(UTC)))
        log.info("part.skipped" if part.warning else "part.finished", extra=begun.log_fields())
        await self._announcer.pass_on(job, begun.message, begun.traceparent)

    async def _write(self, begun: Begun, write: writes.Write) -> Job:
        return await self._records.write(begun.job.tenant, begun.job.job_id, write)


def _encoded(result: dict[str, Any] | None) -> bytes:
    try:
        return json.dumps(result, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError) as cause:
        raise ItemRefused(f"the result is no JSON: {cause}") from cause
