"""The built-in functions of the query language.

Pure. Every function answers UNDEFINED for an argument of the wrong type, as the service does; only the type checks
(`IS_DEFINED`, `IS_NULL`, ...) look at undefined arguments at all. A name that is missing here is refused by the parser.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from .values import ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING, UNDEFINED, Value, as_double, equal, finite, type_of

_TEXT, _WHOLE, _ANY = STRING, -1, -2  # what an argument must be: a JSON type, a whole number, or anything defined


@dataclass(frozen=True, slots=True)
class Function:
    """`takes` are the argument types; the last `optional` of them may be left out."""

    run: Callable[..., Value]
    takes: tuple[int, ...]
    optional: int = 0
    repeats: bool = False

    def accepts(self, count: int) -> bool:
        """Whether `count` arguments are allowed."""
        if self.repeats:
            return count >= len(self.takes)
        return len(self.takes) - self.optional <= count <= len(self.takes)

    def __call__(self, arguments: list[Value]) -> Value:
        """The result, or UNDEFINED if an argument has the wrong type."""
        for position, argument in enumerate(arguments):
            if not _fits(argument, self.takes[min(position, len(self.takes) - 1)]):
                return UNDEFINED
        return self.run(*arguments)


def _fits(argument: Value, wanted: int) -> bool:
    kind = type_of(argument)
    if wanted == _ANY:
        return kind != 0
    if wanted == _WHOLE:
        return kind == NUMBER and float(argument).is_integer()
    return kind == wanted


def is_type(kinds: frozenset[int]) -> Callable[[Value], bool]:
    """A check that also answers for undefined arguments."""
    return lambda value: type_of(value) in kinds


TYPE_CHECKS: dict[str, Callable[[Value], bool]] = {
    "IS_DEFINED": lambda value: value is not UNDEFINED,
    "IS_NULL": is_type(frozenset({NULL})),
    "IS_BOOL": is_type(frozenset({BOOLEAN})),
    "IS_NUMBER": is_type(frozenset({NUMBER})),
    "IS_STRING": is_type(frozenset({STRING})),
    "IS_ARRAY": is_type(frozenset({ARRAY})),
    "IS_OBJECT": is_type(frozenset({OBJECT})),
    "IS_PRIMITIVE": is_type(frozenset({NULL, BOOLEAN, NUMBER, STRING})),
}


def _folded(compare: Callable[[str, str], bool]) -> Callable[..., Value]:
    def run(text: str, other: str, ignore_case: bool = False) -> bool:
        return compare(text.lower(), other.lower()) if ignore_case else compare(text, other)

    return run


def _substring(text: str, start: float, length: float) -> str:
    first = max(int(start), 0)
    return text[first : first + max(int(length), 0)]


def _index_of(text: str, sought: str, start: float = 0) -> int:
    return text.find(sought, max(int(start), 0))


def _array_contains(array: list[Value], sought: Value, partial: bool = False) -> bool:
    return any(equal(element, sought) or (partial and _part_of(sought, element)) for element in array)


def _part_of(part: Value, whole: Value) -> bool:
    if type_of(part) != OBJECT or type_of(whole) != OBJECT:
        return False
    return all(key in whole and equal(whole[key], value) for key, value in part.items())


def _array_slice(array: list[Value], start: float, length: float | None = None) -> list[Value]:
    first = int(start) if start >= 0 else max(len(array) + int(start), 0)
    return array[first:] if length is None else array[first : first + max(int(length), 0)]


def _to_string(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _to_number(text: str) -> Value:
    try:
        return finite(float(text))
    except ValueError:
        return UNDEFINED


def _rounded(number: float) -> Value:
    return as_double(math.floor(abs(number) + 0.5) * (1 if number >= 0 else -1))


def _root(number: float) -> Value:
    return as_double(math.sqrt(number)) if number >= 0 else UNDEFINED


def _power(base: float, exponent: float) -> Value:
    try:
        return finite(math.pow(base, exponent))
    except (OverflowError, ValueError):
        return UNDEFINED


FUNCTIONS: dict[str, Function] = {
    "STARTSWITH": Function(_folded(str.startswith), (_TEXT, _TEXT, BOOLEAN), optional=1),
    "ENDSWITH": Function(_folded(str.endswith), (_TEXT, _TEXT, BOOLEAN), optional=1),
    "CONTAINS": Function(_folded(str.__contains__), (_TEXT, _TEXT, BOOLEAN), optional=1),
    "STRINGEQUALS": Function(_folded(str.__eq__), (_TEXT, _TEXT, BOOLEAN), optional=1),
    "LOWER": Function(str.lower, (_TEXT,)),
    "UPPER": Function(str.upper, (_TEXT,)),
    "LENGTH": Function(len, (_TEXT,)),
    "TRIM": Function(str.strip, (_TEXT,)),
    "LTRIM": Function(str.lstrip, (_TEXT,)),
    "RTRIM": Function(str.rstrip, (_TEXT,)),
    "REVERSE": Function(lambda text: text[::-1], (_TEXT,)),
    "CONCAT": Function(lambda *parts: "".join(parts), (_TEXT, _TEXT), repeats=True),
    "SUBSTRING": Function(_substring, (_TEXT, _WHOLE, _WHOLE)),
    "LEFT": Function(lambda text, length: _substring(text, 0, length), (_TEXT, _WHOLE)),
    "RIGHT": Function(lambda text, length: text[max(len(text) - max(int(length), 0), 0) :], (_TEXT, _WHOLE)),
    "INDEX_OF": Function(_index_of, (_TEXT, _TEXT, _WHOLE), optional=1),
    "REPLACE": Function(lambda text, old, new: text.replace(old, new) if old else text, (_TEXT, _TEXT, _TEXT)),
    "TOSTRING": Function(_to_string, (_ANY,)),
    "STRINGTONUMBER": Function(_to_number, (_TEXT,)),
    "ARRAY_CONTAINS": Function(_array_contains, (ARRAY, _ANY, BOOLEAN), optional=1),
    "ARRAY_LENGTH": Function(len, (ARRAY,)),
    "ARRAY_SLICE": Function(_array_slice, (ARRAY, _WHOLE, _WHOLE), optional=1),
    "ARRAY_CONCAT": Function(lambda *arrays: [x for array in arrays for x in array], (ARRAY, ARRAY), repeats=True),
    "ABS": Function(abs, (NUMBER,)),
    "CEILING": Function(lambda number: as_double(math.ceil(number)), (NUMBER,)),
    "FLOOR": Function(lambda number: as_double(math.floor(number)), (NUMBER,)),
    "ROUND": Function(_rounded, (NUMBER,)),
    "TRUNC": Function(lambda number: as_double(math.trunc(number)), (NUMBER,)),
    "SIGN": Function(lambda number: (number > 0) - (number < 0), (NUMBER,)),
    "SQRT": Function(_root, (NUMBER,)),
    "POWER": Function(_power, (NUMBER, NUMBER)),
    "GETCURRENTTIMESTAMP": Function(lambda: int(time.time() * 1000), ()),
}

AGGREGATES = frozenset({"COUNT", "SUM", "MIN", "MAX", "AVG"})
