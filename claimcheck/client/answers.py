"""What an answer means: a job, a page of jobs, a result, or the error to raise. Pure.

Read tolerantly: fields that a newer server adds are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from claimcheck import model_views, representation
from claimcheck.client.errors import (
    Conflict,
    FileRefused,
    JobFailed,
    JobHasNoResult,
    JobNotEnded,
    KeyRefused,
    NotFound,
    Problem,
    ProblemError,
    Refused,
    Unavailable,
    UnexpectedAnswer,
)
from claimcheck.client.exchange import Reply
from claimcheck.client.retrying import retry_after_s
from claimcheck.errors import PROBLEM_TYPE
from claimcheck.job import TERMINAL

_REFUSALS: Mapping[int, type[Refused]] = {
    401: KeyRefused,
    403: KeyRefused,
    404: NotFound,
    409: Conflict,
    413: FileRefused,
    415: FileRefused,
    422: Conflict,
}
Model = TypeVar("Model", bound=BaseModel)

_LATER = frozenset({408, 429})
_NO_RESULT = f"{PROBLEM_TYPE}job-has-no-result"


class JobView(representation.JobView):
    """A job as it was when the API answered. Times are aware; fields that do not apply (yet) are None."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @property
    def ended(self) -> bool:
        """Whether it has succeeded, failed or been cancelled: then it never changes again."""
        return self.status in TERMINAL


class ModelView(model_views.ModelView):
    """A model that options can name."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class TaskView(model_views.TaskView):
    """A task of the installation, and the models that its options can name."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ModelList(BaseModel):
    """What the installation offers: `data` are its models, in the order in which they are asked."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    data: tuple[ModelView, ...]
    tasks: tuple[TaskView, ...]


class Page(BaseModel):
    """Some of the jobs, newest first."""

    jobs: list[JobView]
    next_url: str | None = None

    @property
    def next_params(self) -> dict[str, str] | None:
        """The query of the next page; None on the last.

        Only the query is taken from the server's URL: a key goes to the configured addresses and nowhere else.
        """
        return dict(parse_qsl(urlsplit(self.next_url).query)) if self.next_url else None


def job(reply: Reply) -> JobView:
    """The job in an answer. Raises ProblemError, UnexpectedAnswer."""
    refuse(reply)
    return _read(JobView, reply)


def page(reply: Reply) -> Page:
    """The page of jobs in an answer. Raises ProblemError, UnexpectedAnswer."""
    refuse(reply)
    return _read(Page, reply)


def view(model: type[Model], reply: Reply) -> Model:
    """What an operator is shown. Raises ProblemError, UnexpectedAnswer."""
    refuse(reply)
    return _read(model, reply)


def result(reply: Reply) -> bytes:
    """The result's bytes. Raises NoResult, ProblemError, UnexpectedAnswer."""
    if reply.status == 202:
        raise JobNotEnded(job(reply))
    document = _document(reply) if reply.status == 409 else {}
    if document.get("type") == _NO_RESULT:
        if isinstance(document.get("error"), Mapping):
            raise JobFailed(Problem.parse(document["error"], 422))
        raise JobHasNoResult(str(document.get("detail", "the job has no result")))
    refuse(reply)
    return reply.body


def value(body: bytes) -> dict[str, Any]:
    """A JSON result. Raises UnexpectedAnswer."""
    try:
        found = json.loads(body)
    except ValueError as cause:
        raise UnexpectedAnswer(f"the result is no JSON: {_start(body)}") from cause
    if not isinstance(found, dict):
        raise UnexpectedAnswer(f"the result is no JSON object: {_start(body)}")
    return found


def refuse(reply: Reply) -> None:
    """Raise what the answer says, unless it is a success."""
    if 200 <= reply.status < 300:
        return
    if reply.status < 400:
        # Not followed: the key would go wherever the answer points.
        to = reply.headers.get("location", "nowhere")
        raise UnexpectedAnswer(f"the server answered {reply.status} and points to {to[:200]}; is the address right?")
    raise problem_error(reply)


def problem_error(reply: Reply) -> ProblemError:
    """The error that an answer of 400 and above is."""
    problem = Problem.parse(_document(reply), reply.status)
    if not problem.type.startswith(PROBLEM_TYPE):
        problem = replace(problem, detail=f"{problem.detail}; is the address right?")
    if reply.status >= 500 or reply.status in _LATER:
        return Unavailable(problem, retry_after_s(reply.headers))
    return _REFUSALS.get(reply.status, Refused)(problem)


def _document(reply: Reply) -> Mapping[str, Any]:
    """The answer's JSON object; empty if it is none, for example a proxy's page."""
    try:
        found = json.loads(reply.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _read(model: type[Model], reply: Reply) -> Model:
    try:
        return model.model_validate_json(reply.body)
    except ValidationError as cause:
        raise UnexpectedAnswer(
            f"the server answered {reply.status} with something else than a {model.__name__}: {_start(reply.body)};"
            " is this the address of a Claimcheck API?"
        ) from cause


def _start(body: bytes) -> str:
    return repr(body[:60].decode(errors="replace"))
