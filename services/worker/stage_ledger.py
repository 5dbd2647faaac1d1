"""The ledger in Cosmos DB: one item a question, in the job's partition.

Every write of it carries a new random token. A write that is refused may be our own whose answer was lost, and which
the SDK or we have repeated: the token in the item tells. So a request that was noted once is counted once; or twice,
where another delivery writes between our write and its repetition: what is called lost is an upper bound.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable

from claimcheck.errors import AnswerInvalid, ConditionFailed, ItemRefused, RecordExists, RecordMissing
from claimcheck.job import Job
from claimcheck.language import Asked, Call
from claimcheck.records.asked import AskedItems
from services.worker.fetching import STORAGE_S
from services.worker.lease import Overtaken
from services.worker.patience import Patience

MAX_ASKED_BYTES = 1_900_000  # An item may have 2 MB; two answers of each of four endpoints have 200 KB each at most.


class StageLedger:
    """The questions of one stage, or of one part of it. See `services.worker.ledger.Ledger`."""

    def __init__(
        self, job: Job, stage: str, part: int | None, *, items: AskedItems, patience: Patience, ttl_s: int
    ) -> None:
        """`ttl_s`: how long an item is kept."""
        self._job, self._stage, self._part = job, stage, part
        self._items, self._patience, self._ttl_s = items, patience, ttl_s

    async def begin(self, name: str) -> Asked:
        """Create the item, or find it; without an answer there, one more request is counted."""
        fresh = self._fresh(name)
        found = await self._patience.ask(lambda: self._created(fresh), limit_s=STORAGE_S)
        if found.calls or found.writer == fresh.writer:
            return found
        return await self.again(found)

    async def find(self, name: str) -> Asked | None:
        """The item as it is."""
        wanted = self._fresh(name)
        return await self._patience.ask(lambda: self._found(wanted), limit_s=STORAGE_S)

    async def again(self, asked: Asked) -> Asked:
        """Count one more request, unless an answer has come meanwhile that the caller has not seen."""
        seen = len(asked.calls)

        def change(now: Asked) -> Asked | None:
            return None if len(now.calls) > seen else now.model_copy(update={"begun": now.begun + 1})

        return await self._change(asked, change, limit_s=STORAGE_S)

    async def keep(self, asked: Asked, call: Call) -> Asked:
        """Add the answer behind those that are there. It is paid for, so this waits as long as the lease is renewed."""
        seen = len(asked.calls)

        def change(now: Asked) -> Asked | None:
            # Our own write, whose answer was lost, and then somebody wrote: the token is theirs and the answer ours.
            if call in now.calls[seen:]:
                return None
            calls = (*now.calls, call)
            return now.model_copy(update={"calls": calls, "begun": max(now.begun, len(calls))})

        return await self._change(asked, change, limit_s=math.inf)

    async def withdraw(self, asked: Asked) -> Asked:
        """Take back the request that was counted last, unless somebody has written since: it may have been ours."""

        def change(now: Asked) -> Asked | None:
            if not now.lost or now.writer != asked.writer:
                return None
            return now.model_copy(update={"begun": now.begun - 1})

        return await self._change(asked, change, limit_s=STORAGE_S)

    async def all(self) -> list[Asked]:
        """Everything that was asked for the job."""
        return await self._patience.ask(lambda: self._items.of_job(self._job), limit_s=STORAGE_S)

    def _fresh(self, name: str) -> Asked:
        return Asked(
            id=Asked.id_of(self._job, self._stage, self._part, name),
            tenant=self._job.tenant,
            job_id=self._job.job_id,
            job_created_at=self._job.created_at,
            stage=self._stage,
            part=self._part,
            name=name,
            ttl=self._ttl_s,
            writer=_token(),
        )

    async def _found(self, wanted: Asked) -> Asked | None:
        try:
            return await self._items.read(wanted)
        except RecordMissing:
            return None

    async def _created(self, fresh: Asked) -> Asked:
        try:
            return await self._items.create(fresh)
        except RecordExists:
            return await self._read(fresh)

    async def _change(self, asked: Asked, change: Callable[[Asked], Asked | None], *, limit_s: float) -> Asked:
        """Write what `change` makes of the item as it is; None: it stays as it is."""
        token = _token()
        return await self._patience.ask(lambda: self._changed(asked, change, token), limit_s=limit_s)

    async def _changed(self, asked: Asked, change: Callable[[Asked], Asked | None], token: str) -> Asked:
        while (wanted := change(asked)) is not None:
            try:
                return await self._items.replace(_checked(wanted.model_copy(update={"writer": token})))
            except ConditionFailed:
                asked = await self._read(asked)
                if asked.writer == token:
                    break
            except RecordMissing as cause:
                raise _erased() from cause
            except ItemRefused as cause:
                # Permanent: to ask again would cost as much again, for an answer that is as long.
                raise AnswerInvalid(f"what the models answered cannot be kept: {cause.detail}") from cause
        return asked

    async def _read(self, asked: Asked) -> Asked:
        try:
            return await self._items.read(asked)
        except RecordMissing as cause:
            raise _erased() from cause


def _token() -> str:
    return secrets.token_hex(4)


def _checked(asked: Asked) -> Asked:
    """The item, if it is not too large. Raises ItemRefused."""
    if (size_bytes := len(asked.model_dump_json().encode())) > MAX_ASKED_BYTES:
        raise ItemRefused(f"it has {size_bytes:,} bytes; the limit is {MAX_ASKED_BYTES:,}")
    return asked


def _erased() -> Overtaken:
    return Overtaken("what was asked for the job is gone: somebody erases it")
