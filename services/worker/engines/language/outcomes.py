"""What one request to a model came to, told from how its service answered. Pure.

answered      the model said something
filtered      the service's content filter refused it                 the job fails
too long      it does not fit into what the endpoint takes            a larger endpoint is asked, or the job fails
refused       the service takes it for malformed                      the next one is asked, or the job fails
busy          the service wants to be asked later (429)               the endpoint cools, the next one is asked
failing       5xx, a time limit, a broken connection or body          the endpoint may rest, the next one is asked
denied        wrong key, no credit, no such deployment (401 to 404)    the endpoint has failed, the next one is asked
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

MAX_SAID_CHARS = 300  # Of what a service says of a request that it refuses; it may repeat the request.

DENIED = frozenset({401, 402, 403, 404, 405, 410})
"""Wrong key, no credit, no right, no such deployment, wrong path, a model that is gone: nothing that waiting heals."""

_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
_LENGTH_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
# Services that speak the protocol but not its codes: llama.cpp, vLLM, Ollama.
_LENGTH_SAYINGS = ("context length", "context size", "context window", "too many tokens")
_CREDIT_CODE = "insufficient_quota"
"""OpenAI's, with 429: the account has no credit left, so a person has to pay."""
_RATE_SAYING = "request too large"
"""OpenAI's and Groq's, with 429 or 413: one request has more tokens than a minute's quota, so waiting is in vain."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The model's answer, and what it took."""

    name: ClassVar = "answered"
    text: str
    model: str
    finish_reason: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, kw_only=True)
class Filtered:
    """`categories`: what the filter takes it for, if it says so."""

    name: ClassVar = "filtered"
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TooLong:
    """`limit`: what it does not fit into: the model's context, the quota of a minute, or the size of any request.

    `said`: the service's own words, which name the limit.
    """

    name: ClassVar = "too-long"
    limit: Literal["context", "rate", "size"] = "context"
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """`status`: the HTTP status, or 0 if the request holds what cannot be sent at all.

    `said`: the service's own words. They may repeat the request, so they are never logged.
    """

    name: ClassVar = "refused"
    status: int
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Busy:
    """`retry_after_s`: seconds that the service asks for; None if it asks for none."""

    name: ClassVar = "busy"
    status: int
    retry_after_s: float | None


@dataclass(frozen=True, kw_only=True)
class Failing:
    """`lost`: the model may have worked on it, so it may be paid for, though nobody has the answer."""

    name: ClassVar = "failing"
    why: str
    lost: bool


@dataclass(frozen=True, kw_only=True)
class Denied:
    """`status`: the HTTP status, or 0 if no request can be made with what is configured, such as a key of odd signs."""

    name: ClassVar = "denied"
    status: int


Outcome = Answered | Filtered | TooLong | Refused | Busy | Failing | Denied


def of_status(status: int, body: object, *, retry_after_s: float | None) -> Outcome:
    """The outcome of an answer whose status is not 2xx. `body`: its `error` object, or whatever came."""
    error = body if isinstance(body, Mapping) else {}
    if 400 <= status < 500 and status not in (408, 429):
        if (filtered := _filtered(error)) is not None:
            return filtered
        if status in DENIED:
            return Denied(status=status)
        if (too_long := _too_long(status, error)) is not None:
            return too_long
        return (
            Failing(why=str(status), lost=False) if status in (409, 425) else Refused(status=status, said=_said(error))
        )
    if status == 429 and _CREDIT_CODE in (_word(error.get("code")), _word(error.get("type"))):
        return Denied(status=status)
    if status == 429 and _RATE_SAYING in _words(error):
        return TooLong(limit="rate", said=_said(error))
    if status == 429 or (status >= 500 and retry_after_s is not None):
        return Busy(status=status, retry_after_s=retry_after_s)
    return Failing(why=str(status), lost=False)


def error_of(outcome: Outcome) -> str | None:
    """What went wrong, in a word for people and metrics; None if the request was answered."""
    match outcome:
        case Answered():
            return None
        case Failing(why=why):
            return why
        case Busy(status=status) | Denied(status=status) | Refused(status=status):
            return str(status) if status else "unsendable"
        case _:
            return outcome.name


def _filtered(error: Mapping[str, Any]) -> Filtered | None:
    inner = error.get("innererror")
    inner = inner if isinstance(inner, Mapping) else {}
    if not _FILTER_CODES & {_word(error.get("code")), _word(inner.get("code"))}:
        return None
    found = inner.get("content_filter_result")
    categories = found.items() if isinstance(found, Mapping) else ()
    return Filtered(
        categories=tuple(
            sorted(str(name)[:40] for name, what in categories if isinstance(what, Mapping) and what.get("filtered"))
        )
    )


def _too_long(status: int, error: Mapping[str, Any]) -> TooLong | None:
    said, codes = _words(error), {_word(error.get("code")), _word(error.get("type"))}
    if status == 413 and _RATE_SAYING in said:
        return TooLong(limit="rate", said=_said(error))
    if _LENGTH_CODES & codes or any(saying in said for saying in _LENGTH_SAYINGS):
        return TooLong(said=_said(error))
    return TooLong(limit="size", said=_said(error)) if status == 413 else None


def _words(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or "").lower()


def _said(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or "")[:MAX_SAID_CHARS]


def _word(value: object) -> str:
    return str(value).lower() if value is not None else ""
