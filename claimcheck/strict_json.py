"""JSON as RFC 8259 has it, from clients and from models: names once, finite numbers, whole characters, bounded depth.

Pure. What passes can be stored, and is read back as it was.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

MAX_DEPTH = 32  # Options of any task are far flatter.
MAX_INTEGER = 2**53 - 1  # RFC 8259, 6: beyond it readers disagree, and Cosmos DB stores another number or refuses it.


def parse(text: str, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value. Raises ValueError that says what is wrong; how long `text` may be is the caller's."""
    try:
        value = json.loads(
            text, parse_int=_exact, parse_float=_finite, parse_constant=_finite, object_pairs_hook=_names_once
        )
    except RecursionError as cause:
        raise _too_deep(max_depth) from cause
    if depth_of(value, at_most=max_depth + 1) > max_depth:
        raise _too_deep(max_depth)
    # "\ud800" is JSON, but half a character: it cannot be stored.
    json.dumps(value, ensure_ascii=False).encode()
    return value


def depth_of(value: Any, *, at_most: int) -> int:
    """How many containers are within each other, or `at_most`. Level by level: it must not depend on the stack."""
    level = [value]
    for depth in range(at_most):
        level = [container for container in level if isinstance(container, (dict, list))]
        if not level:
            return depth
        level = [child for container in level for child in _children(container)]
    return at_most


def _finite(text: str) -> float:
    """JSON has neither NaN nor infinity (RFC 8259, 6), though Python reads both; a record would keep them as null."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _exact(text: str) -> int:
    value = int(text)
    if abs(value) > MAX_INTEGER:
        raise ValueError(f"{text[:20]}... has {len(text)} digits; integers up to {MAX_INTEGER:,} are expected")
    return value


def _names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two equal names counts (RFC 8259, 4)."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name[:40]!r} occurs twice in one object")
        found[name] = value
    return found


def _children(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _too_deep(max_depth: int) -> ValueError:
    return ValueError(f"it is nested too deeply; the limit is {max_depth} levels")
