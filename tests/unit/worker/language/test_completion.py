"""services/worker/engines/language/completion.py: what passes for an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.worker.engines.language.completion import answered
from services.worker.engines.language.judging import REFUSAL
from services.worker.engines.language.outcomes import Answered, Failing

UNREADABLE = Failing(why="unreadable", lost=True)


def body(**fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello", **fields.pop("message", {})}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **fields.pop("choice", {})}
    return {"model": "m-1", "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 4}, **fields}


def read(given: Any) -> Answered | Failing:
    return answered(json.dumps(given).encode(), default_model="m")


def test_answer_is_read() -> None:
    assert read(body()) == Answered(text="Hello", model="m-1", finish_reason="stop", input_tokens=3, output_tokens=4)


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        (body(model=None), {"model": "m"}),
        (body(model=""), {"model": "m"}),
        (body(usage=None), {"input_tokens": 0, "output_tokens": 0}),
        (body(usage={"prompt_tokens": 9}), {"input_tokens": 9, "output_tokens": 0}),
        (body(choice={"finish_reason": None}), {"finish_reason": "stop"}),
        (body(choice={"finish_reason": "length"}), {"finish_reason": "length"}),
        (
            body(choice={"finish_reason": "content_filter"}, message={"content": None}),
            {"finish_reason": "content_filter"},
        ),
        (body(message={"content": None, "refusal": "I won't"}), {"text": "I won't", "finish_reason": REFUSAL}),
        (body(message={"content": ""}), {"text": "", "finish_reason": "stop"}),
        (body(message={"content": None}), {"text": "", "finish_reason": "stop"}),
    ],
)
def test_what_a_service_leaves_out_has_a_meaning(given: Any, changed: dict[str, Any]) -> None:
    outcome = read(given)
    assert isinstance(outcome, Answered)
    assert {name: getattr(outcome, name) for name in changed} == changed


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"null",
        b"[]",
        b'"Hello"',
        b'{"choices": []}',
        b'{"choices": [{"index": 0}]}',
        b'{"error": {"message": "no"}}',
        json.dumps(body())[:-20].encode(),
        json.dumps(body(message={"content": [{"type": "text"}]})).encode(),
        json.dumps(body(usage={"prompt_tokens": -1})).encode(),
        b'{"choices": [{"massage": {"content": "\\ud800"}}]}',
        b"[" * 100_000,
        json.dumps(body()).encode("utf-16"),
    ],
    ids=str,
)
def test_what_is_no_answer_is_lost(raw: bytes) -> None:
    assert answered(raw, default_model="m") == UNREADABLE


def test_half_a_character_is_replaced_and_the_answer_kept() -> None:
    outcome = read(body(message={"content": "Hello \ud83d"}, model="m\udc00", usage={"completion_tokens": 2}))
    assert outcome == Answered(text="Hello ?", model="m?", finish_reason="stop", input_tokens=0, output_tokens=2)


def test_whole_characters_are_kept_however_they_are_written() -> None:
    given = body(message={"content": "Hello \N{GRINNING FACE}"})
    assert b"ud83d" in json.dumps(given).encode()
    assert read(given) == answered(json.dumps(given, ensure_ascii=False).encode(), default_model="m")
    assert "\N{GRINNING FACE}" in str(read(given))
