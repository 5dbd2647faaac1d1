"""The JSON body `{task, input, options}`: for input that is no file. A text or a chat becomes the job's upload.

An earlier job's text is named here and fetched by `earlier`. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from claimcheck import strict_json
from claimcheck.breaches import first_of
from claimcheck.errors import EmptyUpload, InvalidOptions, MalformedRequest
from claimcheck.language import CHAT_TYPE, MAX_CHAT_MESSAGES, Chat
from claimcheck.tasks import find_task
from services.process_api.content import PLAIN_TEXT
from services.process_api.form import MAX_FIELD_BYTES
from services.process_api.intent import DEFAULT_TASK, Order

# Long chats and the text of most documents are below it, and so is every prompt that `complete` takes by default. With
# its copies a request of this size holds less than the block that any upload may hold. A longer text is a file.
MAX_JSON_BYTES = 1024 * 1024


class JsonInput(BaseModel):
    """What to work on: exactly one of these."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = ""
    """The text itself."""
    messages: list[Any] = []
    """A chat."""
    job_id: str = ""
    """An earlier job, whose text is the input."""


class JsonSubmission(BaseModel):
    """A submission without a file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    task: str = ""
    """Default: transcribe."""
    input: JsonInput
    options: dict[str, Any] = {}


@dataclass(frozen=True)
class JsonOrder:
    """What a JSON body asks for."""

    order: Order
    content: bytes
    """The input's bytes; none yet if it is the text of the order's `input_of`."""


def read_submission(body: bytes, *, given: Mapping[str, str], default_task: str) -> JsonOrder:
    """What is asked for. `given`: what the query says, which must be nothing.

    Raises MalformedRequest, UnknownTask, InvalidOptions, InputNotTaken, EmptyUpload.
    """
    if given:
        raise MalformedRequest(f"the query says {', '.join(given)}; with a JSON body, say it there")
    said = _validated(body)
    kinds = sorted(said.input.model_fields_set)
    if len(kinds) != 1:
        known = ", ".join(JsonInput.model_fields)
        raise MalformedRequest(f"input has {', '.join(kinds) or 'nothing'}; one of {known} is expected")
    (kind,) = kinds
    task = find_task(said.task or default_task or DEFAULT_TASK)
    _check_size(said.options)
    options = task.validated(said.options)
    task.check_input(kind)
    if kind == "job_id":
        return JsonOrder(Order(task, options, name="", media_type=PLAIN_TEXT, input_of=said.input.job_id), b"")
    if kind == "messages":
        return JsonOrder(Order(task, options, name="", media_type=CHAT_TYPE), _chat(said.input.messages))
    if not said.input.text:
        raise EmptyUpload("input.text has 0 characters; at least 1 is expected")
    return JsonOrder(Order(task, options, name="", media_type=PLAIN_TEXT), said.input.text.encode())


def _validated(body: bytes) -> JsonSubmission:
    try:
        return JsonSubmission.model_validate(strict_json.parse(body.decode()))
    except ValidationError as cause:
        raise MalformedRequest(first_of(cause, whole="the body")) from cause
    except ValueError as cause:
        raise MalformedRequest(f"the body is no JSON: {cause}") from cause


def _check_size(options: Mapping[str, Any]) -> None:
    """Like those of a form: they are kept in the job's record, which every poll reads. Raises InvalidOptions."""
    size_bytes = len(json.dumps(options, ensure_ascii=False).encode())
    if size_bytes > MAX_FIELD_BYTES:
        raise InvalidOptions(f"options have {size_bytes:,} bytes; the limit is {MAX_FIELD_BYTES:,}")


def _chat(messages: list[Any]) -> bytes:
    """The chat as it is kept: the same bytes for the same chat, by which an idempotency key knows its request."""
    if not 0 < len(messages) <= MAX_CHAT_MESSAGES:
        raise MalformedRequest(f"input.messages has {len(messages):,} messages; 1 to {MAX_CHAT_MESSAGES} are expected")
    try:
        chat = Chat.model_validate({"messages": messages})
    except ValidationError as cause:
        raise MalformedRequest(first_of(cause, "input", whole="the body")) from cause
    return json.dumps(chat.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":")).encode()
