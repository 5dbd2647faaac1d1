"""Compile an expression into a closure that computes it for one item.

Pure. Undefined is contagious: every operator over an undefined or ill-typed operand is undefined, and a filter keeps an
item only where it is exactly true. AND and OR are three-valued. `=` and `!=` between different types are false and
true, as in Microsoft's offline engine (the documentation page says undefined; the two differ only under NOT and `!=`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from .errors import SqlError
from .functions import FUNCTIONS, TYPE_CHECKS
from .operators import OPERATORS, equals, like_pattern, negation
from .syntax import (
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
from .values import ARRAY, NUMBER, OBJECT, STRING, UNDEFINED, Value, type_of

Parameters = Mapping[str, Value]
Computed = Callable[[Value, Parameters], Value]


@lru_cache(maxsize=4096)
def compiled(expression: Expression) -> Computed:
    """A function of the item and the request's parameters. Raises SqlError when run with a parameter missing."""
    return _COMPILERS[type(expression)](expression)


def _constant(node: Constant) -> Computed:
    value = node.value
    return lambda item, parameters: value


def _parameter(node: Parameter) -> Computed:
    name = node.name

    def run(item: Value, parameters: Parameters) -> Value:
        try:
            return parameters[name]
        except KeyError as cause:
            raise SqlError(f"The parameter {name} is not supplied.", code="SC2010") from cause

    return run


def _root(node: Root) -> Computed:
    return lambda item, parameters: item


def _property(node: Property) -> Computed:
    name = node.name
    if isinstance(node.of, Root):
        return lambda item, parameters: item.get(name, UNDEFINED)
    of = compiled(node.of)

    def run(item: Value, parameters: Parameters) -> Value:
        owner = of(item, parameters)
        return owner.get(name, UNDEFINED) if isinstance(owner, dict) else UNDEFINED

    return run


def _index(node: Index) -> Computed:
    of, key = compiled(node.of), compiled(node.key)
    return lambda item, parameters: _element(of(item, parameters), key(item, parameters))


def _element(owner: Value, key: Value) -> Value:
    if type_of(owner) == OBJECT and type_of(key) == STRING:
        return owner.get(key, UNDEFINED)
    if type_of(owner) == ARRAY and type_of(key) == NUMBER and float(key).is_integer() and 0 <= key < len(owner):
        return owner[int(key)]
    return UNDEFINED


def _unary(node: Unary) -> Computed:
    operand = compiled(node.operand)
    if node.operator == "NOT":
        return lambda item, parameters: negation(operand(item, parameters))
    sign = -1 if node.operator == "-" else 1

    def run(item: Value, parameters: Parameters) -> Value:
        value = operand(item, parameters)
        return sign * value if type_of(value) == NUMBER else UNDEFINED

    return run


def _binary(node: Binary) -> Computed:
    left, right = compiled(node.left), compiled(node.right)
    if node.operator == "??":
        return lambda item, parameters: (
            right(item, parameters) if (first := left(item, parameters)) is UNDEFINED else first
        )
    combine = OPERATORS[node.operator]
    return lambda item, parameters: combine(left(item, parameters), right(item, parameters))


def _logical(node: Logical) -> Computed:
    terms = tuple(compiled(term) for term in node.terms)
    decisive = node.operator == "OR"  # the value that settles the result whatever the other terms are

    def run(item: Value, parameters: Parameters) -> Value:
        result: Value = not decisive
        for term in terms:
            value = term(item, parameters)
            if value is decisive:
                return decisive
            if not isinstance(value, bool):
                result = UNDEFINED
        return result

    return run


def _in(node: In) -> Computed:
    needle, options = compiled(node.needle), tuple(compiled(option) for option in node.options)

    def run(item: Value, parameters: Parameters) -> Value:
        sought = needle(item, parameters)
        if sought is UNDEFINED:
            return UNDEFINED
        return any(equals(sought, option(item, parameters)) is True for option in options)

    return run


def _like(node: Like) -> Computed:
    text, pattern = compiled(node.text), compiled(node.pattern)
    escape = compiled(node.escape) if node.escape is not None else None

    def run(item: Value, parameters: Parameters) -> Value:
        subject, wanted = text(item, parameters), pattern(item, parameters)
        if not isinstance(subject, str) or not isinstance(wanted, str):
            return UNDEFINED
        by = escape(item, parameters) if escape is not None else ""
        return like_pattern(wanted, by if isinstance(by, str) else "").fullmatch(subject) is not None

    return run


def _conditional(node: Conditional) -> Computed:
    test, then, otherwise = compiled(node.test), compiled(node.then), compiled(node.otherwise)
    return lambda item, parameters: (then if test(item, parameters) is True else otherwise)(item, parameters)


def _call(node: Call) -> Computed:
    arguments = tuple(compiled(argument) for argument in node.arguments)
    if node.name in TYPE_CHECKS:
        check, (argument,) = TYPE_CHECKS[node.name], arguments
        return lambda item, parameters: check(argument(item, parameters))
    function = FUNCTIONS[node.name]
    return lambda item, parameters: function([argument(item, parameters) for argument in arguments])


def _array(node: ArrayOf) -> Computed:
    elements = tuple(compiled(element) for element in node.elements)

    def run(item: Value, parameters: Parameters) -> Value:
        return [value for element in elements if (value := element(item, parameters)) is not UNDEFINED]

    return run


def _object(node: ObjectOf) -> Computed:
    members = tuple((compiled(key), compiled(value)) for key, value in node.members)

    def run(item: Value, parameters: Parameters) -> Value:
        pairs = ((key(item, parameters), value(item, parameters)) for key, value in members)
        return {str(key): value for key, value in pairs if value is not UNDEFINED}

    return run


_COMPILERS: dict[type, Callable[..., Computed]] = {
    Constant: _constant,
    Parameter: _parameter,
    Root: _root,
    Property: _property,
    Index: _index,
    Unary: _unary,
    Binary: _binary,
    Logical: _logical,
    In: _in,
    Like: _like,
    Conditional: _conditional,
    Call: _call,
    ArrayOf: _array,
    ObjectOf: _object,
}
