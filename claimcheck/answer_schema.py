"""JSON Schemas from clients: what one may be, and whether an answer keeps to it. Pure.

A schema is untrusted: it names nothing outside itself, and its patterns are matched in linear time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

MAX_SCHEMA_BYTES = 16 * 1024  # It is part of the job's record, which every poll reads.


def checked_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself. Raises ValueError that says why it is none that we take."""
    size_bytes = len(json.dumps(schema, ensure_ascii=False).encode())
    if size_bytes > MAX_SCHEMA_BYTES:
        raise ValueError(f"the schema has {size_bytes:,} bytes; the limit is {MAX_SCHEMA_BYTES:,}")
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise ValueError(f"the schema refers to {reference[:80]!r}; it may only refer to itself (#...)")
    if schema.get("type") != "object":
        raise ValueError(f"the schema's type is {json.dumps(schema.get('type'))[:40]}; 'object' is expected")
    try:
        _validator(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as cause:
        raise ValueError(f"this is no JSON Schema: {str(cause).splitlines()[0][:200]}") from cause
    return schema


def why_invalid(answer: Any, schema: Mapping[str, Any]) -> str:
    """What in the answer breaks the schema, without the answer's own words; empty if nothing does."""
    for error in _validator(dict(schema)).iter_errors(answer):
        where = "/".join(map(str, error.instance_path)) or "the answer"
        return f"{where} breaks {'/'.join(map(str, error.schema_path)) or 'the schema'}"
    return ""


def _validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema, pattern_options=jsonschema_rs.RegexOptions(), retriever=_refuse, validate_formats=False
    )


def _refuse(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri[:80]!r}, which is outside of it")


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield inner
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
