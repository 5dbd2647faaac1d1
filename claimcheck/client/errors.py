"""What the client raises. Parents say what the caller can do about it, leaves say what happened.

ClientError
├── ProblemError            the API said no, and why: a problem document (RFC 9457)
│   ├── Refused                 change the request, or leave it
│   │   ├── KeyRefused              401, 403   no API key, or one that may not
│   │   ├── NotFound                404        unknown, expired, erased, or another tenant's
│   │   ├── Conflict                409, 422   the job, or what the idempotency key was used for, stands against it
│   │   └── FileRefused             413, 415   too large, or not of a type that the task takes
│   └── Unavailable             408, 429, 5xx: the same call may work later
├── NoResult                the job has none to give
│   ├── JobFailed               `problem` says why
│   ├── JobHasNoResult          it was cancelled, or its result is gone
│   └── JobNotEnded             wait for it
├── ServerUnreachable       no answer: the same call may work later
│   └── UploadNotRepeatable     and the file cannot be sent again: it was read already and cannot be rewound
├── FileChanged             the file has become shorter while it was sent
├── WaitTimedOut            the job goes on; wait again
└── UnexpectedAnswer        no Claimcheck API at that address, or one that is too new
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from claimcheck.client.answers import JobView


@dataclass(frozen=True)
class Problem:
    """A problem document (RFC 9457)."""

    type: str
    """Names the kind of problem for programs: `urn:claimcheck:problem:<slug>`."""
    title: str
    """Names it for people; always the same for one type."""
    status: int
    """The HTTP status."""
    detail: str
    """What, the value and the limit."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further members, such as `formats`."""

    @classmethod
    def parse(cls, document: object, status: int) -> Self:
        """The problem in a JSON value. What it does not say is filled in from the HTTP status."""
        members = dict(document) if isinstance(document, Mapping) else {}
        known = {name: members.pop(name, None) for name in ("type", "title", "status", "detail")}
        return cls(
            type=str(known["type"] or "about:blank"),
            title=str(known["title"] or _phrase(status)),
            status=known["status"] if isinstance(known["status"], int) else status,
            detail=str(known["detail"] or f"the server answered {status} and did not say why"),
            extra=members,
        )

    def __str__(self) -> str:
        """For people: `The file is too large: the file has ...`."""
        return f"{self.title}: {self.detail}"


class ClientError(Exception):
    """Anything that the client itself raises."""


class ProblemError(ClientError):
    """The API answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem

    @property
    def type(self) -> str:
        """Names the kind of problem for programs."""
        return self.problem.type

    @property
    def title(self) -> str:
        """Names it for people."""
        return self.problem.title

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def detail(self) -> str:
        """What, the value and the limit."""
        return self.problem.detail

    @property
    def extra(self) -> Mapping[str, Any]:
        """Further members of the document."""
        return self.problem.extra


class Refused(ProblemError):
    """The request cannot be carried out as it is; sending it again changes nothing."""


class KeyRefused(Refused):
    """There was no API key, or one that nobody has, or that may not do this."""


class NotFound(Refused):
    """There is no such job for this key: unknown, expired, erased, or another tenant's."""


class Conflict(Refused):
    """What the job is by now, or what the idempotency key was used for, stands against it."""


class FileRefused(Refused):
    """The file is too large, or of a type that the task does not take."""


class Unavailable(ProblemError):
    """The server cannot do it now. `retry_after_s`: when it asks to be called again, in seconds, if it says so."""

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


class NoResult(ClientError):
    """The job has no result to give."""


class JobFailed(NoResult):
    """The job ended without success; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class JobHasNoResult(NoResult):
    """The job was cancelled, or its result is gone."""


class JobNotEnded(NoResult):
    """The job is still queued or running: `wait` for it first. `job` is what it is now."""

    def __init__(self, job: JobView) -> None:
        super().__init__(f"job {job.id} is {job.status}; it has no result yet")
        self.job = job


class ServerUnreachable(ClientError):
    """No answer came: wrong address, no network, or a server that went away. What was asked may have been done."""


class UploadNotRepeatable(ServerUnreachable):
    """The upload broke off, and its file cannot be sent again: part of it was read, and it cannot be rewound."""


class FileChanged(ClientError):
    """The file ended before the size that was announced for it."""


class WaitTimedOut(ClientError):
    """The job had not ended in time; it goes on. `job` is what was seen last."""

    def __init__(self, job: JobView, timeout_s: float) -> None:
        super().__init__(f"job {job.id} is still {job.status} after {timeout_s:g} s")
        self.job = job


class UnexpectedAnswer(ClientError):
    """The answer is none of the Claimcheck API that this client knows."""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"
