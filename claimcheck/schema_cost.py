"""How much work the check of an answer against a client's JSON Schema may be, known before it is begun. Pure.

A check cannot be interrupted, and holds its whole process meanwhile. It can be without end: of two references to what
has two references, and so on, each level doubles it. So a schema is a graph here. What stands beside each other (allOf,
anyOf, $ref ...) meets the same value of the answer, and adds up; what stands below (properties, items ...) meets a
value one level further down, and of several names the dearest counts. A cycle of the first kind never ends and is
refused. One of the second kind ends with the answer, so a tree is taken, and costs what the answer's depth makes of it.

Keywords whose cost this does not bound are refused: `unevaluated*`, `$dynamicRef`, anchors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_SUBSCHEMAS = 500  # 16 KB of an ordinary schema are some 250; 500 at 64 levels are weighed in 10 ms.

# Steps of one assertion at one value, of 15 ns each (jsonschema-rs 0.60).
_COMPARE = 10  # one value of an `enum` of mixed types, of a `const`: 160 ns
_MULTIPLE = 2_000  # exact fractions: up to 28 us
_UNIQUE = 30  # up to 15 items are compared pair by pair, each with all that is in it

_REFUSED = ("unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$dynamicAnchor", "$anchor", "$recursiveRef")
_NOTES = {"title", "description", "default", "examples", "format", "$comment", "$defs", "definitions", "$schema", "$id"}
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("dependentSchemas", "dependencies", "properties", "patternProperties")
_SINGLE = ("not", "if", "then", "else", "additionalProperties", "propertyNames", "items", "contains")
_BESIDE = ("$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies")


@dataclass
class _Subschema:
    """`value_steps` at each value, `byte_steps` at each byte of the answer; `parts`: keyword to subschemas."""

    value_steps: int
    byte_steps: int
    parts: dict[str, list[int]] = field(default_factory=dict)

    def beside(self) -> list[int]:
        """The subschemas that meet the same value."""
        return [part for keyword in _BESIDE for part in self.parts.get(keyword, ())]

    def goes_below(self) -> bool:
        """Whether some of its subschemas meet values within its own."""
        return any(keyword not in _BESIDE for keyword in self.parts)

    def below(self, costs: list[int]) -> int:
        """The dearest that one value within this one may meet."""
        in_object = max(
            self._most("properties", costs) + self._sum("patternProperties", costs),
            self._most("additionalProperties", costs),
        )
        in_array = max(self._most("prefixItems", costs), self._most("items", costs)) + self._sum("contains", costs)
        return max(in_object + self._sum("propertyNames", costs), in_array)

    def _most(self, keyword: str, costs: list[int]) -> int:
        return max((costs[part] for part in self.parts.get(keyword, ())), default=0)

    def _sum(self, keyword: str, costs: list[int]) -> int:
        return sum(costs[part] for part in self.parts.get(keyword, ()))


class SchemaCost:
    """What checks against one schema cost. `has_choices`: it has an `anyOf` or `oneOf`."""

    def __init__(self, schema: Mapping[str, Any], *, pattern_steps: Callable[[str], int]) -> None:
        """`pattern_steps`: of a pattern, at each byte. Raises ValueError that says what cannot be bounded."""
        self._schema, self._pattern_steps = schema, pattern_steps
        self._found: list[_Subschema] = []
        self._known: dict[int, int] = {}
        self._explore()
        self._beside = [found.beside() for found in self._found]
        self._goes_below = [found.goes_below() for found in self._found]
        self._order = _innermost_first(self._beside)
        self.has_choices = any(kind in found.parts for found in self._found for kind in ("anyOf", "oneOf"))

    def of(self, *, values: int, size_bytes: int, levels: int, limit: int) -> int:
        """At most so many steps for an answer of that size; above `limit`, just something above it."""
        return self._costs(values, size_bytes, levels, limit)[0]

    def dearest(self, *, values: int, size_bytes: int, levels: int, limit: int) -> int:
        """The same, if the answer is held against whichever subschema costs most."""
        return max(self._costs(values, size_bytes, levels, limit))

    def _costs(self, values: int, size_bytes: int, levels: int, limit: int) -> list[int]:
        own = [found.value_steps * values + found.byte_steps * size_bytes for found in self._found]
        costs = [0] * len(own)
        for _ in range(levels + 1):
            before, costs = costs, own.copy()
            for at in self._order:
                if self._beside[at]:
                    costs[at] += sum(costs[part] for part in self._beside[at])
                if self._goes_below[at]:
                    costs[at] += self._found[at].below(before)
                if costs[at] > limit:
                    costs[at] = limit + 1
            if costs == before or costs[0] > limit:
                break
        return costs

    def _explore(self) -> None:
        todo: list[Mapping[str, Any]] = []

        def number(part: Any) -> Iterator[int]:
            if not isinstance(part, Mapping):
                return
            if id(part) not in self._known:
                self._known[id(part)] = len(self._known)
                todo.append(part)
            yield self._known[id(part)]

        list(number(self._schema))
        for subschema in todo:
            if len(todo) > MAX_SUBSCHEMAS:
                raise ValueError(f"the schema has more than {MAX_SUBSCHEMAS} subschemas, the limit")
            found = _Subschema(*self._own(subschema))
            for keyword, part in self._parts(subschema):
                found.parts.setdefault(keyword, []).extend(number(part))
            self._found.append(found)

    def _parts(self, subschema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for keyword, inner in subschema.items():
            if keyword == "$ref":
                yield keyword, pointed_at(self._schema, inner)
            elif keyword in _LISTS and isinstance(inner, list):
                yield from ((keyword, part) for part in inner)
            elif keyword in _MAPS and isinstance(inner, Mapping):
                yield from ((keyword, part) for part in inner.values())
            elif keyword in _SINGLE:
                yield keyword, inner

    def _own(self, subschema: Mapping[str, Any]) -> tuple[int, int]:
        """Steps of its own assertions at a value, and at a byte."""
        for keyword in _REFUSED:
            if keyword in subschema:
                raise ValueError(f"the schema has {keyword}, which is not taken")
        steps = 1 + len(subschema.keys() - _NOTES)
        steps += _MULTIPLE * ("multipleOf" in subschema) + _UNIQUE * bool(subschema.get("uniqueItems"))
        steps += _compared(subschema.get("enum")) + _COMPARE * _nodes(subschema.get("const"))
        steps += _nodes(subschema.get("dependentRequired"))
        patterns = [*_map(subschema.get("patternProperties"))]
        if isinstance(subschema.get("pattern"), str):
            patterns.append(subschema["pattern"])
        return steps, sum(map(self._pattern_steps, patterns))


def pointed_at(schema: Mapping[str, Any], reference: Any) -> Any:
    """What `#` or `#/...` names. Raises ValueError if it names nothing within the schema."""
    inner: Any = schema
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        raise ValueError(f"the schema refers to {str(reference)[:80]!r}; it may only refer to itself, as #/...")
    if "%" in reference:
        # Readers differ in whether it is decoded before it is split: what is weighed must be what is checked.
        raise ValueError(f"the schema refers to {reference[:80]!r}; references with % are not taken")
    for step in reference.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(inner, Mapping) and name in inner:
            inner = inner[name]
        elif isinstance(inner, list) and name.isdecimal() and int(name) < len(inner):
            inner = inner[int(name)]
        else:
            raise ValueError(f"the schema refers to {reference[:80]!r}, where nothing is")
    return inner


def _innermost_first(beside: list[list[int]]) -> list[int]:
    """Every subschema after those beside it. Raises ValueError if one stands beside itself. Not by recursion."""
    missing = [len(parts) for parts in beside]
    within: list[list[int]] = [[] for _ in beside]
    for at, parts in enumerate(beside):
        for part in parts:
            within[part].append(at)
    order = [at for at, count in enumerate(missing) if not count]
    for at in order:
        for outer in within[at]:
            missing[outer] -= 1
            if not missing[outer]:
                order.append(outer)
    if len(order) < len(beside):
        raise ValueError("the schema refers to itself without going into the answer, which never ends")
    return order


def _compared(enum: Any) -> int:
    """Texts alone, or integers alone, are looked up; others are compared one by one."""
    if not isinstance(enum, list) or {type(value) for value in enum} in ({str}, {int}):
        return 0
    return _COMPARE * _nodes(enum)


def _nodes(value: Any) -> int:
    if value is None:
        return 0
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + sum(_nodes(part) for part in inner)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
