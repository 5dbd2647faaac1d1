"""JSON Schemas (2020-12) from clients: what one may be, and whether an answer keeps to it. Pure.

A schema is untrusted: it names nothing outside itself, its patterns are matched in linear time, and what a check may
cost is known before it is begun (`schema_cost`). A schema is refused if even a small answer might cost too much; an
answer that is too large or too deep for its schema is not checked, which is an answer that breaks it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from claimcheck.schema_cost import FINE, SchemaCost, Size
from claimcheck.strict_json import depth_of

MAX_SCHEMA_BYTES = 16 * 1024  # It is part of the job's record, which every poll reads.

MAX_STEPS = 4_000_000
"""Most that a check may cost. A step takes 15 ns at most, mostly 5: the worst check that was found takes 55 ms. The
longest answer that may be asked for has 130 KB and 5,000 values mostly, and may cost 800 steps at each."""
SMALL = Size(values=100, size_bytes=2_000, levels=4, numbers=50, fractions=20)
"""An answer that every schema must be able to check, whichever of its subschemas it is held against."""

MAX_LEVELS = 64
"""Depth of an answer. Cosmos DB takes 128; a check takes its stack by the level."""

PATH_CHARS = 200

MAX_PATTERNS = 20
_NUMBER = re.compile(r"(?:^|[\[ ])-?[0-9]")  # as json.dumps sets it: behind a bracket or a space
_POINT = re.compile(r"[0-9]\.[0-9]")
_EXPONENT = re.compile(r"[0-9]e[+-][0-9]")

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
    if SchemaCost(schema, pattern_steps=_pattern_steps).dearest(SMALL, limit=MAX_STEPS) > MAX_STEPS:
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
    if cost.of(_size(answer), limit=MAX_STEPS) > MAX_STEPS:
        return "the answer is too large or too deep to be checked against its schema"
    if _validator(schema).is_valid(answer):
        return ""
    try:
        # Not `iter_errors`, which makes every error before it gives the first: 94 s where this takes 0.3 ms.
        _validator(_without_choices(schema, cost), mask="").validate(answer)
    except jsonschema_rs.ValidationError as error:
        where = "/".join(_place(error.instance_path, answer, schema)) or "the answer"
        rule = "/".join(map(str, _rule(error.schema_path, schema))) or "the schema"
        return f"{where[:PATH_CHARS]} breaks {rule[:PATH_CHARS]}"
    except (jsonschema_rs.ReferencingError, ValueError):
        pass  # Something refers into a choice, which has been moved.
    return "the answer breaks the schema"


def _size(answer: Any) -> Size:
    text = json.dumps(answer, ensure_ascii=False)
    # Commas, brackets and digits in texts count too: these are bounds.
    fine = len(_EXPONENT.findall(text))
    return Size(
        # A value stands at the beginning, after a comma or after a bracket.
        values=1 + text.count(",") + text.count("[") + text.count("{"),
        size_bytes=len(text.encode()),
        levels=depth_of(answer, at_most=MAX_LEVELS),
        numbers=len(_NUMBER.findall(text)) + FINE * fine,
        fractions=len(_POINT.findall(text)) + FINE * fine,
    )


def _without_choices(part: Any, cost: SchemaCost) -> Any:
    """The same, with `not: {not: {anyOf ...}}` for each `anyOf` and `oneOf`, behind what its `allOf` has.

    It means the same. But a choice that nothing keeps to makes an error of each alternative, with a copy of the value
    in it, and `not` makes one.
    """
    if isinstance(part, list):
        return [_without_choices(inner, cost) for inner in part]
    if not isinstance(part, Mapping):
        return part
    copy = {name: _without_choices(inner, cost) for name, inner in part.items()}
    if cost.is_subschema(part) and (moved := _choices(copy)):
        copy["allOf"] = [*copy.get("allOf", ()), *({"not": {"not": {kind: copy.pop(kind)}}} for kind in moved)]
    return copy


def _choices(subschema: Mapping[str, Any]) -> list[str]:
    return [kind for kind in ("anyOf", "oneOf") if kind in subschema]


def _rule(path: Iterable[str | int], schema: Mapping[str, Any]) -> list[str | int]:
    """A path into the schema without choices, as one into the schema itself."""
    steps = list(path)
    match steps:
        case [*outer, "allOf", int(at), "not"]:
            inner: Any = schema
            for step in outer:
                inner = inner[step] if isinstance(inner, list) and isinstance(step, int) else inner.get(str(step), {})
            moved = _choices(inner)[max(0, at - len(inner.get("allOf", ()))) :][:1]
            return [*outer, *moved] if moved and at >= len(inner.get("allOf", ())) else steps
    return steps


def _place(path: Iterable[str | int], answer: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    """Each step of a path into an answer; a member that the schema does not name is `*`, since it may say anything."""
    declared = {name for part in _objects(schema) if isinstance(own := part.get("properties"), dict) for name in own}
    for step in path:
        # A name of digits comes as a number, too.
        if isinstance(answer, list) and isinstance(step, int):
            yield str(step)
            answer = answer[step]
        else:
            yield str(step) if str(step) in declared else "*"
            answer = answer.get(str(step)) if isinstance(answer, dict) else None


def _validator(schema: Mapping[str, Any], *, mask: str | None = None) -> jsonschema_rs.Draft202012Validator:
    """`mask`: stands for the values in what errors say, of what is checked and of the schema itself."""
    return jsonschema_rs.Draft202012Validator(
        # Without a name of its own, `#` means nothing else than the schema; and it is of 2020-12, whatever it says.
        {name: part for name, part in schema.items() if name not in ("$id", "$schema")},
        pattern_options=jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES[-1]),
        retriever=_refuse,
        validate_formats=False,
        mask=mask,
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
