"""What a submission may look like, and what it is answered, as the API's description shows it."""

from __future__ import annotations

from typing import Any

from claimcheck.errors import (
    BlobsUnavailable,
    EmptyUpload,
    IdempotencyKeyErased,
    IdempotencyKeyReused,
    InputNotTaken,
    InvalidOptions,
    JobHasNoResult,
    JobHasNotEnded,
    JobNotFound,
    MalformedUpload,
    QueueUnavailable,
    RecordsUnavailable,
    ServerFull,
    ServerStopping,
    TooManyUploads,
    Unauthenticated,
    UnknownTask,
    UnsupportedMedia,
    UploadTooLarge,
    UploadTooSlow,
)
from claimcheck.language import MAX_CHAT_MESSAGES
from claimcheck.representation import JobView
from claimcheck.tasks import catalogue
from claimcheck.web.openapi import (
    LOCATION,
    OPERATION_LOCATION,
    PREFERENCE_APPLIED,
    RETRY_AFTER,
    Responses,
    problems,
    request_header,
)
from services.process_api.json_input import MAX_JSON_BYTES
from services.process_api.source import FIELDS

_OPTIONS = {
    "type": "string",
    "description": "The task's options: a JSON object.",
    "examples": ['{"language": "en"}'],
}
_KEY = request_header(
    "Idempotency-Key", "1 to 255 visible ASCII characters; the same key is the same job.", "order-1234"
)
_NAME = request_header(
    "Content-Disposition", "The file's name, where the body is the file.", 'attachment; filename="talk.mp3"'
)
_REFUSED = problems(
    *(MalformedUpload, InvalidOptions, InputNotTaken, UnknownTask, EmptyUpload, Unauthenticated, UploadTooSlow),
    *(UploadTooLarge, UnsupportedMedia, TooManyUploads, IdempotencyKeyErased, IdempotencyKeyReused),
    *(JobNotFound, JobHasNotEnded, JobHasNoResult),
    *(BlobsUnavailable, QueueUnavailable, RecordsUnavailable, ServerFull, ServerStopping),
)
_MESSAGES = {
    "type": "array",
    "description": "A chat; the user has the last word.",
    "minItems": 1,
    "maxItems": MAX_CHAT_MESSAGES,
    "items": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {
            "role": {"type": "string", "enum": ["system", "user", "assistant"]},
            "content": {"type": "string", "minLength": 1},
        },
        "additionalProperties": False,
    },
}
_ADDRESSES = {"Location": LOCATION, "Operation-Location": OPERATION_LOCATION}

SUBMITTED: Responses = {
    200: {
        "model": JobView,
        "description": "The client preferred to wait, and the job has ended in time.",
        "headers": {**_ADDRESSES, "Preference-Applied": PREFERENCE_APPLIED},
    },
    202: {
        "model": JobView,
        "description": "Accepted: the job will reach an end, and Location says where it stands.",
        "headers": {**_ADDRESSES, "Retry-After": RETRY_AFTER, "Preference-Applied": PREFERENCE_APPLIED},
    },
    **_REFUSED,
}
REFERENCE_SUBMITTED: Responses = {
    202: {
        "description": "Accepted: results_url says where it stands.",
        "headers": {"Location": LOCATION, "Retry-After": RETRY_AFTER},
        "content": {"application/json": {"schema": {"type": "object", "required": ["id", "results_url"]}}},
    },
    **_REFUSED,
}


def submission(default_task: str, *headers: dict[str, Any]) -> dict[str, Any]:
    """Parameters and body of a route that takes a file, with these headers besides those that every one has.

    `default_task`: empty for a route that chooses by content.
    """
    task = {
        "type": "string",
        "enum": [*sorted(catalogue()), ""],  # A form sends a field that was left empty as an empty one.
        "description": "What to do with it." if default_task else "What to do with it; chosen by its type.",
        **({"default": default_task} if default_task else {}),
    }
    said: dict[str, Any] = dict(zip(FIELDS, (task, _OPTIONS), strict=True))
    parameters = [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": "Unless the body says it."}
        for name, schema in said.items()
    ]
    return {
        "parameters": [*parameters, _KEY, _NAME, *headers],
        "requestBody": {"required": True, "content": _content(said)},
    }


def _content(said: dict[str, Any]) -> dict[str, Any]:
    file = {"type": "string", "format": "binary", "description": "A recording, image or document."}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": file, **said},
        "additionalProperties": False,
    }
    return {
        "multipart/form-data": {"schema": form},
        # Stands for every type besides the other two.
        "application/octet-stream": {"schema": file},
        "application/json": {"schema": _json(said["task"])},
    }


def _json(task: dict[str, Any]) -> dict[str, Any]:
    one = {
        "type": "object",
        "description": f"What to work on; GET /v1/models says what each task takes. {MAX_JSON_BYTES:,} bytes at most.",
        "properties": {
            "text": {"type": "string", "minLength": 1, "description": "The text itself."},
            "messages": _MESSAGES,
            "job_id": {"type": "string", "description": "An earlier job that has succeeded: its text is the input."},
        },
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "required": ["input"],
        "properties": {"task": task, "input": one, "options": {"type": "object"}},
        "additionalProperties": False,
    }
