"""What a client has asked for and what it has seen since: all that a verdict may rest on. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from claimcheck.job import TERMINAL, Status


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One upload that was to become one job."""

    content: str
    """SHA-256 of the upload, which no other attempt has: by it a job is known for this attempt's."""
    input: str | None = None
    """Attempts with the same one must have the same result, and with others another; None: nothing is known of it."""
    keyed: bool = True
    """Whether it carried an Idempotency-Key and was repeated until an answer came. Without one it was sent once."""
    accepted: tuple[str, ...] = ()
    """The id in each 202 that was seen: one for each time it was handed in."""
    refusal: str = ""
    """What a submission was answered instead of 202; empty if each was acknowledged."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A job as one GET showed it."""

    job_id: str
    status: Status | None
    """None: it was a 404."""
    content: str = ""
    """SHA-256 of its upload."""
    end: str = ""
    """Digest of everything that is final: status, time of the end, result, error; empty while it has not ended."""
    result: str = ""
    """Digest of the result; empty without one."""
    why: str = ""
    """Of a failed job: the problem."""
    flaw: str = ""
    """What is wrong with the answer itself; empty if it is well-formed."""
    created_at: datetime | None = None
    deadline_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether it shows a terminal status."""
        return self.status in TERMINAL


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A job of this run as the list shows it at the very end."""

    job_id: str
    content: str


@dataclass(frozen=True, kw_only=True)
class History:
    """A run, seen from outside."""

    attempts: tuple[Attempt, ...]
    readings: tuple[Reading, ...]
    """In the order in which they were made; two or more of each job."""
    listed: tuple[Listed, ...]
