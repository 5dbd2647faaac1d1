"""Partial document update: apply a list of operations to a document, or refuse them all.

Pure. The stored document is never changed: what an operation touches is copied on the way to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import ServiceError, bad_request
from .query import condition
from .values import NUMBER, UNDEFINED, Value, finite, type_of

MAX_OPERATIONS = 10
_SYSTEM = frozenset({"_rid", "_self", "_etag", "_ts", "_attachments"})
_NEEDS_VALUE = frozenset({"add", "set", "replace", "incr", "increment"})

Document = dict[str, Any]
Segments = list[str]


class Patch:
    """The body of a PATCH request: 1 to 10 operations, and perhaps a condition on the item as it is."""

    def __init__(self, body: Value, *, fixed: frozenset[str]) -> None:
        """`fixed` are the top-level properties that no patch may touch. Raises ServiceError."""
        operations = body.get("operations") if isinstance(body, dict) else None
        if not isinstance(operations, list) or not operations:
            raise bad_request("The patch request has no operations.")
        if len(operations) > MAX_OPERATIONS:
            raise bad_request(f"The patch has {len(operations)} operations; the limit is {MAX_OPERATIONS}.")
        self._operations = [_Operation(one, fixed | _SYSTEM) for one in operations]
        text = body.get("condition")
        if text is not None and not isinstance(text, str):
            raise bad_request("The patch condition must be a string.")
        self.holds: Callable[[Value], bool] = condition(text) if text else _always

    def apply(self, document: Document) -> Document:
        """A changed copy. Raises ServiceError if any operation does not fit the document."""
        changed = dict(document)
        for operation in self._operations:
            operation.apply(changed)
        return changed


def _always(_: Value) -> bool:
    return True


class _Operation:
    def __init__(self, body: Value, fixed: frozenset[str]) -> None:
        kind = body.get("op") if isinstance(body, dict) else None
        if not isinstance(kind, str) or kind not in _APPLY:
            raise bad_request(f"Patch operation {str(kind)[:50]!r} is unknown; known: {', '.join(_APPLY)}.")
        self.kind = kind
        self.path = _segments(body.get("path"), fixed)
        self.source = _segments(body.get("from"), fixed) if self.kind == "move" else []
        if self.kind in _NEEDS_VALUE and "value" not in body:
            raise bad_request(f"Patch operation {self.kind} needs a value.")
        self.value = body.get("value")
        if self.source and self.path[: len(self.source)] == self.source and self.path != self.source:
            raise bad_request("Patch operation move: `path` cannot lie inside `from`.")

    def apply(self, document: Document) -> None:
        _APPLY[self.kind](document, self)

    def misses(self, what: str) -> ServiceError:
        return bad_request(f"For Patch operation {self.kind}, /{'/'.join(self.path)}: {what}")


def _segments(path: Value, fixed: frozenset[str]) -> Segments:
    if not isinstance(path, str) or not path.startswith("/") or path == "/":
        raise bad_request(f"Patch path {str(path)[:100]!r} is invalid; it starts with '/' and names a property.")
    segments = [segment.replace("~1", "/").replace("~0", "~") for segment in path[1:].split("/")]
    if segments[0] in fixed:
        raise bad_request(
            f"Patch path {path[:100]!r} cannot be changed: it is the id, the partition key or the system's."
        )
    return segments


def _parent(document: Document, operation: _Operation, path: Segments) -> Any:
    """The object or array that holds the last segment, fresh from a copy of everything above it."""
    holder: Any = document
    for segment in path[:-1]:
        key: Any = segment
        if isinstance(holder, list):
            key = _position(holder, segment, operation, len(holder) - 1)
        elif segment not in holder:
            raise operation.misses(f"the path contains {segment!r}, which does not exist.")
        child = holder[key]
        if not isinstance(child, (dict, list)):
            raise operation.misses(f"the path contains {segment!r}, which is neither an object nor an array.")
        holder[key] = holder = child.copy()
    return holder


def _position(array: list[Value], segment: str, operation: _Operation, highest: int) -> int:
    if not (segment.isascii() and segment.isdigit()) or len(segment) > 9 or int(segment) > highest:
        raise operation.misses(f"{segment!r} is no index of an array of {len(array)}.")
    return int(segment)


def _add(document: Document, operation: _Operation) -> None:
    _put(document, operation, operation.value)


def _put(document: Document, operation: _Operation, value: Value) -> None:
    holder, last = _parent(document, operation, operation.path), operation.path[-1]
    if isinstance(holder, dict):
        holder[last] = value
    elif last == "-":
        holder.append(value)
    else:
        holder.insert(_position(holder, last, operation, len(holder)), value)


def _set(document: Document, operation: _Operation) -> None:
    holder, last = _parent(document, operation, operation.path), operation.path[-1]
    key = last if isinstance(holder, dict) else _position(holder, last, operation, len(holder) - 1)
    holder[key] = operation.value


def _existing(document: Document, operation: _Operation, path: Segments) -> tuple[Any, Any]:
    holder, last = _parent(document, operation, path), path[-1]
    if isinstance(holder, list):
        return holder, _position(holder, last, operation, len(holder) - 1)
    if last not in holder:
        raise operation.misses("the path does not exist.")
    return holder, last


def _replace(document: Document, operation: _Operation) -> None:
    holder, key = _existing(document, operation, operation.path)
    holder[key] = operation.value


def _remove(document: Document, operation: _Operation) -> None:
    holder, key = _existing(document, operation, operation.path)
    del holder[key]


def _incr(document: Document, operation: _Operation) -> None:
    holder, last = _parent(document, operation, operation.path), operation.path[-1]
    key: Any = last if isinstance(holder, dict) else _position(holder, last, operation, len(holder) - 1)
    # A missing property starts at 0; a missing parent has been refused above.
    present = holder.get(key, 0) if isinstance(holder, dict) else holder[key]
    if type_of(operation.value) != NUMBER or type_of(present) != NUMBER:
        raise operation.misses("incr needs a number on both sides.")
    total = finite(present + operation.value)
    if total is UNDEFINED:
        raise operation.misses("the sum is outside the range of a double.")
    holder[key] = total


def _move(document: Document, operation: _Operation) -> None:
    holder, key = _existing(document, operation, operation.source)
    value = holder.pop(key)
    _put(document, operation, value)


_APPLY: dict[str, Callable[[Document, _Operation], None]] = {
    "add": _add,
    "set": _set,
    "replace": _replace,
    "remove": _remove,
    "incr": _incr,
    "increment": _incr,
    "move": _move,
}
