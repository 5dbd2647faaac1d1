"""A dead letter as it is kept beside its job, after the keeper has taken it off the broker. Pure."""

from __future__ import annotations

import base64
from typing import Literal

from claimcheck.job import SCHEMA_VERSION, At, Stored

NOBODY = "-"
"""Tenant and job id of a letter that no job can be read from."""

MAX_KEPT_BYTES = 1024 * 1024  # An item may have 2 MB, and base64 makes three bytes four; a message of ours has 300.


class DeadLetter(Stored):
    """One dead letter, in its job's partition, or in that of `NOBODY`."""

    id: str
    v: int = SCHEMA_VERSION
    kind: Literal["dead-letter"] = "dead-letter"
    tenant: str
    job_id: str
    task: str = ""
    """Of its job; empty if there is none."""
    queue: str
    """Kind of the queue that it was on."""
    sequence_number: str
    message_id: str
    body_base64: str
    """Its body, of one that is far too long to be ours the beginning."""
    reason: str
    """The broker's, such as `MaxDeliveryCountExceeded`, or that of who parked it."""
    description: str
    delivery_count: int
    enqueued_at: At
    stored_at: At
    replayed_as: str | None = None
    """The job that an operator made of it."""
    ttl: int

    @staticmethod
    def id_of(queue: str, sequence_number: str, enqueued_at: str) -> str:
        """The same for every delivery of one letter; a queue that was made anew counts from 1 again."""
        return f"dead-letter:{queue}:{sequence_number}:{enqueued_at}"

    @property
    def body(self) -> bytes:
        """The message as it was on the queue."""
        return base64.b64decode(self.body_base64)


def encoded(body: bytes) -> str:
    """A body as it is kept."""
    return base64.b64encode(body[:MAX_KEPT_BYTES]).decode()
