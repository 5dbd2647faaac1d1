"""claimcheck/answer_schema.py: which schemas are taken from strangers, and what is said of answers that break one."""

from __future__ import annotations

import time
from typing import Any

import pytest

from claimcheck.answer_schema import MAX_SCHEMA_BYTES, checked_schema, why_invalid

INVOICE: dict[str, Any] = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number"}, "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}},
    "$defs": {"line": {"type": "object", "properties": {"text": {"type": "string", "maxLength": 3}}}},
}


def test_schema_is_taken_as_it_is() -> None:
    assert checked_schema(INVOICE) is INVOICE
    assert checked_schema({"type": "object"}) == {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, "the schema's type is null; 'object' is expected"),
        ({"type": ["object", "null"]}, r"the schema's type is \[\"object\", \"null\"\]"),
        ({"type": "object", "title": "x" * MAX_SCHEMA_BYTES}, "the schema has 16,4.. bytes; the limit is 16,384"),
        ({"type": "object", "$ref": "http://127.0.0.1/a"}, "the schema refers to 'http://127.0.0.1/a'"),
        ({"type": "object", "allOf": [{"$dynamicRef": "file:///etc/passwd"}]}, "refers to 'file:///etc/passwd'"),
        ({"type": "object", "$ref": "other.json"}, "it may only refer to itself"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "this is no JSON Schema: "),
        ({"type": "object", "$ref": "#/$defs/nowhere"}, "this is no JSON Schema: "),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, "this is no JSON Schema: "),
        ({"type": "object", "properties": {"a": {"pattern": r"(a)\1"}}}, "this is no JSON Schema: "),
    ],
)
def test_what_is_no_schema_of_ours_is_refused_with_the_reason(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        checked_schema(schema)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"total": 1, "lines": [{"text": "abc"}]}, ""),
        ({}, "the answer breaks required"),
        ({"total": "SECRET"}, "total breaks properties/total/type"),
        ({"total": 1, "lines": [{}, {"text": "SECRET"}]}, "lines/1/text breaks "),
        (["SECRET"], "the answer breaks type"),
    ],
)
def test_what_an_answer_breaks_is_said_without_its_own_words(answer: Any, said: str) -> None:
    why = why_invalid(answer, INVOICE)
    assert why.startswith(said)
    assert bool(why) is bool(said)
    assert "SECRET" not in why


def test_pattern_that_would_backtrack_for_ever_does_not() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    started = time.perf_counter()
    assert why_invalid({"a": "a" * 50_000 + "!"}, schema)
    assert time.perf_counter() - started < 2


def test_schema_that_refers_to_itself_for_ever_is_harmless() -> None:
    checked_schema({"type": "object", "properties": {"a": {"$ref": "#"}}})
    assert why_invalid({"a": {"a": {"a": 1}}}, {"type": "object", "properties": {"a": {"$ref": "#"}}})
