"""What the status API answers, as its description shows it."""

from __future__ import annotations

from typing import Any

from claimcheck.errors import (
    BlobsUnavailable,
    FormatNotAvailable,
    JobHasNoResult,
    JobNotFound,
    RecordsUnavailable,
    Unauthenticated,
    UnknownTask,
)
from claimcheck.listing import JobListView
from claimcheck.model_views import ModelListView
from claimcheck.representation import JobView, OperationView
from claimcheck.tasks import catalogue
from claimcheck.web.openapi import PREFER, PREFERENCE_APPLIED, RETRY_AFTER, Responses, header, problems, request_header

_ETAG = header("The state of the job, for If-None-Match.", 'W/"0000-1a2b"')
_DISPOSITION = header("A name for the file.", 'attachment; filename="talk.srt"')
_LINK = header("The next page, if there is one.", '<https://status.example/v1/jobs?after=...>; rel="next"')
_ONE_JOB = problems(Unauthenticated, JobNotFound, RecordsUnavailable)
_WITH_RESULT = (Unauthenticated, JobNotFound, RecordsUnavailable, BlobsUnavailable)
_UNFINISHED: dict[str, Any] = {
    "model": JobView,
    "description": "The job has not ended: ask again.",
    "headers": {"Retry-After": RETRY_AFTER, "ETag": _ETAG, "Preference-Applied": PREFERENCE_APPLIED},
}

JOB: Responses = {
    200: {
        "model": JobView,
        "description": "The job has ended, and this is its result, or why it has none.",
        "headers": {"ETag": _ETAG, "Preference-Applied": PREFERENCE_APPLIED},
    },
    202: _UNFINISHED,
    304: {"description": "The caller has this state already.", "headers": {"ETag": _ETAG}},
    **problems(*_WITH_RESULT),
}
JOB_PARAMETERS: dict[str, Any] = {
    "parameters": [
        PREFER,
        request_header("If-None-Match", "ETags of the states that the caller has.", 'W/"0000-1a2b"'),
    ]
}
LIST: Responses = {
    200: {"model": JobListView, "description": "A page of jobs.", "headers": {"Link": _LINK}},
    **problems(Unauthenticated, UnknownTask, RecordsUnavailable),
}
MODELS: Responses = {
    200: {"model": ModelListView, "description": "What options can name, and what there is to ask for."},
    **problems(Unauthenticated),
}
OPERATION: Responses = {
    200: {"model": OperationView, "description": "Where the job stands.", "headers": {"Retry-After": RETRY_AFTER}},
    **_ONE_JOB,
}
REFERENCE: Responses = {
    200: {"description": "The job has ended.", "content": {"application/json": {"schema": {"type": "object"}}}},
    202: {
        "description": "The job has not ended: ask again.",
        "headers": {"Retry-After": RETRY_AFTER},
        "content": {"application/json": {"schema": {"type": "object", "required": ["message"]}}},
    },
    **problems(*_WITH_RESULT),
}


def result() -> Responses:
    """The answers of the route of results: in every format that some task has."""
    formats = {form.media_type for task in catalogue().values() for form in task.formats.values()}
    return {
        200: {
            "description": "The result as a file.",
            "headers": {"Content-Disposition": _DISPOSITION, "Preference-Applied": PREFERENCE_APPLIED},
            "content": {media_type: {"schema": {}} for media_type in sorted(formats)},
        },
        202: _UNFINISHED,
        **problems(*_WITH_RESULT, FormatNotAvailable, JobHasNoResult),
    }
