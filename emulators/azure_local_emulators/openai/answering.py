"""What is answered: the text, why it ends, what it cost, and the form that the service gives it. Pure."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from .asking import Body, Question
from .instances import breaking, instance_of
from .script import Rule
from .tokens import cut_to_tokens, text_tokens

ECHO_CHARS = 400
_PIECE_CHARS = 24
_SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


@dataclass(frozen=True, slots=True)
class Said:
    """An answer before it has a form."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int

    @property
    def usage(self) -> dict[str, int]:
        """As both services put it."""
        total = self.prompt_tokens + self.completion_tokens
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": total,
        }


def say(question: Question, model: str, rule: Rule) -> Said:
    """The answer to a question under a rule."""
    text, reason = _text(question, model, rule), "stop"
    if rule.action == "cut-answer":
        text, reason = text[: len(text) // 2], "length"
    elif rule.action == "filter-answer":
        text, reason = "", "content_filter"
    if question.max_tokens is not None and text_tokens(text) > question.max_tokens:
        text, reason = cut_to_tokens(text, question.max_tokens), "length"
    return Said(text, rule.finish_reason or reason, question.prompt_tokens, text_tokens(text))


def echo(question: Question, model: str) -> str:
    """What is said without a script: who was asked what, on one line, and a line about each image."""
    asked = " ".join(question.last.split())
    lines = [f"{model} was asked: {asked[:ECHO_CHARS]}{'...' if len(asked) > ECHO_CHARS else ''}"]
    lines += (f"image {number}: {image.described()}" for number, image in enumerate(question.images, 1))
    return "\n".join(lines)


def _text(question: Question, model: str, rule: Rule) -> str:
    if rule.action == "break-json":
        return '{"broken": '
    if rule.action == "break-schema":
        return json.dumps(breaking(question.schema))
    if rule.answer_from:
        found = re.search(rule.answer_from, question.text)
        return (found[1] if found.re.groups else found[0]) if found else ""
    if rule.answer is not None:
        return rule.answer if isinstance(rule.answer, str) else json.dumps(rule.answer, ensure_ascii=False)
    text = echo(question, model)
    if question.schema is not None:
        return json.dumps(instance_of(question.schema, text), ensure_ascii=False)
    return json.dumps({"answer": text}, ensure_ascii=False) if question.wants_json else text


def whole(said: Said, version: str, *, azure: bool, with_usage: bool) -> bytes:
    """The body of an answer that comes in one piece."""
    refused = said.finish_reason == "content_filter" and not said.text
    message: Body = {"role": "assistant", "content": None if refused else said.text, "refusal": None}
    choice: Body = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish_reason}
    body = _envelope("chat.completion", version)
    body["choices"] = [choice]
    if with_usage:
        body["usage"] = said.usage
    if azure:
        choice["content_filter_results"] = _filter_results(said)
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _SAFE}]
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def events(said: Said, version: str, *, azure: bool, with_usage: bool) -> Iterator[bytes]:
    """The events of an answer that is streamed."""
    head = _envelope("chat.completion.chunk", version)
    if azure:
        yield _event(
            {**head, "choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _SAFE}]}
        )
    yield _event({**head, "choices": [_delta({"role": "assistant", "content": "", "refusal": None})]})
    for at in range(0, len(said.text), _PIECE_CHARS):
        yield _event({**head, "choices": [_delta({"content": said.text[at : at + _PIECE_CHARS]})]})
    yield _event({**head, "choices": [_delta({}, said.finish_reason)]})
    if with_usage:
        yield _event({**head, "choices": [], "usage": said.usage})
    yield b"data: [DONE]\n\n"


def _envelope(kind: str, version: str) -> Body:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": version,
        "system_fingerprint": "fp_scripted",
    }


def _delta(delta: Body, finish_reason: str | None = None) -> Body:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _event(body: Body) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def _filter_results(said: Said) -> Body:
    if said.finish_reason != "content_filter":
        return _SAFE
    return {**_SAFE, "violence": {"filtered": True, "severity": "high"}}
