"""Read what a service sends as the answer of a model. Pure.

Read here and not by the SDK, which takes whatever comes: a body that is cut off or is no answer must not pass for one.
"""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.worker.engines.language.judging import REFUSAL
from services.worker.engines.language.outcomes import Answered, Failing


class _Read(BaseModel):
    """What we need of it; services add to the protocol, and leave out what they have not."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Message(_Read):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Read):
    message: _Message
    finish_reason: str | None = None


class _Tokens(_Read):
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)


class _Completion(_Read):
    model: str | None = None
    choices: list[_Choice] = Field(min_length=1)
    usage: _Tokens | None = None


def answered(body: bytes, *, default_model: str) -> Answered | Failing:
    """The answer in the body of a 200. It is lost, and may be paid for, if it cannot be read."""
    completion = _completion(body)
    if completion is None:
        return Failing(why="unreadable", lost=True)
    choice, tokens = completion.choices[0], completion.usage or _Tokens()
    refused = choice.message.content is None and choice.message.refusal
    return Answered(
        text=choice.message.content or choice.message.refusal or "",
        model=completion.model or default_model,
        finish_reason=REFUSAL if refused else choice.finish_reason or "stop",
        input_tokens=tokens.prompt_tokens,
        output_tokens=tokens.completion_tokens,
    )


def _completion(body: bytes) -> _Completion | None:
    try:
        return _Completion.model_validate_json(body)
    except ValidationError:
        pass
    try:
        # Half a character, such as "\\ud83d" where a service cuts an emoji, cannot be kept. The rest of the answer is
        # paid for, so it is kept with a question mark in its place.
        whole = json.dumps(json.loads(body.decode()), ensure_ascii=False).encode(errors="replace")
        return _Completion.model_validate_json(whole)
    except (ValueError, RecursionError):
        return None
