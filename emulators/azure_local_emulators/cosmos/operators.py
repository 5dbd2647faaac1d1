"""What the operators of the query language compute from values.

Pure. Whatever is undefined or of the wrong type makes the result undefined.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from functools import lru_cache

from .errors import SqlError
from .values import ARRAY, NUMBER, OBJECT, UNDEFINED, Value, equal, finite, type_of


def negation(value: Value) -> Value:
    """NOT."""
    return not value if isinstance(value, bool) else UNDEFINED


def equals(left: Value, right: Value) -> Value:
    """`=`."""
    if left is UNDEFINED or right is UNDEFINED:
        return UNDEFINED
    return equal(left, right)


def _differs(left: Value, right: Value) -> Value:
    return negation(equals(left, right))


def _ordering(compare: Callable[[Value, Value], bool]) -> Callable[[Value, Value], Value]:
    def run(left: Value, right: Value) -> Value:
        kind = type_of(left)
        if kind != type_of(right) or kind in (0, ARRAY, OBJECT):
            return UNDEFINED
        return compare(0, 0) if left is None else compare(left, right)

    return run


def _arithmetic(compute: Callable[[Value, Value], float]) -> Callable[[Value, Value], Value]:
    def run(left: Value, right: Value) -> Value:
        if type_of(left) != NUMBER or type_of(right) != NUMBER:
            return UNDEFINED
        try:
            return finite(compute(left, right))
        except (ArithmeticError, ValueError):
            return UNDEFINED

    return run


def _concatenated(left: Value, right: Value) -> Value:
    return left + right if isinstance(left, str) and isinstance(right, str) else UNDEFINED


OPERATORS: dict[str, Callable[[Value, Value], Value]] = {
    "=": equals,
    "!=": _differs,
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
    "+": _arithmetic(operator.add),
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(operator.truediv),
    "%": _arithmetic(math.fmod),
    "||": _concatenated,
}


@lru_cache(maxsize=256)
def like_pattern(pattern: str, escape: str) -> re.Pattern[str]:
    """`%` is any text, `_` any character, `[abc]` and `[^a-c]` a character of a set."""
    out: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        closing = pattern.find("]", position + 2) if character == "[" else -1
        if escape and character == escape and position + 1 < len(pattern):
            position += 1
            out.append(re.escape(pattern[position]))
        elif closing > 0:
            out.append(_character_set(pattern[position + 1 : closing]))
            position = closing
        else:
            out.append({"%": ".*", "_": "."}.get(character, re.escape(character)))
        position += 1
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error as cause:
        raise SqlError(f"The LIKE pattern {pattern!r} is invalid.") from cause


def _character_set(content: str) -> str:
    negated = content.startswith("^")
    body = re.sub(r"([\\\[\]&~|^])", r"\\\1", content[1:] if negated else content)
    return f"[{'^' if negated else ''}{body}]"
