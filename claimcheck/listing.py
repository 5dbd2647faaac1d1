"""A page of jobs: what its query may say, where it goes on, and how HTTP shows it. Pure.

`after` is the keyset of the page before: its last job's `created_at` and id, packed, with a checksum that catches what
was cut off or made up. It opens nothing: whatever it says, only the caller's jobs are listed.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict

from claimcheck.errors import MalformedRequest
from claimcheck.job import Job, Status
from claimcheck.representation import VERSION, Answer, JobView, Urls, view
from claimcheck.tasks import Task, catalogue, find_task

DEFAULT_LIMIT: Final = 20
MOST_JOBS: Final = 100  # A page of 100 jobs is about 50 KB.
PARAMETERS: Final = ("status", "task", "limit", "after")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_BYTES, _ID_BYTES, _CHECK_BYTES = 6, 16, 4


@dataclass(frozen=True)
class Position:
    """Where a page ends: its last job's `created_at` and id."""

    created_at: datetime
    job_id: str


@dataclass(frozen=True)
class Wanted:
    """Which of a tenant's jobs; None: all."""

    status: Status | None = None
    task: str | None = None


@dataclass(frozen=True)
class ListQuery:
    """What one page is asked for with."""

    wanted: Wanted = Wanted()
    limit: int = DEFAULT_LIMIT
    after: Position | None = None


class JobListView(BaseModel):
    """A page of the caller's jobs, newest first, without their results."""

    model_config = ConfigDict(extra="forbid")

    v: Literal[1] = VERSION
    jobs: list[JobView]
    next_url: str | None = None
    """The next page; absent on the last one."""


def given_once(parameters: Iterable[tuple[str, str]], known: Collection[str]) -> dict[str, str]:
    """The parameters of a query by name. Raises MalformedRequest for one that is not `known`, or comes twice."""
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in known:
            raise MalformedRequest(f"the query has a parameter {name[:40]!r}; known: {', '.join(known)}")
        if name in given:
            raise MalformedRequest(f"{name} is given more than once; once is expected")
        given[name] = value
    return given


def read_query(parameters: Iterable[tuple[str, str]]) -> ListQuery:
    """The query of a list. Raises MalformedRequest, UnknownTask: a typo must not look like an empty list."""
    given = given_once(parameters, PARAMETERS)
    return ListQuery(
        wanted=Wanted(
            status=_status(given["status"]) if "status" in given else None,
            task=find_task(given["task"]).name if "task" in given else None,
        ),
        limit=_limit(given["limit"]) if "limit" in given else DEFAULT_LIMIT,
        after=unpacked(given["after"]) if "after" in given else None,
    )


def listed(query: ListQuery, found: Sequence[Job], *, tasks: Mapping[str, Task], urls: Urls, now: datetime) -> Answer:
    """A page. `found`: one job more than the page's limit if there are that many; it only says that more follow."""
    shown = found[: query.limit]
    body: dict[str, Any] = {
        "v": VERSION,
        "jobs": [view(job, task=tasks.get(job.task), urls=urls, now=now) for job in shown],
    }
    headers: dict[str, str] = {}
    if len(found) > len(shown):
        body["next_url"] = _next_url(query, shown[-1], urls)
        headers["Link"] = f'<{body["next_url"]}>; rel="next"'
    return Answer(200, body, headers)


def described() -> list[dict[str, Any]]:
    """The parameters of a list, as the API's description shows them."""
    schemas: dict[str, tuple[dict[str, Any], str]] = {
        "status": ({"type": "string", "enum": list(Status)}, "Only jobs in this state."),
        "task": ({"type": "string", "enum": sorted(catalogue())}, "Only jobs of this task."),
        "limit": (
            {"type": "integer", "minimum": 1, "maximum": MOST_JOBS, "default": DEFAULT_LIMIT},
            "How many jobs a page has at most.",
        ),
        "after": ({"type": "string"}, "Where the page begins: taken from the next_url of the one before."),
    }
    return [
        {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
        for name, (schema, text) in schemas.items()
    ]


def packed(position: Position) -> str:
    """The position as `after` carries it."""
    milliseconds = (position.created_at - _EPOCH) // timedelta(milliseconds=1)
    content = milliseconds.to_bytes(_TIME_BYTES, "big") + uuid.UUID(position.job_id).bytes
    checksum = hashlib.sha256(content).digest()[:_CHECK_BYTES]
    return base64.urlsafe_b64encode(content + checksum).decode().rstrip("=")


def unpacked(after: str) -> Position:
    """The position that `packed` made this text of. Raises MalformedRequest for any other text."""
    try:
        raw = base64.urlsafe_b64decode(after + "==")
        created_at = _EPOCH + timedelta(milliseconds=int.from_bytes(raw[:_TIME_BYTES], "big"))
        position = Position(created_at, str(uuid.UUID(bytes=raw[_TIME_BYTES : _TIME_BYTES + _ID_BYTES])))
        # Packed again, since decoding overlooks much, and to compare the checksum.
        if packed(position) == after:
            return position
    except (ValueError, OverflowError):
        pass
    raise MalformedRequest(f"after is {after[:60]!r}; the one in the next_url of an earlier page is expected")


def _status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        raise MalformedRequest(f"status is {text[:40]!r}; one of {', '.join(Status)} is expected") from None


def _limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_JOBS)) else 0
    if not 1 <= limit <= MOST_JOBS:
        raise MalformedRequest(f"limit is {text[:40]!r}; a whole number from 1 to {MOST_JOBS} is expected")
    return limit


def _next_url(query: ListQuery, last: Job, urls: Urls) -> str:
    wanted = {"status": query.wanted.status, "task": query.wanted.task}
    after = packed(Position(last.created_at, last.job_id))
    parameters = {name: value for name, value in wanted.items() if value is not None}
    return f"{urls.status}/v1/jobs?{urlencode({**parameters, 'limit': query.limit, 'after': after})}"
