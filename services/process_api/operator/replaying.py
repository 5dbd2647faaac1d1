"""Replay a dead letter as a new job: copy its finished parts, what its stages have kept for each other and its upload,
then accept it like any other.

The order is accept's: what the record will name comes first, then the record, then the messages; last, the letter notes
the job, unless the old one was erased meanwhile: then the new one is erased too. A crash before the record leaves
blobs that are swept and parts that expire; one after it, a job like any other and a letter whose next replay finds that
job, since its id is made of the letter's. Parts go before the blobs: there may be hundreds, and a blob must not wait
for its record until a sweep takes it for forgotten.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from claimcheck import replaying
from claimcheck.dead_letters import DeadLetter
from claimcheck.erasing import bury, erase_content
from claimcheck.errors import BlobMissing, IdempotencyKeyErased, LetterNotReplayable, RecordMissing
from claimcheck.job import Job, Tombstone
from claimcheck.records import Records
from claimcheck.replaying import KeptPart
from claimcheck.sweeping import parts_prefix
from claimcheck.tasks import Stage, Task, catalogue
from services.process_api.accept import Intake, new_blob_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """A replay that may happen."""

    letter: DeadLetter
    job: Job
    """The old one."""
    task: Task
    begin: Stage


class Replayer:
    """Makes new jobs of dead letters."""

    def __init__(self, intake: Intake, records: Records) -> None:
        self._intake, self._records = intake, records

    def planned(self, letter: DeadLetter, record: Job | Tombstone | None, *, force: bool) -> Plan:
        """What a replay would do, as far as the record says. Raises LetterNotReplayable."""
        message = replaying.read_message(letter)
        job = replaying.check(record, force=force)
        task = catalogue().get(job.task)
        begin = replaying.first_stage(task, job, message)
        assert task is not None
        return Plan(letter, job, task, begin)

    async def check(self, letter: DeadLetter, *, force: bool) -> str:
        """The id of the job that a replay would make, or has made.

        Raises LetterNotReplayable, DependencyUnavailable.
        """
        if letter.replayed_as:
            return letter.replayed_as
        await self._plan(letter, force=force)
        return replaying.new_job_id(letter)

    async def replay(self, letter: DeadLetter, *, force: bool, traceparent: str) -> str:
        """The id of the job that the letter is replayed as, now or earlier.

        Raises LetterNotReplayable, and DependencyUnavailable: the job may then exist all the same, and the next replay
        of the letter finds it.
        """
        if letter.replayed_as:
            return letter.replayed_as
        plan = await self._plan(letter, force=force)
        kept = await self._records.letters.kept_parts(plan.job)
        reused = replaying.reusable(plan.task, plan.begin, kept)
        job = self._new(plan, kept, reused)
        try:
            for part in reused:
                await self._records.letters.copy_part(part, plan.job, job)
            await self._copy_kept(plan, job)
            await self._intake.blobs.copy(plan.job.upload.blob, job.upload.blob)
            accepted = await self._intake.take(job, traceparent)
        except BlobMissing as cause:
            raise _upload_gone() from cause
        except RecordMissing as cause:
            raise _erased_meanwhile() from cause
        except IdempotencyKeyErased as cause:
            raise LetterNotReplayable("it was replayed already, and that job was erased") from cause
        await self._stay_erased(plan.job, accepted)
        await self._records.letters.note_replay(letter, accepted.job_id)
        log.info("letter.replayed", extra={"job_id": letter.job_id, "replayed_as": accepted.job_id})
        return accepted.job_id

    async def _copy_kept(self, plan: Plan, new: Job) -> None:
        """Copy what earlier stages have kept in blobs; the first stage keeps its own."""
        if plan.begin == plan.task.stages[0]:
            return
        old_prefix, new_prefix = parts_prefix(plan.job), parts_prefix(new)
        async for page in self._intake.blobs.pages(old_prefix):
            for blob in page.blobs:
                with contextlib.suppress(BlobMissing):  # Deleted meanwhile, so nothing that is still needed.
                    await self._intake.blobs.copy(blob.name, new_prefix + blob.name.removeprefix(old_prefix))

    async def _stay_erased(self, old: Job, new: Job) -> None:
        """What a client erased with the old job must not live on in the new one. Raises LetterNotReplayable."""
        if not isinstance(await self._records.read(old.tenant, old.job_id), Tombstone):
            return
        with contextlib.suppress(RecordMissing):
            await bury(self._records, new.tenant, new.job_id)
        await erase_content(self._records, self._intake.blobs, new.tenant, new.job_id)
        raise _erased_meanwhile()

    async def _plan(self, letter: DeadLetter, *, force: bool) -> Plan:
        plan = self.planned(letter, await self._records.read(letter.tenant, letter.job_id), force=force)
        if not await self._intake.blobs.exists(plan.job.upload.blob):
            raise _upload_gone()
        return plan

    def _new(self, plan: Plan, kept: Collection[KeptPart], reused: Collection[KeptPart]) -> Job:
        now, job_id = datetime.now(UTC), replaying.new_job_id(plan.letter)
        return replaying.replayed(
            plan.job,
            job_id=job_id,
            begin=plan.begin,
            kept=kept,
            reused=reused,
            blob=new_blob_name(plan.letter.tenant, job_id),
            epoch=secrets.token_hex(4),
            now=now,
            deadline_at=now + timedelta(seconds=self._intake.settings.deadline_s),
        )


def _erased_meanwhile() -> LetterNotReplayable:
    return LetterNotReplayable("its job was erased while it was replayed")


def _upload_gone() -> LetterNotReplayable:
    return LetterNotReplayable("the upload of its job is gone")
