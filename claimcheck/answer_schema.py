"""JSON Schemas (2020-12) from clients: what one may be, and whether an answer keeps to it. Pure.

A schema is untrusted: it names nothing outside itself, its patterns are matched in linear time, and what a check may
cost is known before it is begun (`schema_cost`). A schema is refused if even a small answer might cost too much; an
answer that is too large or too deep for its schema is not checked, which is an answer that breaks it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from claimcheck.schema_cost import SchemaCost
from claimcheck.strict_json import depth_of

MAX_SCHEMA_BYTES = 16 * 1024  # It is part of the job's record, which every poll reads.

MAX_STEPS = 4_000_000
"""Most that a check may cost. A step takes 15 ns at most, mostly 5: the worst check that was found takes 45 ms. The
longest answer that may be asked for has 130 KB and 5,000 values mostly, and may cost 800 steps at each."""
SMALL = {"values": 100, "size_bytes": 2_000, "levels": 4}
"""An answer that every schema must be able to check, whichever of its subschemas it is held against."""
MAX_PLACED = 20_000_000
"""Most steps x (bytes of the answer + those of an error) of a break within choices (anyOf, oneOf) whose place is said:
each alternative makes an error, which takes 14 us and holds a copy of the value. 10,000 steps of a tiny answer."""
_ERROR_BYTES = 2_000  # to copy takes about as long as to make the error

MAX_LEVELS = 64
"""Depth of an answer. Cosmos DB takes 128; a check takes its stack by the level."""

PATH_CHARS = 200

MAX_PATTERNS = 20
PATTERN_BYTES = (1_000, 4_000, 16_000, 64_000)
"""Sizes of compiled patterns. `(a|b)*a(a|b){16}[^ab]`, within the second, takes 1.3 us at each byte: 87 steps."""
_BYTES_A_STEP = 40


def checked_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself. Raises ValueError that says why it is none that we take."""
    size_bytes = len(json.dumps(schema, ensure_ascii=False).encode())
    if size_bytes > MAX_SCHEMA_BYTES:
        raise ValueError(f"the schema has {size_bytes:,} bytes; the limit is {MAX_SCHEMA_BYTES:,}")
    _check_names(schema)
    if schema.get("type") != "object":
        raise ValueError(f"the schema's type is {json.dumps(schema.get('type'))[:40]}; 'object' is expected")
    if SchemaCost(schema, pattern_steps=_pattern_steps).dearest(**SMALL, limit=MAX_STEPS) > MAX_STEPS:
        raise ValueError("the schema holds one value of an answer against too many subschemas")
    try:
        _validator(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as cause:
        raise ValueError(f"this is no JSON Schema: {str(cause).splitlines()[0][:200]}") from cause
    return schema


def why_invalid(answer: Any, schema: Mapping[str, Any]) -> str:
    """What in the answer breaks the schema, without the answer's own words; empty if nothing does.

    `answer` is at most MAX_LEVELS deep. Raises ValueError for a schema that `checked_schema` refuses.
    """
    cost = SchemaCost(schema, pattern_steps=_pattern_steps)
    text = json.dumps(answer, ensure_ascii=False)
    size_bytes = len(text.encode())
    # A value stands at the beginning, after a comma or after a bracket. Commas in texts count too: it is a bound.
    values = 1 + text.count(",") + text.count("[") + text.count("{")
    levels = depth_of(answer, at_most=MAX_LEVELS)
    steps = cost.of(values=values, size_bytes=size_bytes, levels=levels, limit=MAX_STEPS)
    if steps > MAX_STEPS:
        return "the answer is too large or too deep to be checked against its schema"
    validator = _validator(schema)
    if validator.is_valid(answer):
        return ""
    if cost.has_choices and steps * (size_bytes + _ERROR_BYTES) > MAX_PLACED:
        return "the answer breaks the schema"
    try:
        # Not `iter_errors`, which makes every error before it gives the first: 94 s where this takes 0.3 ms.
        validator.validate(answer)
    except jsonschema_rs.ValidationError as error:
        where = "/".join(_place(error.instance_path, schema)) or "the answer"
        rule = "/".join(map(str, error.schema_path)) or "the schema"
        return f"{where[:PATH_CHARS]} breaks {rule[:PATH_CHARS]}"
    return ""


def _place(path: Iterable[str | int], schema: Mapping[str, Any]) -> Iterator[str]:
    """Each step of a path into an answer; a member that the schema does not name is `*`, since it may say anything."""
    declared = {name for part in _objects(schema) if isinstance(own := part.get("properties"), dict) for name in own}
    return (str(step) if isinstance(step, int) or step in declared else "*" for step in path)


def _validator(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        # Without a name of its own, `#` means nothing else than the schema; and it is of 2020-12, whatever it says.
        {name: part for name, part in schema.items() if name not in ("$id", "$schema")},
        pattern_options=jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES[-1]),
        retriever=_refuse,
        validate_formats=False,
    )


@lru_cache(maxsize=1024)
def _pattern_steps(pattern: str) -> int:
    """Of matching it, at each byte: it grows with the compiled pattern. Raises ValueError if that is too large."""
    for size_limit in PATTERN_BYTES:
        try:
            jsonschema_rs.Draft202012Validator(
                {"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions(size_limit=size_limit)
            )
        except (jsonschema_rs.ValidationError, ValueError):
            continue
        return size_limit // _BYTES_A_STEP
    raise ValueError(f"the schema's pattern {pattern[:40]!r} is none, looks around or back, or is too large compiled")


def _refuse(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri[:80]!r}, which is outside of it")


def _check_names(schema: dict[str, Any]) -> None:
    """What it refers to, and its patterns, wherever they stand. Raises ValueError."""
    patterns: set[str] = set()
    for part in _objects(schema):
        for keyword in ("$ref", "$dynamicRef"):
            if isinstance(reference := part.get(keyword), str) and not reference.startswith("#"):
                raise ValueError(f"the schema refers to {reference[:80]!r}; it may only refer to itself (#...)")
        for keyword in ("$id", "$schema"):
            if part is not schema and isinstance(part.get(keyword), str):
                # It would give the references below it another meaning.
                raise ValueError(f"the schema has {keyword} inside, which is not taken")
        if isinstance(pattern := part.get("pattern"), str):
            patterns.add(pattern)
        if isinstance(by_pattern := part.get("patternProperties"), dict):
            patterns.update(by_pattern)
    if len(patterns) > MAX_PATTERNS:
        raise ValueError(f"the schema has {len(patterns)} patterns; the limit is {MAX_PATTERNS}")


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for part in inner:
        yield from _objects(part)
