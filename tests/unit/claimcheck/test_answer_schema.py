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
        ({"type": "object", "properties": {"a": {"type": "text"}}}, 'this is no JSON Schema: "text" is not'),
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


def test_member_named_by_digits_is_no_place_in_a_list() -> None:
    schema = {"type": "object", "additionalProperties": {"items": {"type": "string"}}}
    assert why_invalid({"4711": ["a", 1]}, schema) == "*/1 breaks additionalProperties/items/type"


def test_choice_that_is_broken_is_named_where_it_stands() -> None:
    line = {
        "allOf": [{"type": "object"}],
        "anyOf": [{"required": ["text"]}, {"required": ["code"]}],
        "oneOf": [{"properties": {"code": {"const": code}}} for code in "ab"],
    }
    schema = {"type": "object", "properties": {"lines": {"items": {"$ref": "#/$defs/line"}}}, "$defs": {"line": line}}
    checked_schema(schema)
    assert why_invalid({"lines": [{"text": "", "code": "a"}]}, schema) == ""
    assert why_invalid({"lines": [{"code": "a"}, {}]}, schema) == "lines/1 breaks $defs/line/anyOf"
    assert why_invalid({"lines": [{"code": "c"}]}, schema) == "lines/0 breaks $defs/line/oneOf"
    assert why_invalid({"lines": [1]}, schema) == "lines/0 breaks $defs/line/allOf/0/type"
    own = {"type": "object", "allOf": [{"not": {"required": ["a"]}}], "anyOf": [True]}
    assert why_invalid({"a": 1}, own) == "the answer breaks allOf/0/not"


def test_choice_into_which_something_refers_is_broken_without_a_place() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"anyOf": [{"type": "string"}, False]}, "b": {"$ref": "#/properties/a/anyOf/0"}},
    }
    assert why_invalid({"a": "x", "b": "y"}, checked_schema(schema)) == ""
    assert why_invalid({"a": "x", "b": 1}, schema) == "the answer breaks the schema"


def test_properties_and_values_may_have_the_names_of_choices() -> None:
    choice = {"anyOf": ["x"], "oneOf": 1}
    schema = {"type": "object", "properties": {"anyOf": {"const": choice}, "oneOf": {"enum": [choice]}}}
    assert why_invalid({"anyOf": choice, "oneOf": choice}, checked_schema(schema)) == ""
    assert why_invalid({"anyOf": choice, "oneOf": 2}, schema) == "oneOf breaks properties/oneOf/enum"


def strict(**properties: Any) -> dict[str, Any]:
    """As structured outputs want objects: every member named and required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT = {"type": ["string", "null"], "minLength": 0, "maxLength": 500}
KINDS = [strict(kind={"const": f"kind-{n}"}, text=TEXT, weight={"type": "number", "minimum": 0}) for n in range(10)]
ORDER = strict(
    id={"type": "integer", "minimum": 1},
    country={"type": "string", "enum": [f"country-{n}" for n in range(200)]},
    tags={"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    lines={"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/line"}},
    parts={"type": "array", "items": {"oneOf": KINDS}},
    share={"type": "number", "minimum": 0.01, "maximum": 0.99},
    size={"enum": [1, 2, 3.5, None]},
    code={"enum": list(range(200, 220))},
    day={"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
    inner={"anyOf": [{"$ref": "#/$defs/line"}, {"type": "null"}]},
) | {
    "$defs": {
        "line": strict(
            text=TEXT, price={"type": "number", "minimum": 0.01, "multipleOf": 0.01}, of={"$ref": "#/$defs/a"}
        ),
        "a": strict(name=TEXT, more={"type": "array", "items": {"$ref": "#/$defs/a"}}),
    }
}


def test_ordinary_schema_is_taken_and_its_answer_checked() -> None:
    line = {"text": "a", "price": 0.07, "of": {"name": None, "more": [{"name": "b", "more": []}]}}
    answer = {
        **{
            "id": 1,
            "country": "country-7",
            "tags": ["a", "b"],
            "share": 0.5,
            "size": 3.5,
            "code": 200,
            "day": "2026-01-31",
        },
        "lines": [line] * 50,
        "parts": [{"kind": f"kind-{n % 10}", "text": "b", "weight": 0.25} for n in range(50)],
        "inner": None,
    }
    assert why_invalid(answer, checked_schema(ORDER)) == ""
    assert why_invalid(answer | {"inner": 1}, ORDER) == "inner breaks properties/inner/anyOf"
    assert why_invalid(answer | {"share": 0.001}, ORDER) == "share breaks properties/share/minimum"
