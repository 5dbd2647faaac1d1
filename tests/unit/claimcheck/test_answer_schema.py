"""claimcheck/answer_schema.py: which schemas are taken from strangers, and what is said of answers that break one."""

from __future__ import annotations

import time
from typing import Any

import pytest

from claimcheck.answer_schema import MAX_SCHEMA_BYTES, checked_schema, why_invalid

MOST_S = 0.2
"""Of CPU, for what takes at most 0.06: it holds the event loop, and the machines of tests are busy."""

INVOICE: dict[str, Any] = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number"}, "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}},
    "$defs": {"line": {"type": "object", "properties": {"text": {"type": "string", "maxLength": 3}}}},
}


def test_schema_is_taken_as_it_is() -> None:
    assert checked_schema(INVOICE) is INVOICE
    assert checked_schema({"type": "object"}) == {"type": "object"}
    names = {"$id": "urn:invoice", "$schema": "https://json-schema.org/draft/2020-12/schema"}
    assert why_invalid({"total": 1, "lines": [{"text": "long"}]}, checked_schema({**INVOICE, **names}))
    odd = {"type": "object", "properties": {"$id": {"type": "string"}, "pattern": {"$ref": "#/$defs/line"}}}
    assert checked_schema({**INVOICE, **odd})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({}, "the schema's type is null; 'object' is expected"),
        ({"type": ["object", "null"]}, r"the schema's type is \[\"object\", \"null\"\]"),
        ({"type": "object", "title": "x" * MAX_SCHEMA_BYTES}, "the schema has 16,4.. bytes; the limit is 16,384"),
        ({"type": "object", "$ref": "http://127.0.0.1/a"}, "the schema refers to 'http://127.0.0.1/a'"),
        ({"type": "object", "allOf": [{"$dynamicRef": "file:///etc/passwd"}]}, "refers to 'file:///etc/passwd'"),
        ({"type": "object", "$ref": "other.json"}, "it may only refer to itself"),
        (
            {"type": "object", "$ref": "#name", "$defs": {"a": {"$anchor": "name"}}},
            "it may only refer to itself, as #/",
        ),
        ({"type": "object", "$defs": {"a": {"$id": "urn:a"}}}, r"the schema has \$id inside, which is not taken"),
        ({"type": "object", "items": {"$schema": "urn:a"}}, r"the schema has \$schema inside, which is not taken"),
        ({"type": "object", "items": {"unevaluatedItems": False}}, "the schema has unevaluatedItems, which is not"),
        ({"type": "object", "$dynamicRef": "#"}, r"the schema has \$dynamicRef, which is not taken"),
        ({"type": "object", "anyOf": [{"required": [str(n)]} for n in range(500)]}, "more than 500 subschemas"),
        ({"type": "object", "properties": {str(n): {"pattern": str(n)} for n in range(21)}}, "21 patterns; the limit"),
        ({"type": "object", "patternProperties": {str(n): True for n in range(21)}}, "21 patterns; the limit is 20"),
        ({"type": "object", "items": {"pattern": ".{9999}"}}, "or is too large compiled"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "this is no JSON Schema: "),
        ({"type": "object", "$ref": "#/$defs/nowhere"}, "'#/\\$defs/nowhere', where nothing is"),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, r"pattern '\(' is none, looks around"),
        ({"type": "object", "properties": {"a": {"pattern": r"(a)\1"}}}, "is none, looks around or back"),
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


def test_member_that_the_schema_does_not_name_is_not_named_either() -> None:
    schema = {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "string"}}
    assert why_invalid({"SECRET": 1}, schema) == "* breaks additionalProperties/type"


def test_pattern_that_would_backtrack_for_ever_does_not() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    started = time.thread_time()
    assert why_invalid({"a": "a" * 50_000 + "!"}, schema) == "a breaks properties/a/pattern"
    assert time.thread_time() - started < MOST_S
