"""claimcheck/schema_cost.py, answer_schema.py: no schema that is taken makes a check long, whatever the answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimcheck.answer_schema import (
    MAX_LEVELS,
    MAX_SCHEMA_BYTES,
    _without_choices,
    checked_schema,
    why_invalid,
)
from claimcheck.schema_cost import SchemaCost

Schema = dict[str, Any]
MOST_S = 5.0
"""Of CPU. The worst that is taken takes 0.04 and, on a busy machine, 0.25; what is refused takes 90 s and far more."""
TOO_DEAR = "the answer is too large or too deep to be checked against its schema"
TREE: Schema = {"type": "object", "properties": {"name": {"type": "string"}, "inner": {"items": {"$ref": "#"}}}}


def doubled(levels: int, *, below: bool) -> Schema:
    """Each level refers to the one before it twice, for the same value or for one below."""

    def twice(name: str) -> Schema:
        reference = {"$ref": f"#/$defs/{name}"}
        part = {"properties": {"a": reference}} if below else reference
        return {"allOf": [part, part]}

    defs = {f"a{level}": twice(f"a{level - 1}") for level in range(1, levels + 1)}
    return {"type": "object", "$defs": {"a0": {"type": "object"}, **defs}, "$ref": f"#/$defs/a{levels}"}


def nested(levels: int) -> Schema:
    value: Schema = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def why_in_time(answer: Any, schema: Schema) -> str:
    started = time.thread_time()
    why = why_invalid(answer, schema)
    assert time.thread_time() - started < MOST_S
    return why


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (doubled(150, below=False), "holds one value of an answer against too many subschemas"),
        (
            {"type": "object", "$defs": {"a": True}, "$defs/a": {}, "$ref": "#/$defs%2Fa"},
            "references with % are not taken",
        ),
        ({"type": "object", "$ref": "#"}, "refers to itself without going into the answer"),
        ({"type": "object", "anyOf": [{"not": {"$ref": "#"}}, True]}, "refers to itself without going into the answer"),
        (
            {
                "type": "object",
                "$defs": {"a": {"if": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}},
                "$ref": "#/$defs/a",
            },
            "refers to itself without going into the answer",
        ),
    ],
)
def test_schema_that_never_ends_is_refused_at_once(schema: Schema, said: str) -> None:
    started = time.thread_time()
    with pytest.raises(ValueError, match=said):
        checked_schema(schema)
    assert time.thread_time() - started < MOST_S


def test_trees_are_taken_as_deep_as_an_answer_may_be() -> None:
    checked_schema(TREE)
    tree: Schema = {"name": 1}
    for _ in range(MAX_LEVELS // 2 - 1):
        tree = {"name": "inner", "inner": [tree, {}]}
    assert why_in_time(tree, TREE).endswith(" breaks properties/name/type")


def test_kinds_that_share_a_name_are_taken_and_checked_as_far_as_that_is_cheap() -> None:
    kinds = [{"properties": {"kind": {"const": kind}, "a": {"$ref": "#"}}} for kind in ("plus", "minus")]
    schema = {"type": "object", "anyOf": [*kinds, {"maxProperties": 0}]}
    checked_schema(schema)
    assert why_in_time(nested(8), schema) == ""
    assert why_in_time(nested(MAX_LEVELS), schema) == TOO_DEAR


def test_doubling_that_goes_into_the_answer_is_checked_as_far_as_that_is_cheap() -> None:
    schema = doubled(60, below=True)
    checked_schema(schema)
    assert why_in_time(nested(4), schema) == ""
    assert why_in_time(nested(MAX_LEVELS), schema) == TOO_DEAR


def of_items(part: Schema) -> Schema:
    return {"type": "object", "properties": {"a": {"items": part}}}


NUMBERS, TEXT = {"a": [0] * 60_000}, "".join(random.Random(1).choices("ab", k=130_000))
WORST: dict[str, tuple[Callable[[int], Schema], Any]] = {
    "allOf": (lambda n: of_items({"allOf": [{"type": "integer"}] * n}), NUMBERS),
    "anyOf": (lambda n: of_items({"anyOf": [{"minimum": 1}] * n}), NUMBERS),
    "oneOf": (lambda n: of_items({"oneOf": [*[{"minimum": 1}] * n, {}]}), NUMBERS),
    "enum": (lambda n: of_items({"anyOf": [{"enum": [[i] for i in range(n)]}, {}]}), {"a": [[-1]] * 20_000}),
    "const": (lambda n: of_items({"not": {"const": [0] * n}}), {"a": [[0] * 99] * 300}),
    "uniqueItems": (
        lambda n: of_items({"allOf": [{"uniqueItems": True}] * n}),
        {"a": [[[i] for i in range(15)]] * 999},
    ),
    "multipleOf": (lambda n: of_items({"allOf": [{"multipleOf": 0.001}] * n}), {"a": [12345.678] * 900}),
    "dependentRequired": (
        lambda n: of_items({"dependentRequired": {str(i): [] for i in range(n)}}),
        {"a": [{}] * 40_000},
    ),
    "pattern": (lambda n: of_items({"pattern": f"(a|b)*a(a|b){{{n}}}[^ab]"}), {"a": [TEXT[:16_000]]}),
    "patterns": (lambda n: {"type": "object", "patternProperties": {f"a(a|b){{{n}}}c": {}}}, {TEXT[:16_000]: 1}),
    "booleans": (lambda n: of_items({"not": {"anyOf": [False] * 16 * n}}), NUMBERS),
    "dependentSchemas": (
        lambda n: of_items({"dependentSchemas": {str(i): True for i in range(5 * n)}}),
        {"a": [{}] * 40_000},
    ),
    "bounds": (lambda n: of_items({"allOf": [{"minimum": 0.7}] * n}), {"a": [1 - 2**53] * 7_000}),
    "fine bounds": (lambda n: of_items({"allOf": [{"maximum": 5e-324}] * n}), {"a": [5e-324] * 200}),
    "fractions": (lambda n: of_items({"enum": [0.5 + i for i in range(10 * n)]}), {"a": [2**53 - 1] * 300}),
    "integers": (lambda n: of_items({"enum": list(range(10 * n))}), {"a": [0.0005] * 300}),
    "unique numbers": (
        lambda n: of_items({"allOf": [{"uniqueItems": True}] * n}),
        {"a": [[5e-324 * i if i % 2 else 2**53 - i for i in range(15)]] * 3},
    ),
    "long names": (
        lambda n: of_items({"allOf": [{"properties": {"z": True}}] * n}),
        {"a": [{TEXT[:60_000]: 0}, {TEXT[1:60_000]: 0}]},
    ),
    "copied": (lambda n: {"type": "object", "anyOf": [{"type": "string"}] * n}, {"a": "x" * 130_000}),
    "explained": (lambda n: {"type": "object", "anyOf": [of_items({"anyOf": [{"minimum": 1}] * n})]}, {"a": [0] * 300}),
}


@pytest.mark.parametrize("name", WORST)
def test_whatever_is_taken_is_checked_in_time(name: str) -> None:
    made, answer = WORST[name]
    whys = []
    for n in (1, 2, 4, 8, 16, 32, 64, 128):
        try:
            schema = checked_schema(made(n))
        except ValueError:
            break
        whys.append(why_in_time(answer, schema) == TOO_DEAR)
    assert not whys[0]
    assert whys == sorted(whys)


def referred_to(part: Any, times: int) -> Schema:
    defs = {"x": part, "y": {"anyOf": [{"$ref": "#/$defs/x"}] * times}}
    return {"type": "object", "$defs": defs, "properties": {"a": {"$ref": "#/$defs/y"}}}


BROKEN: dict[str, tuple[Schema, Any]] = {
    "booleans": (referred_to({"anyOf": [False] * 1200}, 25), "x" * 125_000),
    "numbers": ({"type": "object", "properties": {"a": {"anyOf": [False] * 2200}}}, [0] * 1_500),
    "required": (referred_to({"type": "object", "required": [str(i) for i in range(1500)]}, 200), {}),
    "enum": (referred_to({"enum": [f"e{i}" for i in range(1500)]}, 120), "x"),
    "const": (referred_to({"const": "x" * 12_000}, 120), "x"),
    "not": (referred_to({"not": {"const": "x", "title": "t" * 10_000}}, 200), "x"),
    "items": (referred_to({"items": {"type": "string"}}, 60), [0] * 3_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_break_of_a_choice_is_one_error_without_the_value(name: str) -> None:
    schema, value = BROKEN[name]
    cost = SchemaCost(checked_schema(schema), pattern_steps=len)
    moved = jsonschema_rs.Draft202012Validator(_without_choices(schema, cost), mask="")
    with pytest.raises(jsonschema_rs.ValidationError) as broken:
        moved.validate({"a": value})
    assert broken.value.kind.name == "not"
    assert len(broken.value.message) < 2 * MAX_SCHEMA_BYTES
    assert why_in_time({"a": value}, schema).startswith("a breaks ")


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "$defs": {
                "n": {"not": {"anyOf": [False] * 1900}},
                **{f"b{i}": {"allOf": [{"$ref": "#/$defs/n"}] * 10} for i in range(10)},
            },
            "properties": {"a": {"items": {"allOf": [{"$ref": f"#/$defs/b{i}"} for i in range(10)]}}},
        },
        referred_to({"oneOf": [True, *[False] * 1200]}, 250),
        of_items({"allOf": [{"enum": [0.5 + i for i in range(1000)]}]}),
        of_items({"enum": ["x", *[5e-324 * i for i in range(1, 200)]]}),
    ],
)
def test_what_undercounted_work_would_let_through_is_refused(schema: Schema) -> None:
    with pytest.raises(ValueError, match="holds one value of an answer against too many subschemas"):
        checked_schema(schema)


PARTS = st.recursive(
    st.sampled_from([{"type": "object"}, {"minProperties": 1}, {"maxItems": 2}, {"minimum": 1}, {"enum": [1, "a", []]}])
    | st.sampled_from("abcd").map(lambda name: {"$ref": f"#/$defs/{name}"}),
    lambda inner: (
        st.tuples(st.sampled_from(["allOf", "anyOf", "oneOf"]), st.lists(inner, min_size=1, max_size=3))
        | st.tuples(st.sampled_from(["not", "if", "then", "else", "items", "contains", "additionalProperties"]), inner)
        | st.tuples(
            st.sampled_from(["properties", "dependentSchemas"]),
            st.dictionaries(st.sampled_from("ab"), inner, min_size=1),
        )
    ).map(lambda pair: dict([pair])),
    max_leaves=8,
)
SCHEMAS = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "$ref": st.just("#/$defs/a"),
        "$defs": st.fixed_dictionaries(dict.fromkeys("abcd", PARTS)),
    }
)
ANSWERS = st.recursive(
    st.integers(0, 2) | st.just("a"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=30,
)


@settings(max_examples=200)
@given(SCHEMAS, ANSWERS)
def test_any_schema_is_refused_or_says_the_same_as_the_validator_in_time(schema: Schema, answer: Any) -> None:
    try:
        checked_schema(schema)
    except ValueError:
        return
    why = why_in_time(answer, schema)
    assert why == TOO_DEAR or bool(why) is not jsonschema_rs.Draft202012Validator(schema).is_valid(answer)
    why_in_time({"a": [answer] * 500, "b": nested(MAX_LEVELS - 1)}, schema)
