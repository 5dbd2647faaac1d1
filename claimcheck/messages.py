"""What travels on a queue: references to a job, never its content (claim check). Pure: encode, decode, reject.

A message names one stage of one job, one generation of its messages (epoch), one part if the stage is fanned out, one
attempt and one turn. `tenant` and `job_id` keep their names and meaning in every version `v`, so that even a message
from the future can be told to belong to a job.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from claimcheck.errors import NewerMessage, UndecodableMessage

VERSION = 1
MAX_BODY_BYTES = 4096  # A message of references is under 300 bytes; anything much longer is not ours.

NAME = r"^[a-z0-9-]{1,40}$"
"""What tenants, tasks and stages may be called."""
Name = Annotated[str, Field(pattern=NAME)]
JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")]


class Message(BaseModel):
    """One message. Equal messages have equal ids, and the broker drops an id it has seen within its window."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    v: int = VERSION
    tenant: Name
    job_id: JobId
    epoch: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    stage: Name
    part: Annotated[int, Field(ge=0)] | None = None
    attempt: Annotated[int, Field(ge=1)] = 1
    turn: Annotated[int, Field(ge=0)] = 0

    @property
    def message_id(self) -> str:
        """At most 128 characters, as Service Bus asks; `part` is `-` for a stage of the whole job."""
        part = "-" if self.part is None else self.part
        return f"{self.job_id}:{self.epoch}:{self.stage}:{part}:{self.attempt}:{self.turn}"

    def encode(self) -> bytes:
        """The body as JSON."""
        return self.model_dump_json().encode()


class _Envelope(BaseModel):
    """What can be said of a message of any version."""

    v: Annotated[int, Field(ge=1)]


class _Addressed(_Envelope):
    tenant: Name
    job_id: JobId


def job_of(body: bytes) -> tuple[str, str] | None:
    """Tenant and id of the job that a message of any version belongs to; None if that cannot be told."""
    try:
        addressed = _Addressed.model_validate_json(body)
    except ValidationError:
        return None
    return addressed.tenant, addressed.job_id


def decode(body: bytes) -> Message:
    """The message in a body.

    Raises NewerMessage for a version above ours (a rolling deploy), UndecodableMessage for anything else.
    """
    if len(body) > MAX_BODY_BYTES:
        raise UndecodableMessage(f"the body has {len(body):,} bytes; a message has at most {MAX_BODY_BYTES:,}")
    try:
        version = _Envelope.model_validate_json(body).v
        if version > VERSION:
            raise NewerMessage(f"the message has version {version}; this worker knows {VERSION}")
        return Message.model_validate_json(body)
    except ValidationError as cause:
        first = cause.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise UndecodableMessage(f"{place}: {first['msg']}") from cause
