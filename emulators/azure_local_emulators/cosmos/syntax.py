"""What a query says, as a tree. Pure data: the parser makes it, the evaluator compiles it."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import TypeAlias

from .values import Value


@dataclass(frozen=True, slots=True)
class Constant:
    """true, false, null or undefined."""

    value: Value


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that comes with the request: `@name`, a literal (`#0`), or an aggregate's result (`#COUNT0`)."""

    name: str


@dataclass(frozen=True, slots=True)
class Root:
    """The item, under the alias that FROM gave it."""


@dataclass(frozen=True, slots=True)
class Property:
    """`of.name`: a constant name."""

    of: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """`of[key]`: a computed name or array index."""

    of: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class Unary:
    """`NOT`, `-` or `+`."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """A comparison, arithmetic, `||` or `??`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logical:
    """`AND` or `OR` over two or more terms, in one node: long chains must not nest."""

    operator: str
    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class In:
    """`needle IN (option, ...)`."""

    needle: Expression
    options: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """`text LIKE pattern ESCAPE escape`."""

    text: Expression
    pattern: Expression
    escape: Expression | None


@dataclass(frozen=True, slots=True)
class Conditional:
    """`test ? then : otherwise`."""

    test: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Call:
    """A built-in function; the name is in upper case and known."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """`[a, b]`."""

    elements: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """`{"a": x}`."""

    members: tuple[tuple[Expression, Expression], ...]


Expression: TypeAlias = (
    Constant
    | Parameter
    | Root
    | Property
    | Index
    | Unary
    | Binary
    | Logical
    | In
    | Like
    | Conditional
    | Call
    | ArrayOf
    | ObjectOf
)


def mentions_item(node: object) -> bool:
    """Whether an expression depends on the item (an aggregate's result does not)."""
    if isinstance(node, tuple):
        return any(map(mentions_item, node))
    return isinstance(node, Root) or (
        is_dataclass(node) and any(mentions_item(getattr(node, f.name)) for f in fields(node))
    )


@dataclass(frozen=True, slots=True)
class Aggregate:
    """COUNT, SUM, MIN, MAX or AVG over all rows; its result is the parameter `name`."""

    function: str
    argument: Expression
    name: str


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One property of ORDER BY."""

    path: tuple[str, ...]
    expression: Expression
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """`columns` is empty for `SELECT *`; with `value` its one column is the row itself."""

    columns: tuple[tuple[str, Expression], ...] = ()
    value: bool = False
    distinct: bool = False
    top: Expression | None = None
    where: Expression | None = None
    order: tuple[OrderTerm, ...] = ()
    offset: Expression | None = None
    limit: Expression | None = None
    aggregates: tuple[Aggregate, ...] = ()

    @property
    def needs_merging(self) -> bool:
        """Whether the answers of several partitions, one after the other, would be a wrong answer."""
        return bool(self.aggregates or self.order or self.distinct or self.top or self.offset)
