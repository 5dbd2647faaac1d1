"""A position in a query's tokens.

Pure. Owns looking ahead, taking, and the sentence of a syntax error; keywords are compared without regard to case.
"""

from __future__ import annotations

from .errors import SqlError
from .lexer import END, Shape, Token

RESERVED = frozenset(
    {"SELECT", "FROM", "WHERE", "ORDER", "BY", "GROUP", "TOP", "DISTINCT", "VALUE", "AS", "AND", "OR", "NOT", "IN"}
    | {"BETWEEN", "LIKE", "ESCAPE", "JOIN", "ASC", "DESC", "OFFSET", "LIMIT", "EXISTS", "TRUE", "FALSE", "NULL"}
    | {"UNDEFINED", "UDF"}
)


class Cursor:
    """Reads the tokens of one query, from left to right."""

    def __init__(self, shape: Shape) -> None:
        self._tokens = shape
        self.position = 0

    def peek(self) -> Token:
        """The next token, left where it is; END at the end."""
        return self._tokens[self.position] if self.position < len(self._tokens) else END

    def next(self) -> Token:
        """The next token, taken."""
        token = self.peek()
        self.position += 1
        return token

    def sees(self, keyword: str) -> bool:
        """Whether the next token is this keyword."""
        token = self.peek()
        return token.kind == "name" and token.text.upper() == keyword

    def take(self, keyword: str) -> bool:
        """Take the keyword if it is next."""
        if not self.sees(keyword):
            return False
        self.position += 1
        return True

    def need(self, keyword: str) -> None:
        """Take the keyword. Raises SqlError."""
        if not self.take(keyword):
            raise self.unexpected()

    def is_operator(self, *operators: str) -> bool:
        """Whether the next token is one of these operators."""
        token = self.peek()
        return token.kind == "operator" and token.text in operators

    def take_operator(self, operator: str) -> bool:
        """Take the operator if it is next."""
        if not self.is_operator(operator):
            return False
        self.position += 1
        return True

    def need_operator(self, operator: str) -> None:
        """Take the operator. Raises SqlError."""
        if not self.take_operator(operator):
            raise self.unexpected()

    def need_end(self) -> None:
        """Raises SqlError unless all tokens are taken."""
        if self.peek() is not END:
            raise self.unexpected()

    def name(self) -> str:
        """Take an identifier that is no keyword. Raises SqlError."""
        token = self.peek()
        if token.kind != "name" or token.text.upper() in RESERVED:
            raise self.unexpected()
        self.position += 1
        return token.text

    def unexpected(self) -> SqlError:
        """The refusal of the next token."""
        return SqlError(f"Syntax error, incorrect syntax near '{self.peek().text}'.")
