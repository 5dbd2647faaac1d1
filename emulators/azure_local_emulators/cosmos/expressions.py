"""From tokens to an expression tree, by recursive descent.

Pure. Precedence is that of the grammar in Microsoft's SDK (`sql.g4`): NOT binds tighter than a comparison, so that
`NOT c.a = 1` means `(NOT c.a) = 1`; write `NOT (c.a = 1)`. Subqueries and user-defined functions are refused by name.
"""

from __future__ import annotations

from .cursor import Cursor
from .errors import SqlError, unsupported
from .functions import AGGREGATES, FUNCTIONS, TYPE_CHECKS
from .lexer import Token
from .syntax import (
    Aggregate,
    ArrayOf,
    Binary,
    Call,
    Conditional,
    Constant,
    Expression,
    In,
    Index,
    Like,
    Logical,
    ObjectOf,
    Parameter,
    Property,
    Root,
    Unary,
)
from .values import UNDEFINED

_CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None, "UNDEFINED": UNDEFINED}
_COMPARISONS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})


class ExpressionParser:
    """Reads expressions at a cursor; collects the aggregates it meets."""

    def __init__(self, cursor: Cursor) -> None:
        """`alias` is to be set once FROM has been read."""
        self._at = cursor
        self.alias = ""
        self.aggregates: list[Aggregate] = []

    def expression(self) -> Expression:
        """Take one expression. Raises SqlError."""
        expression = self._or()
        while self._at.take_operator("??"):
            expression = Binary("??", expression, self._or())
        if self._at.take_operator("?"):
            then = self.expression()
            self._at.need_operator(":")
            return Conditional(expression, then, self.expression())
        return expression

    def _or(self) -> Expression:
        terms = [self._and()]
        while self._at.take("OR"):
            terms.append(self._and())
        return terms[0] if len(terms) == 1 else Logical("OR", tuple(terms))

    def _and(self) -> Expression:
        terms = [self._comparison()]
        while self._at.take("AND"):
            terms.append(self._comparison())
        return terms[0] if len(terms) == 1 else Logical("AND", tuple(terms))

    def _comparison(self) -> Expression:
        left = self._sum()
        while self._at.peek().kind == "operator" and self._at.peek().text in _COMPARISONS:
            operator = self._at.next().text
            left = Binary("!=" if operator == "<>" else operator, left, self._sum())
        negated = self._at.sees("NOT") and self._at.take("NOT")
        if self._at.take("IN"):
            return _negated(In(left, self._listed("(", ")")), negated=negated)
        if self._at.take("BETWEEN"):
            low = self._sum()
            self._at.need("AND")
            between = Logical("AND", (Binary(">=", left, low), Binary("<=", left, self._sum())))
            return _negated(between, negated=negated)
        if self._at.take("LIKE"):
            pattern = self._sum()
            return _negated(Like(left, pattern, self.primary() if self._at.take("ESCAPE") else None), negated=negated)
        if negated:
            raise self._at.unexpected()
        return left

    def _sum(self) -> Expression:
        left = self._product()
        while self._at.is_operator("+", "-", "||"):
            left = Binary(self._at.next().text, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._unary()
        while self._at.is_operator("*", "/", "%"):
            left = Binary(self._at.next().text, left, self._unary())
        return left

    def _unary(self) -> Expression:
        if self._at.is_operator("-", "+"):
            return Unary(self._at.next().text, self._unary())
        if self._at.take("NOT"):
            return Unary("NOT", self._unary())
        return self._member()

    def _member(self) -> Expression:
        expression = self.primary()
        while True:
            if self._at.take_operator("."):
                expression = Property(expression, self._at.name())
            elif self._at.take_operator("["):
                expression = self._indexed(expression)
                self._at.need_operator("]")
            else:
                return expression

    def _indexed(self, expression: Expression) -> Expression:
        key = self.expression()
        if isinstance(key, Constant) and isinstance(key.value, str):
            return Property(expression, key.value)
        return Index(expression, key)

    def primary(self) -> Expression:
        """Take a literal, parameter, name, call or bracketed expression. Raises SqlError."""
        token = self._at.next()
        if token.kind == "key":
            return Constant(token.text)
        if token.kind in ("literal", "parameter"):
            return Parameter(token.text)
        if token.kind == "name":
            return self._named(token)
        if token == ("operator", "("):
            if self._at.sees("SELECT"):
                raise unsupported("A subquery")
            inner = self.expression()
            self._at.need_operator(")")
            return inner
        self._at.position -= 1
        if token == ("operator", "["):
            return ArrayOf(self._listed("[", "]"))
        if token == ("operator", "{"):
            return self._object()
        raise self._at.unexpected()

    def _named(self, token: Token) -> Expression:
        name = token.text.upper()
        if name in _CONSTANTS:
            return Constant(_CONSTANTS[name])
        if name == "UDF" and self._at.is_operator("."):
            raise unsupported("A user-defined function")
        if name in ("EXISTS", "ARRAY") and self._at.is_operator("("):
            raise unsupported("A subquery")
        if self._at.is_operator("("):
            return self._call(token, name)
        if token.text != self.alias:
            raise SqlError(f"Identifier '{token.text}' could not be resolved.", code="SC2001")
        return Root()

    def _call(self, token: Token, name: str) -> Expression:
        if name in AGGREGATES:
            return self._aggregate(name)
        arguments = self._listed("(", ")")
        if name not in FUNCTIONS and name not in TYPE_CHECKS:
            raise SqlError(f"'{token.text}' is not a recognized built-in function name.", code="SC2005")
        fits = FUNCTIONS[name].accepts(len(arguments)) if name in FUNCTIONS else len(arguments) == 1
        if not fits:
            raise SqlError(f"The {token.text} function does not take {len(arguments)} arguments.", code="SC2050")
        return Call(name, arguments)

    def _aggregate(self, function: str) -> Expression:
        arguments = self._listed("(", ")")
        if len(arguments) != 1:
            raise SqlError(f"The {function} function requires 1 argument.", code="SC2050")
        result = f"#{function}{len(self.aggregates)}"
        self.aggregates.append(Aggregate(function, arguments[0], result))
        return Parameter(result)

    def _object(self) -> Expression:
        self._at.need_operator("{")
        members: list[tuple[Expression, Expression]] = []
        while not self._at.take_operator("}"):
            if members:
                self._at.need_operator(",")
            token = self._at.next()
            key: Expression = Constant(token.text) if token.kind == "name" else Parameter(token.text)
            if token.kind not in ("name", "literal"):
                self._at.position -= 1
                raise self._at.unexpected()
            self._at.need_operator(":")
            members.append((key, self.expression()))
        return ObjectOf(tuple(members))

    def _listed(self, opening: str, closing: str) -> tuple[Expression, ...]:
        self._at.need_operator(opening)
        listed: list[Expression] = []
        while not self._at.take_operator(closing):
            if listed:
                self._at.need_operator(",")
            if self._at.sees("SELECT"):
                raise unsupported("A subquery")
            listed.append(self.expression())
        return tuple(listed)


def _negated(expression: Expression, *, negated: bool) -> Expression:
    return Unary("NOT", expression) if negated else expression
