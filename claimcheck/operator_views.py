"""What operators are shown: dead letters, what became of them, and jobs that do not move. Pure.

Never anything of a client's content: no file name, no options, no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict

from claimcheck.dead_letters import NOBODY, DeadLetter
from claimcheck.job import At, Job, Status, Tombstone
from claimcheck.operator_queries import LetterId, PageQuery, Position
from claimcheck.representation import VERSION, Answer

Outcome = Literal["replayed", "discarded", "would-replay", "would-discard", "refused", "failed"]


class View(BaseModel):
    """Anything that is shown; absent fields do not apply. Clients read it too: what a newer server adds is ignored."""

    model_config = ConfigDict(extra="ignore")


class LetterView(View):
    """A dead letter, without its body."""

    id: str
    tenant: str | None = None
    """Absent, like `job_id`, if no job can be read from the letter."""
    job_id: str | None = None
    task: str | None = None
    queue: str
    message_id: str
    reason: str
    """The broker's, such as `MaxDeliveryCountExceeded`, or that of who parked it."""
    description: str
    delivery_count: int
    enqueued_at: At
    stored_at: At
    """When the keeper took it off the broker; ages count from then."""
    replayed_as: str | None = None
    """The job that was made of it."""


class LetterListView(View):
    """A page of dead letters of all tenants, newest first."""

    v: Literal[1] = VERSION
    letters: list[LetterView]
    next_url: str | None = None
    """The next page; absent on the last one."""


class JobStateView(View):
    """Where a job stands, for who may not see what is in it."""

    id: str
    tenant: str
    task: str
    status: Status
    stage: str
    attempt: int
    parts_done: int | None = None
    parts_total: int | None = None
    created_at: At
    moved_at: At
    """When its record was last written."""
    due_at: At | None = None
    deadline_at: At
    """When the keeper fails it."""
    running_since: At | None = None
    """Absent if no worker has it."""
    retry_of: str | None = None
    error: dict[str, Any] | None = None
    """Why it failed: a problem object (RFC 9457)."""


class LetterDetailView(LetterView):
    """A dead letter, what it says, and where its job stands."""

    v: Literal[1] = VERSION
    message: dict[str, Any] | None = None
    """What its body says, if it can be decoded."""
    body_base64: str
    job: JobStateView | None = None
    """Absent if it has expired or was erased."""
    refusal: dict[str, Any] | None = None
    """Why a replay would be refused: a problem object (RFC 9457)."""


class LetterOutcomeView(View):
    """What became, or would become, of one dead letter."""

    id: str
    outcome: Outcome
    job_id: str | None = None
    """The job that it is replayed as."""
    problem: dict[str, Any] | None = None
    """Why it was refused, or failed: a problem object (RFC 9457)."""


class OutcomesView(View):
    """What became, or would become, of some dead letters."""

    v: Literal[1] = VERSION
    dry_run: bool
    letters: list[LetterOutcomeView]
    untried: list[str]
    """Letters that were chosen and left alone, since time ran out or a dependency failed: send them again."""
    after: str | None = None
    """Where the next ones begin, if letters were chosen by filters and there are more."""


class StuckJobsView(View):
    """Jobs that have not ended and do not move, those first that have waited longest."""

    v: Literal[1] = VERSION
    unmoved_s: float
    """For longer than so many seconds."""
    jobs: list[JobStateView]
    more: bool
    """Whether there are more than the limit."""


def letter_view(letter: DeadLetter) -> LetterView:
    """A letter as it is listed."""
    return LetterView(**_letter_fields(letter))


def letter_detail_view(
    letter: DeadLetter,
    record: Job | Tombstone | None,
    *,
    message: dict[str, Any] | None,
    refusal: dict[str, Any] | None,
) -> LetterDetailView:
    """A letter as it is shown alone. `record`: of its job."""
    return LetterDetailView(
        **_letter_fields(letter),
        message=message,
        body_base64=letter.body_base64,
        job=job_state_view(record) if isinstance(record, Job) else None,
        refusal=refusal,
    )


def _letter_fields(letter: DeadLetter) -> dict[str, Any]:
    names = ("queue", "message_id", "reason", "description", "delivery_count", "enqueued_at", "stored_at")
    nobody = letter.job_id == NOBODY
    return {
        "id": str(LetterId.of(letter)),
        "tenant": None if nobody else letter.tenant,
        "job_id": None if nobody else letter.job_id,
        "task": letter.task or None,
        "replayed_as": letter.replayed_as,
        **{name: getattr(letter, name) for name in names},
    }


def job_state_view(job: Job) -> JobStateView:
    """Where the job stands."""
    return JobStateView(
        id=job.job_id,
        tenant=job.tenant,
        task=job.task,
        status=job.status,
        stage=job.stage,
        attempt=job.attempt,
        parts_done=job.parts.done if job.parts.total else None,
        parts_total=job.parts.total or None,
        created_at=job.created_at,
        moved_at=job.moved_at,
        due_at=job.due_at,
        deadline_at=job.deadline_at,
        running_since=job.run.started_at if job.run else None,
        retry_of=job.retry_of,
        error=job.end.error if job.end else None,
    )


def listed(query: PageQuery, found: Sequence[DeadLetter], *, url: str) -> Answer:
    """A page. `found`: one letter more than the limit if there are that many; `url`: of the list."""
    shown = found[: query.limit]
    page = LetterListView(letters=[letter_view(letter) for letter in shown])
    headers: dict[str, str] = {}
    if len(found) > len(shown):
        after = Position(shown[-1].stored_at, shown[-1].id)
        filters = query.filters.model_dump(exclude_none=True)
        page.next_url = f"{url}?{urlencode({**filters, 'limit': query.limit, 'after': str(after)})}"
        headers["Link"] = f'<{page.next_url}>; rel="next"'
    return Answer(200, body_of(page), headers)


def body_of(shown: View) -> dict[str, Any]:
    """As JSON values."""
    return shown.model_dump(mode="json", exclude_none=True)
