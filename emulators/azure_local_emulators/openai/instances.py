"""The smallest JSON value of a simple JSON Schema, and one that breaks it. Pure.

Understands type, properties, required, items, minItems, enum, const, bounds, anyOf/oneOf/allOf (the first) and local
`$ref`. `pattern` and `format` are not understood: a schema that has them gets a text that may break it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_DEEPEST = 40

Schema = Mapping[str, Any]


def instance_of(schema: Any, text: str) -> Any:
    """A value of the schema; every string that the schema leaves open is `text`."""
    return _value(schema, schema, text, _DEEPEST)


def breaking(schema: Any) -> Any:
    """A value that no schema of an object with required properties, and none of another type, allows."""
    return {} if _types(schema) - {"object"} or schema.get("required") else []


def _types(schema: Any) -> set[str]:
    named = schema.get("type", ()) if isinstance(schema, dict) else ()
    return {named} if isinstance(named, str) else set(named)


def _value(schema: Any, root: Schema, text: str, depth: int) -> Any:
    if not isinstance(schema, dict) or depth == 0:
        return {}
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if "$ref" in schema:
        return _value(_referred(root, schema["$ref"]), root, text, depth - 1)
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _value(schema[choice][0], root, text, depth - 1)
    return _typed(schema, root, text, depth)


def _typed(schema: Schema, root: Schema, text: str, depth: int) -> Any:
    named = schema.get("type", "object" if "properties" in schema else "string")
    kind = named if isinstance(named, str) else named[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _value(properties.get(name, {}), root, text, depth - 1) for name in schema.get("required", ())}
    if kind == "array":
        return [_value(schema.get("items", {}), root, text, depth - 1)] * int(schema.get("minItems", 0))
    if kind == "string":
        return text[: schema.get("maxLength")].ljust(schema.get("minLength", 0), ".")
    if kind == "integer":
        return math.ceil(_number(schema))
    return {"number": _number(schema), "boolean": False}.get(kind)


def _number(schema: Schema) -> float:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    most = schema.get("maximum", schema.get("exclusiveMaximum", math.inf))
    return float(min(max(0, least), most))


def _referred(root: Schema, reference: str) -> Any:
    found: Any = root
    for name in reference.removeprefix("#").strip("/").split("/") if reference not in ("#", "#/") else ():
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found
