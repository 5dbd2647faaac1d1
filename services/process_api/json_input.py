"""The JSON body `{task, input, options}`: for input that is no file. A text becomes the job's upload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from claimcheck.errors import EmptyUpload, MalformedRequest
from claimcheck.tasks import find_task
from services.process_api import strict_json
from services.process_api.intent import DEFAULT_TASK, Order

MAX_JSON_BYTES = 64 * 1024  # Like the fields of a form. A longer text is a file.
TEXT_TYPE = "text/plain"


class JsonInput(BaseModel):
    """What to work on: exactly one of these."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = ""
    """The text itself."""
    job_id: str = ""
    """An earlier job, whose result is the input."""


class JsonSubmission(BaseModel):
    """A submission without a file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    task: str = ""
    """Default: transcribe."""
    input: JsonInput
    options: dict[str, Any] = {}


def read_submission(body: bytes, *, given: Mapping[str, str], default_task: str) -> tuple[Order, bytes]:
    """What is asked for, and the input's bytes. `given`: what the query says, which must be nothing.

    Raises MalformedRequest, UnknownTask, InvalidOptions, InputNotTaken, EmptyUpload.
    """
    if given:
        raise MalformedRequest(f"the query says {', '.join(given)}; with a JSON body, say it there")
    said = _validated(body)
    kinds = sorted(said.input.model_fields_set)
    if len(kinds) != 1:
        raise MalformedRequest(f"input has {', '.join(kinds) or 'nothing'}; one of text and job_id is expected")
    task = find_task(said.task or default_task or DEFAULT_TASK)
    options = task.validated(said.options)
    task.check_input(kinds[0])
    if not said.input.text:
        raise EmptyUpload("input.text has 0 characters; at least 1 is expected")
    return Order(task, options, name="", media_type=TEXT_TYPE), said.input.text.encode()


def _validated(body: bytes) -> JsonSubmission:
    try:
        return JsonSubmission.model_validate(strict_json.parse(body.decode()))
    except ValidationError as cause:
        first = cause.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise MalformedRequest(f"{where}: {first['msg']}") from cause
    except ValueError as cause:
        raise MalformedRequest(f"the body is no JSON: {cause}") from cause
