"""The job: what its record keeps, its states, and what moves it from one to the next. Pure.

    queued ──take──▶ running ──▶ succeeded | failed | cancelled
       ▲               │
       └─retry, hand-back, rescue
    queued ──▶ failed | cancelled

Terminal is final. `docs/state_machine.md` draws it with the cause on every edge.
"""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

SCHEMA_VERSION = 1
JOB_ITEM_ID: Final = "job"  # A job's items share one logical partition, so their ids need only differ in there.

KEPT_AFTER_DEADLINE = timedelta(days=1)  # Of a tombstone: a message of the job may be that much late.


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds. Fixed width, so that text order is time order, in queries too."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parsed(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


At = Annotated[
    datetime,
    BeforeValidator(_parsed),
    PlainSerializer(timestamp, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def is_job_id(text: str) -> bool:
    """Whether a job could have this id: a UUID as we write it, so that one job has one address."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


class Stored(BaseModel):
    """Anything kept as JSON: frozen, and a field that this release does not know is kept out, not refused."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Upload(Stored):
    """The client's file and the blob that holds it."""

    blob: str
    """Name of the blob in the container."""
    name: str = ""
    """The client's file name; data, never a path."""
    media_type: str = "application/octet-stream"
    size_bytes: int
    sha256: str


class Run(Stored):
    """Who runs the job's present whole-job stage."""

    sequence_number: str
    """Of the message whose delivery is run; 64 bits, so text (a JSON number is a double)."""
    owner: str
    """Random and new at each take: the fence of every later write of this runner."""
    started_at: At
    progress: float = 0.0
    """Share that is done, 0 to 1; as old as the last heartbeat."""


class Parts(Stored):
    """Counters of the present stage if it is fanned out."""

    total: int = 0
    done: int = 0


class ResultRef(Stored):
    """Where the result is: exactly one of an item beside the record and a blob."""

    item: str | None = None
    blob: str | None = None
    media_type: str = "application/json"


class End(Stored):
    """How the job ended; written once, with the terminal status."""

    at: At
    result: ResultRef | None = None
    error: dict[str, Any] | None = None
    """A problem object (RFC 9457) of a failed job."""
    warnings: int = 0
    """How many warnings the result carries."""


class Job(Stored):
    """A job's record, as the job item in Cosmos DB holds it."""

    # What a plain job has nothing in is left out: every poll reads the item, and up to 1 KB it is cheapest to read.
    id: Literal["job"] = JOB_ITEM_ID
    v: int = SCHEMA_VERSION
    kind: Literal["job"] = "job"
    tenant: str
    job_id: str
    task: str
    options: dict[str, Any] = Field(default_factory=dict, exclude_if=lambda options: not options)
    upload: Upload
    status: Status = Status.QUEUED
    created_at: At
    deadline_at: At
    moved_at: At
    """When the record was last written."""
    due_at: At | None = Field(default=None, exclude_if=lambda due_at: due_at is None)
    """When the copy that was put back last may run; in the future: the job waits for its retry."""
    epoch: str
    """Generation of the job's messages; random."""
    stage: str
    attempt: int = 1
    turn: int = 0
    """How often the present attempt was handed back."""
    run: Run | None = None
    parts: Parts = Field(default=Parts(), exclude_if=lambda parts: parts == Parts())
    end: End | None = None
    retry_of: str | None = Field(default=None, exclude_if=lambda retry_of: retry_of is None)
    """The job that an operator has replayed as this one."""
    input_of: str | None = Field(default=None, exclude_if=lambda input_of: input_of is None)
    """The earlier job whose text was copied into this one's upload."""
    ttl: int | None = Field(default=None, exclude_if=lambda ttl: ttl is None)
    """Seconds that the item lives after its last write; set with the end, never before."""
    etag: str = Field(default="", alias="_etag", exclude=True)
    """Version of the item that was read; not part of what is stored."""

    @property
    def ended(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL

    def waits_until(self, now: datetime) -> datetime | None:
        """The due time if it is still ahead."""
        return self.due_at if self.due_at and self.due_at > now else None


class Tombstone(Stored):
    """What is left of an erased job: its id, taken until a day after the deadline, and nothing of its content."""

    id: Literal["job"] = JOB_ITEM_ID
    v: int = SCHEMA_VERSION
    kind: Literal["tombstone"] = "tombstone"
    tenant: str
    job_id: str
    erased_at: At
    swept: bool = False
    """Whether the second erase has been: it finds what a worker wrote while the job was erased."""
    ttl: int
    etag: str = Field(default="", alias="_etag", exclude=True)


class PartItem(Stored):
    """One finished part of a fanned-out stage. Its id names the stage, so a part is done at most once."""

    id: str
    v: int = SCHEMA_VERSION
    kind: Literal["part"] = "part"
    tenant: str
    job_id: str
    job_created_at: At
    stage: str
    part: int
    result: dict[str, Any] | None = None
    """None if the part was skipped; then `warning` says why."""
    warning: dict[str, Any] | None = None
    ttl: int

    @staticmethod
    def id_of(job: Job, stage: str, part: int) -> str:
        """The item's id. An idempotency key may make a second job of one id while parts of the first are still kept."""
        return f"part:{timestamp(job.created_at)}:{stage}:{part}"


class ResultItem(Stored):
    """A result of up to 256 KB, kept beside its job."""

    id: str
    v: int = SCHEMA_VERSION
    kind: Literal["result"] = "result"
    tenant: str
    job_id: str
    result: dict[str, Any]
    ttl: int


def tombstone(job: Job, now: datetime) -> Tombstone:
    """What replaces the record of `job` when it is erased. No message of the job outlives it."""
    left = job.deadline_at + KEPT_AFTER_DEADLINE - now
    return Tombstone(
        tenant=job.tenant,
        job_id=job.job_id,
        erased_at=now,
        ttl=math.ceil(max(left, KEPT_AFTER_DEADLINE).total_seconds()),
    )


def new_job(
    *, tenant: str, job_id: str, task: str, options: dict[str, Any], upload: Upload, stage: str, epoch: str,
    now: datetime, deadline_at: datetime,
) -> Job:  # fmt: skip
    """A job as it is accepted: queued for its first stage."""
    return Job(
        tenant=tenant,
        job_id=job_id,
        task=task,
        options=options,
        upload=upload,
        stage=stage,
        epoch=epoch,
        created_at=now,
        moved_at=now,
        deadline_at=deadline_at,
    )
