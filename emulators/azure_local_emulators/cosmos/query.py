"""Run a compiled query over the items of one partition, and cut the rows into pages.

Pure. Which items a request reaches, and whether a query may run over several partitions at all, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import SqlError
from .evaluate import Parameters, compiled
from .lexer import tokenize
from .parser import parse_condition, parse_query
from .syntax import Aggregate, Expression, Query
from .values import NUMBER, UNDEFINED, Value, encode_json, sort_key, type_of


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an answer, and the position of the item it came from ("" for an aggregate)."""

    value: Value
    position: str


@dataclass(frozen=True, slots=True)
class BoundQuery:
    """A query with its parameters."""

    query: Query
    parameters: Parameters

    def rows(self, items: Iterable[tuple[str, Value]]) -> list[Row]:
        """All rows, in order; `items` are pairs of a position and the item's JSON."""
        kept = list(self._filtered(items))
        if self.query.aggregates:
            return self._aggregated(kept)
        for term in reversed(self.query.order):
            key = compiled(term.expression)
            kept.sort(key=lambda pair: sort_key(key(pair[1], self.parameters)), reverse=term.descending)
        rows = list(self._projections(kept))
        return self._cut(_distinct(rows) if self.query.distinct else rows)

    def stream(self, items: Iterable[tuple[str, Value]]) -> Iterator[Row]:
        """The rows one by one, for a query that needs no merging: a page need not look at what comes after it."""
        return self._projections(self._filtered(items))

    def _filtered(self, items: Iterable[tuple[str, Value]]) -> Iterator[tuple[str, Value]]:
        if self.query.where is None:
            return iter(items)
        holds, parameters = compiled(self.query.where), self.parameters
        return (pair for pair in items if holds(pair[1], parameters) is True)

    def _projections(self, kept: Iterable[tuple[str, Value]]) -> Iterator[Row]:
        return (Row(value, at) for at, item in kept if (value := self._projected(item)) is not UNDEFINED)

    def _projected(self, item: Value, parameters: Parameters | None = None) -> Value:
        with_results = self.parameters if parameters is None else parameters
        if not self.query.columns:
            return item
        if self.query.value:
            return compiled(self.query.columns[0][1])(item, with_results)
        pairs = ((name, compiled(expression)(item, with_results)) for name, expression in self.query.columns)
        return {name: value for name, value in pairs if value is not UNDEFINED}

    def _aggregated(self, kept: list[tuple[str, Value]]) -> list[Row]:
        results = {one.name: self._result(one, kept) for one in self.query.aggregates}
        # The select list of an aggregate may mention no property outside it, so that any item will do: an empty one.
        value = self._projected({}, {**self.parameters, **results})
        return self._cut([] if value is UNDEFINED else [Row(value, "")])

    def _result(self, aggregate: Aggregate, kept: list[tuple[str, Value]]) -> Value:
        argument = compiled(aggregate.argument)
        computed = (argument(item, self.parameters) for _, item in kept)
        return _AGGREGATES[aggregate.function]([value for value in computed if value is not UNDEFINED])

    def _cut(self, rows: list[Row]) -> list[Row]:
        if self.query.offset is not None and self.query.limit is not None:
            first = self._count(self.query.offset, "OFFSET")
            rows = rows[first : first + self._count(self.query.limit, "LIMIT")]
        return rows[: self._count(self.query.top, "TOP")] if self.query.top is not None else rows

    def _count(self, expression: Expression, clause: str) -> int:
        value = compiled(expression)({}, self.parameters)
        if type_of(value) != NUMBER or value < 0 or not float(value).is_integer():
            raise SqlError(f"The value of {clause} must be a non-negative integer.", code="SC2062")
        return int(value)


def bind(text: str, parameters: Mapping[str, Value]) -> BoundQuery:
    """Compile a query for its parameters. Raises SqlError, and ServiceError for what the emulator leaves out."""
    shape, literals = tokenize(text)
    return BoundQuery(parse_query(shape), {**parameters, **literals})


def condition(text: str) -> Callable[[Value], bool]:
    """Compile a patch's condition into a test of an item. Raises SqlError."""
    shape, literals = tokenize(text)
    holds = compiled(parse_condition(shape))
    return lambda item: holds(item, literals) is True


def _distinct(rows: list[Row]) -> list[Row]:
    seen: dict[bytes, Row] = {}
    for row in rows:
        seen.setdefault(encode_json(_sorted(row.value)), row)
    return list(seen.values())


def _sorted(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(element) for element in value] if isinstance(value, list) else value


def _sum(values: list[Value]) -> Value:
    return sum(values) if all(type_of(value) == NUMBER for value in values) else UNDEFINED


def _average(values: list[Value]) -> Value:
    total = _sum(values)
    return UNDEFINED if total is UNDEFINED or not values else total / len(values)


def _extreme(choose: Callable[..., Any]) -> Callable[[list[Value]], Value]:
    return lambda values: choose(values, key=sort_key) if values else UNDEFINED


_AGGREGATES: dict[str, Callable[[list[Value]], Value]] = {
    "COUNT": len,
    "SUM": _sum,
    "AVG": _average,
    "MIN": _extreme(min),
    "MAX": _extreme(max),
}
