"""Where a client's words break a model, and why, as a refusal may say it: short, and where need be without them. Pure.

pydantic names the place of an unknown field by the name that the client gave it, however long that is.
"""

from __future__ import annotations

from collections.abc import Collection

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MAX_NAME_CHARS = 40  # Of a name in a refusal: whoever sends a megabyte of it knows it.
MAX_WHY_CHARS = 500  # The longest of ours has 250; of a tagged union, pydantic's repeats the tag that it was given.


def first_of(cause: ValidationError, *within: str, whole: str, known: Collection[str] | None = None) -> str:
    """The first breach, as `place: why`. `whole`: what the place is called that has no name; the rest: `place_of`."""
    first = cause.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{place_of(first, *within, known=known) or whole}: {why_of(first)}"


def place_of(breach: ErrorDetails, *within: str, known: Collection[str] | None = None) -> str:
    """Names and numbers from the outside in, `within` first; empty if it is the whole.

    `known`: any other name is `*`. For what is logged or kept: a name that nobody has declared may say anything.
    """
    steps = [*within, *("*" if _is_strange(step, known) else step for step in breach["loc"])]
    return ".".join(str(step)[:MAX_NAME_CHARS] for step in steps)


def why_of(breach: ErrorDetails) -> str:
    """What is wrong there, in pydantic's words or in those of the model's own validator."""
    return breach["msg"].removeprefix("Value error, ")[:MAX_WHY_CHARS]


def _is_strange(step: str | int, known: Collection[str] | None) -> bool:
    return isinstance(step, str) and known is not None and step not in known
