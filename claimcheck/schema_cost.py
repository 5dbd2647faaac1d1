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
_NAME = 2  # one name of `dependentSchemas` or `dependentRequired`, looked up in an object: 24 ns
_UNIQUE = 100  # up to 15 items are compared pair by pair, each with all that is in it: 1.3 us
_BYTES_A_STEP = 100  # a text or a name is hashed or compared: 0.1 ns a byte

# The same at one number: numbers are compared as exact fractions, unless both are integers.
_FRACTION = 500  # two of them: up to 7.5 us
_FINE_FRACTION = 1_500  # with one of the schema that has an exponent, such as 1e-300: up to 21 us
_WHOLE = 40  # two integers: up to 600 ns
_WHOLE_FRACTION = 250  # a fraction with an integer of the schema below 2**31: up to 3.5 us
_WHOLE_BOUND = 100  # a fraction with a `minimum` that is an integer
_UNIQUE_FRACTION = 3_500  # with 14 others: up to 46 us
FINE = 10
"""A number of the answer that has an exponent is so many numbers: at most 300 us among unique items."""

_REFUSED = ("unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$dynamicAnchor", "$anchor", "$recursiveRef")
_NOTES = {"title", "description", "default", "examples", "format", "$comment", "$defs", "definitions", "$schema", "$id"}
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("dependentSchemas", "dependencies", "properties", "patternProperties")
_SINGLE = ("not", "if", "then", "else", "additionalProperties", "propertyNames", "items", "contains")
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_BESIDE = ("$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies")


@dataclass(frozen=True)
class Size:
    """What of an answer makes its check long. `fractions`: those of the `numbers` that are no integers.

    Both count a number with an exponent FINE times. `levels`: of containers within each other.
    """

    values: int
    size_bytes: int
    levels: int
    numbers: int
    fractions: int


@dataclass
class _Subschema:
    """Steps at each value, byte, number and fraction of the answer; `parts`: keyword to subschemas."""

    value_steps: int
    byte_steps: int
    number_steps: int
    fraction_steps: int
    parts: dict[str, list[int]] = field(default_factory=dict)

    def own(self, size: Size) -> int:
        """Steps of its own assertions in an answer of that size."""
        return (
            self.value_steps * size.values
            + self.byte_steps * size.size_bytes
            + self.number_steps * size.numbers
            + self.fraction_steps * size.fractions
            + size.size_bytes // _BYTES_A_STEP
        )

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
    """What checks against one schema cost."""

    def __init__(self, schema: Mapping[str, Any], *, pattern_steps: Callable[[str], int]) -> None:
        """`pattern_steps`: of a pattern, at each byte. Raises ValueError that says what cannot be bounded."""
        self._schema, self._pattern_steps = schema, pattern_steps
        self._found: list[_Subschema] = []
        self._known: dict[int, int] = {}
        self._explore()
        self._beside = [found.beside() for found in self._found]
        self._goes_below = [found.goes_below() for found in self._found]
        self._order = _innermost_first(self._beside)

    def of(self, size: Size, *, limit: int) -> int:
        """At most so many steps for an answer of that size; above `limit`, just something above it."""
        return self._costs(size, limit)[0]

    def dearest(self, size: Size, *, limit: int) -> int:
        """The same, if the answer is held against whichever subschema costs most."""
        return max(self._costs(size, limit))

    def is_subschema(self, part: Any) -> bool:
        """Whether this very object of the schema is one of its subschemas, and not a value or a map of them."""
        return id(part) in self._known

    def _costs(self, size: Size, limit: int) -> list[int]:
        own = [found.own(size) for found in self._found]
        costs = [0] * len(own)
        for _ in range(size.levels + 1):
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

    def _own(self, subschema: Mapping[str, Any]) -> tuple[int, int, int, int]:
        """Steps of its own assertions at a value, at a byte, at a number and at a fraction."""
        for keyword in _REFUSED:
            if keyword in subschema:
                raise ValueError(f"the schema has {keyword}, which is not taken")
        steps = 1 + len(subschema.keys() - _NOTES) + _UNIQUE * bool(subschema.get("uniqueItems"))
        # `true` and `false` are no subschemas here; each is an alternative all the same.
        steps += sum(isinstance(part, bool) for keyword in _LISTS for part in _list(subschema.get(keyword)))
        steps += sum(_NAME * len(_map(subschema.get(keyword))) for keyword in ("dependentSchemas", "dependencies"))
        steps += _NAME * _nodes(subschema.get("dependentRequired"))
        steps += _compared(subschema.get("enum")) + _COMPARE * _nodes(subschema.get("const"))
        patterns = [*_map(subschema.get("patternProperties"))]
        if isinstance(subschema.get("pattern"), str):
            patterns.append(subschema["pattern"])
        return steps, sum(map(self._pattern_steps, patterns)), *_at_numbers(subschema)


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
    """Texts alone, or integers alone, are looked up, unless for a fraction; others are compared one by one."""
    if not isinstance(enum, list) or {type(value) for value in enum} in ({str}, {int}):
        return 0
    return _COMPARE * _nodes(enum)


def _at_numbers(subschema: Mapping[str, Any]) -> tuple[int, int]:
    """Steps at a number of the answer, and those at a fraction that come on top."""
    at_number, at_fraction = 0, _UNIQUE_FRACTION * bool(subschema.get("uniqueItems"))
    for keyword in _BOUNDS:
        if isinstance(bound := subschema.get(keyword), int):
            at_fraction += _WHOLE_BOUND
        else:
            at_number += _fraction(bound)
    at_number += max(_FRACTION * ("multipleOf" in subschema), _fraction(subschema.get("multipleOf")))
    looked_up = "const" not in subschema and not _compared(subschema.get("enum"))
    for number in _numbers([subschema.get("enum"), subschema.get("const")]):
        if isinstance(number, int):
            at_number += 0 if looked_up else _WHOLE
            at_fraction += _WHOLE_FRACTION if abs(number) < 2**31 else _FRACTION
        else:
            at_number += _fraction(number)
    return at_number, at_fraction


def _fraction(number: Any) -> int:
    if not isinstance(number, float):
        return 0
    return _FINE_FRACTION if "e" in repr(number) else _FRACTION


def _numbers(value: Any) -> Iterator[int | float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value
    for part in value.values() if isinstance(value, Mapping) else _list(value):
        yield from _numbers(part)


def _nodes(value: Any) -> int:
    if value is None:
        return 0
    inner = value.values() if isinstance(value, Mapping) else _list(value)
    return 1 + sum(_nodes(part) for part in inner)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
