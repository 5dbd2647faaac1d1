"""One exchange with an API as values: what is asked, and what came of it. No I/O.

What to do is decided by generators (`flows`) that give requests and take outcomes; `Client` and `AsyncClient` only
carry them out.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeVar

from claimcheck.client.files import Upload

ANSWER_S: Final = 45.0  # Beyond the APIs' own limits (30 s for a block of an upload, 3 s each for record and queue).

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """A request to one of the two APIs."""

    api: Literal["process", "status"]
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    file: Upload | None = None
    """The body, if it is a file."""
    body: bytes | None = None
    """The body, if it is none."""
    to: Path | None = None
    """Where the body of a 200 goes instead of into the outcome."""
    answer_s: float = ANSWER_S
    """How long the answer may take, in seconds, once the body is sent."""
    after_s: float = 0.0
    """How long to rest before it is sent, in seconds."""


@dataclass(frozen=True)
class Reply:
    """An answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class NoReply:
    """No answer came, or not to its end; the request may have been carried out all the same."""

    error: Exception
    url: str = ""
    """The API's address."""


Outcome = Reply | NoReply
Flow = Generator[Request, Outcome, T]
"""Gives requests, takes the outcome of each, and returns what all of it was for."""
