"""From tokens to a statement: the part of the service's grammar that one partition can answer for itself.

Pure. JOIN, GROUP BY and a FROM other than the container are refused by name.
"""

from __future__ import annotations

from functools import lru_cache

from .cursor import RESERVED, Cursor
from .errors import SqlError, unsupported
from .expressions import ExpressionParser
from .lexer import END, Shape
from .syntax import Expression, OrderTerm, Property, Query, Root, mentions_item


@lru_cache(maxsize=512)
def parse_query(shape: Shape) -> Query:
    """A whole SELECT statement. Raises SqlError, and ServiceError for what the emulator leaves out."""
    try:
        return _Parser(shape).query()
    except RecursionError as cause:
        raise SqlError("The query is nested too deeply.") from cause


@lru_cache(maxsize=512)
def parse_condition(shape: Shape) -> Expression:
    """A patch's condition: `FROM alias WHERE expression`. Raises SqlError."""
    try:
        return _Parser(shape).condition()
    except RecursionError as cause:
        raise SqlError("The condition is nested too deeply.") from cause


class _Parser:
    def __init__(self, shape: Shape) -> None:
        self._at = Cursor(shape)
        self._expressions = ExpressionParser(self._at)

    def query(self) -> Query:
        self._at.need("SELECT")
        distinct = self._at.take("DISTINCT")
        top = self._expressions.primary() if self._at.take("TOP") else None
        value = self._at.take("VALUE")
        columns_at = self._at.position
        self._skip_to_from()
        self._from()
        after_from = self._at.position
        self._at.position = columns_at
        columns = self._columns(value=value)
        self._at.position = after_from
        if self._expressions.aggregates and any(mentions_item(expression) for _, expression in columns):
            raise SqlError("A property in the select list of an aggregate needs GROUP BY.", code="SC2102")
        aggregates = tuple(self._expressions.aggregates)
        where = self._expressions.expression() if self._at.take("WHERE") else None
        if self._at.take("GROUP"):
            raise unsupported("GROUP BY")
        order = self._order() if self._at.take("ORDER") else ()
        offset = limit = None
        if self._at.take("OFFSET"):
            offset = self._expressions.primary()
            self._at.need("LIMIT")
            limit = self._expressions.primary()
        self._at.need_end()
        if len(self._expressions.aggregates) > len(aggregates):
            raise SqlError("Cannot perform an aggregate function outside the select list.", code="SC2103")
        return Query(columns, value, distinct, top, where, order, offset, limit, aggregates)

    def condition(self) -> Expression:
        self._from()
        self._at.need("WHERE")
        expression = self._expressions.expression()
        self._at.need_end()
        if self._expressions.aggregates:
            raise SqlError("Aggregates are not allowed in a condition.")
        return expression

    # The FROM clause stands after the columns, but the columns cannot be read without its alias.
    def _skip_to_from(self) -> None:
        depth = 0
        while self._at.peek() is not END:
            token = self._at.peek()
            if token.kind == "operator" and token.text in "([{":
                depth += 1
            elif token.kind == "operator" and token.text in ")]}":
                depth -= 1
            elif depth == 0 and self._at.sees("FROM"):
                return
            self._at.position += 1
        raise SqlError("Syntax error, a FROM clause is expected.")

    def _from(self) -> None:
        self._at.need("FROM")
        self._expressions.alias = self._at.name()
        if self._at.is_operator(".", "[", "(") or self._at.sees("IN"):
            raise unsupported("FROM anything but the container")
        if self._at.take("AS") or (self._at.peek().kind == "name" and self._at.peek().text.upper() not in RESERVED):
            self._expressions.alias = self._at.name()
        if self._at.sees("JOIN"):
            raise unsupported("JOIN")

    def _columns(self, *, value: bool) -> tuple[tuple[str, Expression], ...]:
        if self._at.take_operator("*"):
            if value:
                raise SqlError("Syntax error, incorrect syntax near '*'.")
            self._at.need("FROM")
            return ()
        columns = [self._column(0)]
        while self._at.take_operator(","):
            columns.append(self._column(len(columns)))
        self._at.need("FROM")
        if value and len(columns) > 1:
            raise SqlError("Syntax error, SELECT VALUE takes one expression.")
        if len({name for name, _ in columns}) < len(columns):
            raise SqlError("The select list has two columns of the same name.", code="SC2032")
        return tuple(columns)

    def _column(self, position: int) -> tuple[str, Expression]:
        expression = self._expressions.expression()
        if self._at.take("AS"):
            return self._at.name(), expression
        if isinstance(expression, Property):
            return expression.name, expression
        return (self._expressions.alias if isinstance(expression, Root) else f"${position + 1}"), expression

    def _order(self) -> tuple[OrderTerm, ...]:
        self._at.need("BY")
        terms = [self._order_term()]
        while self._at.take_operator(","):
            terms.append(self._order_term())
        return tuple(terms)

    def _order_term(self) -> OrderTerm:
        expression = self._expressions.expression()
        path: list[str] = []
        inner = expression
        while isinstance(inner, Property):
            path.insert(0, inner.name)
            inner = inner.of
        if not path or not isinstance(inner, Root):
            raise SqlError("Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a path.")
        descending = self._at.take("DESC")
        if not descending:
            self._at.take("ASC")
        return OrderTerm(tuple(path), expression, descending)
