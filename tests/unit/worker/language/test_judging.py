"""services/worker/engines/language/judging.py: what follows from the answers that a question has."""

from __future__ import annotations

import time
from typing import Any

import pytest

from claimcheck.errors import AnswerInvalid, ContentRefused
from claimcheck.language import Call
from services.worker.engines.language.judging import (
    FILTERED,
    REFUSAL,
    UNKEPT,
    Ask,
    Done,
    judge,
    messages_for,
    read,
)
from services.worker.engines.language.question import Question

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
GOOD, BAD = '{"n": 1}', '{"n": "one"}'
MESSAGES = [{"role": "system", "content": "Count."}, {"role": "user", "content": "How many?"}]
PLAIN = Question(name="q", messages=MESSAGES)
STRICT = Question(name="q", messages=MESSAGES, json_schema=SCHEMA)


def call(text: str, endpoint: str = "a", reason: str = "stop") -> Call:
    return Call(
        text=text, endpoint=endpoint, model="m", finish_reason=reason, input_tokens=1, output_tokens=7, latency_s=0.1
    )


@pytest.mark.parametrize(
    ("question", "calls", "verdict"),
    [
        (PLAIN, [], Ask(("a", "b"))),
        (PLAIN, [call("Five")], Done(call("Five"))),
        (PLAIN, [call("Fi", reason="length")], Done(call("Fi", reason="length"))),
        (PLAIN, [call("I won't", reason=REFUSAL)], Done(call("I won't", reason=REFUSAL))),
        (PLAIN, [call("first"), call("second", "b")], Done(call("first"))),
        (STRICT, [], Ask(("a", "b"))),
        (STRICT, [call(GOOD)], Done(call(GOOD), {"n": 1})),
        (STRICT, [call(BAD)], Ask(("a", "b"), prefer="a")),
        (STRICT, [call("no JSON", "b")], Ask(("a", "b"), prefer="b")),
        (STRICT, [call(BAD), call(GOOD)], Done(call(GOOD), {"n": 1})),
        (STRICT, [call(BAD), call(BAD)], Ask(("b",))),
        (STRICT, [call(BAD), call(BAD, "b")], Ask(("a", "b"), prefer="b")),
        (STRICT, [call(BAD), call(BAD), call(BAD, "b")], Ask(("b",), prefer="b")),
        (STRICT, [call(BAD, "gone")], Ask(("a", "b"))),
        (STRICT, [call(BAD), call(GOOD, "b"), call('{"n": 2}')], Done(call(GOOD, "b"), {"n": 1})),
    ],
)
def test_verdict(question: Question, calls: list[Call], verdict: Done | Ask) -> None:
    assert judge(question, calls, ("a", "b")) == verdict


def test_answer_is_invalid_once_every_endpoint_has_repaired_its_own() -> None:
    calls = [call(BAD), call(BAD), call(BAD, "b"), call('{"n": "two"}', "b", "length")]
    with pytest.raises(AnswerInvalid) as raised:
        judge(STRICT, calls, ("a", "b"))
    assert raised.value.detail == "4 answers of 2 endpoints break the schema; the last was cut at 7 tokens"
    assert raised.value.extra == {"why": "n breaks properties/n/type"}


@pytest.mark.parametrize("question", [PLAIN, STRICT])
def test_filtered_answer_is_refused(question: Question) -> None:
    with pytest.raises(ContentRefused, match="the content filter of a refused"):
        judge(question, [call("", reason=FILTERED)], ("a", "b"))


def test_model_that_refuses_the_schema_is_not_asked_to_repair() -> None:
    with pytest.raises(ContentRefused, match="the model of a refused"):
        judge(STRICT, [call("I can't help with that", reason=REFUSAL)], ("a", "b"))


@pytest.mark.parametrize(
    "text",
    [GOOD, f"```json\n{GOOD}\n```", f"```\n{GOOD}\n```\n", f"  ```JSON\n{GOOD}```", f"\n{GOOD}\n"],
)
def test_json_is_found_bare_and_in_a_fence(text: str) -> None:
    assert read(text, SCHEMA) == ({"n": 1}, "")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the answer is no JSON"),
        ("Sure! Here it is: {}", "the answer is no JSON"),
        ("```json\n{}", "the answer is no JSON"),
        ("```{}```", "the answer is no JSON"),
        ("``````", "the answer is no JSON"),
        ("```", "the answer is no JSON"),
        ("null", "the answer breaks type"),
        ("{}", "the answer breaks required"),
        (BAD, "n breaks properties/n/type"),
    ],
)
def test_why_says_where_and_not_what(text: str, why: str) -> None:
    assert read(text, SCHEMA)[1] == why


@pytest.mark.parametrize(
    "text",
    [
        '{"n": NaN}',
        '{"n": 1e999}',
        '{"n": 9007199254740992}',
        '{"n": 1, "n": 2}',
        r'{"n": "SECRET\ud800"}',
        r'{"\udc00": "SECRET"}',
        '{"n": ' + "[" * 300 + "]" * 300 + "}",
        "[" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_json_that_could_not_be_kept_is_repaired(text: str) -> None:
    assert read(text, {"type": "object"}) == (None, UNKEPT)
    assert judge(STRICT, [call(text)], ("a", "b")) == Ask(("a", "b"), prefer="a")


@pytest.mark.parametrize(
    "text",
    ["```" + "\n" * 130_000 + "x", "```json\n{}" + " " * 130_000 + "x", "```" + "a" * 130_000, "`" * 130_000],
    ids=["line feeds", "spaces", "letters", "fences"],
)
def test_fence_without_an_end_takes_no_time(text: str) -> None:
    started = time.thread_time()
    assert read(text, SCHEMA) == (None, "the answer is no JSON")
    assert time.thread_time() - started < 0.1


def test_question_without_a_schema_goes_as_it_is() -> None:
    assert messages_for(PLAIN, [call("old")], "a", told_schema=False) == MESSAGES


def test_schema_is_written_into_the_instructions_of_those_that_take_none() -> None:
    told = messages_for(STRICT, [], "a", told_schema=False)
    assert [message["role"] for message in told] == ["system", "user"]
    assert str(told[0]["content"]).startswith("Count.\n\nAnswer with JSON alone")
    assert '"additionalProperties": false' in str(told[0]["content"])
    assert messages_for(STRICT, [], "a", told_schema=True) == MESSAGES


def test_question_without_instructions_gets_the_schema_as_its_first_message() -> None:
    parts: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "Look"}]}]
    told = messages_for(Question(name="q", messages=parts, json_schema=SCHEMA), [], "a", told_schema=False)
    assert [message["role"] for message in told] == ["system", "user"]
    assert told[1:] == parts


def test_repair_shows_an_endpoint_its_own_answer_only() -> None:
    calls = [call(BAD, "b"), call("no JSON")]
    told = "That breaks the JSON Schema: the answer is no JSON. Answer again, with the corrected JSON alone."
    repair = [{"role": "assistant", "content": "no JSON"}, {"role": "user", "content": told}]
    assert messages_for(STRICT, calls, "a", told_schema=True)[2:] == repair
    assert messages_for(STRICT, [call(BAD, "b")], "a", told_schema=True) == MESSAGES
