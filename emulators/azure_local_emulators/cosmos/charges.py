"""What a request costs in request units, near the figures that Microsoft publishes.

Pure but for the running totals. Published: a point read is 1 RU for 1 KB and 10 RU for 100 KB; Strong and bounded
staleness double reads. Writes and queries are interpolated between measured figures that the documentation quotes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

_PER_KB_READ = 9 / 99
_PER_KB_WRITE = 0.45
_INSERT, _CHANGE = 5.71, 10.67
REFUSED_WRITE = 1.24
EMPTY_READ = 1.0
METADATA = 1.0
_QUERY, _PER_ROW = 2.79, 0.02


def read(size_bytes: int, *, strong: bool) -> float:
    """A point read that found its item."""
    return _doubled(EMPTY_READ + _PER_KB_READ * _further_kb(size_bytes), strong=strong)


def insert(size_bytes: int) -> float:
    """A create, a delete, or an upsert that created."""
    return _INSERT + _PER_KB_WRITE * _further_kb(size_bytes)


def change(size_bytes: int) -> float:
    """A replace, a patch, or an upsert that replaced."""
    return _CHANGE + 2 * _PER_KB_WRITE * _further_kb(size_bytes)


def query(rows: int, size_bytes: int, *, strong: bool) -> float:
    """One page of a query."""
    return _doubled(_QUERY + _PER_ROW * rows + _PER_KB_READ * size_bytes / 1024, strong=strong)


def _further_kb(size_bytes: int) -> float:
    return max(size_bytes / 1024 - 1, 0.0)


def _doubled(units: float, *, strong: bool) -> float:
    return units * 2 if strong else units


class Totals:
    """Requests and request units by kind, since the start or the last reset."""

    def __init__(self) -> None:
        self._by_kind: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0])

    def add(self, kind: str, units: float) -> None:
        """Count one answered request."""
        entry = self._by_kind[kind]
        entry[0] += 1
        entry[1] += units

    def clear(self) -> None:
        """Begin again at zero."""
        self._by_kind.clear()

    def report(self) -> dict[str, Any]:
        """{kind: {"requests": n, "request_units": x}}, and the same under "total"."""
        every = {
            **self._by_kind,
            "total": [sum(column) for column in zip(*self._by_kind.values(), strict=True)] or [0, 0],
        }
        return {kind: {"requests": int(n), "request_units": round(units, 2)} for kind, (n, units) in every.items()}
