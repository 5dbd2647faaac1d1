"""Cut a query's text into tokens, and pull its literals out.

Pure. Two conditions that differ only in their literals (`c.owner = 'a'`, `c.owner = 'b'`) have the same shape, so that
parsing and compiling happen once per shape: a condition with fresh ids costs one pass of a regular expression.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import SqlError
from .values import Value, as_double

MAX_QUERY_CHARACTERS = 512 * 1024

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|--[^\n]*)+)
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<parameter>@\w+)
      | (?P<name>[^\W\d]\w*)
      | (?P<operator><>|!=|<=|>=|\|\||\?\?|[=<>+\-*/%(),.\[\]{}:?])
      | (?P<junk>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Token(NamedTuple):
    """`kind` is name, operator, parameter, literal, key or end; a literal's text names the parameter with its value."""

    kind: str
    text: str


Shape = tuple[Token, ...]
END = Token("end", "end of query")


def tokenize(text: str) -> tuple[Shape, dict[str, Value]]:
    """The query's shape, and its literals by parameter name (`#0`, `#1`, ...). Raises SqlError."""
    if len(text) > MAX_QUERY_CHARACTERS:
        raise SqlError(f"The query has {len(text)} characters; the limit is {MAX_QUERY_CHARACTERS}.")
    tokens: list[Token] = []
    literals: dict[str, Value] = {}
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "junk"
        if kind == "space":
            continue
        if kind == "junk":
            raise SqlError(f"Syntax error, invalid token near '{match[0]}'.")
        if kind in ("number", "string"):
            name = f"#{len(literals)}"
            literals[name] = _number(match[0]) if kind == "number" else _string(match[0])
            tokens.append(Token("literal", name))
        else:
            tokens.append(Token(kind, match[0]))
            if match[0] == "]":
                _keep_key(tokens, literals)
    return tuple(tokens), literals


def _keep_key(tokens: list[Token], literals: dict[str, Value]) -> None:
    """Turn the literal of `["name"]` into a token of kind key: a property's name is part of the shape."""
    if len(tokens) < 3 or tokens[-3] != ("operator", "[") or tokens[-2].kind != "literal":
        return
    value = literals[tokens[-2].text]
    if isinstance(value, str):
        tokens[-2] = Token("key", value)


def _number(text: str) -> int | float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise SqlError(f"Syntax error, invalid numeric value token '{text[:50]}'.", code="SC1010")
    return as_double(int(text)) if text.isdecimal() else as_double(value)


def _string(text: str) -> str:
    body = text[1:-1]
    if "\\" not in body:
        return body
    # Two \u escapes may be one character outside the basic plane; a round trip through UTF-16 joins them.
    return _ESCAPE.sub(_unescaped, body).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] == "u" and len(escape) == 5:
        return chr(int(escape[1:], 16))
    if escape in _ESCAPES:
        return _ESCAPES[escape]
    if escape in "\"'\\/":
        return escape
    raise SqlError(f"Syntax error, invalid string literal token near '\\{escape}'.", code="SC1009")
