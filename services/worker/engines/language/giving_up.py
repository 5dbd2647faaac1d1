"""Say how a question fails that no endpoint answers, or none answers now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypedDict, Unpack

from claimcheck.errors import (
    ClaimcheckError,
    ContentRefused,
    ContextTooLong,
    EndpointsNotReady,
    ModelFailed,
    ModelRequestRefused,
    PermanentFailure,
)
from claimcheck.settings import Endpoint
from services.worker.engines.language.outcomes import Filtered, Outcome, Refused, TooLong


def filtered(outcome: Filtered, endpoint: Endpoint) -> ContentRefused:
    """The failure of a job whose content a filter refuses. Nobody looks for an endpoint with a laxer one."""
    why = f": {', '.join(outcome.categories)}" if outcome.categories else ""
    return ContentRefused(f"the content filter of {endpoint.name} refused the request{why}")


def refusal(outcome: Outcome, endpoint: Endpoint) -> PermanentFailure | None:
    """The failure of a job whose request this endpoint refuses for what it is, and no other takes; None if it does not.

    A service's own words may repeat the request, so they go to the client and not into the detail, which is logged.
    """
    name = endpoint.name
    match outcome:
        case TooLong(limit="rate", said=said):
            return ContextTooLong(f"the request has more tokens than {name} takes in a minute", **_said(said))
        case TooLong(limit="size", said=said):
            return ContextTooLong(f"the request has more bytes than {name} takes", **_said(said))
        case TooLong(said=said):
            tokens = f"{endpoint.context_tokens:,} tokens"
            return ContextTooLong(f"the request is longer than the context of {name}, which is {tokens}", **_said(said))
        case Refused(status=0):
            return ModelRequestRefused("the request holds characters that cannot be sent, such as half of a pair")
        case Refused(status=status, said=said):
            return ModelRequestRefused(f"{name} answered {status} to the request", **_said(said))
        case _:
            return None


def not_for(outcome: Outcome, endpoint: Endpoint, others: Sequence[Endpoint], *, has_schema: bool) -> tuple[str, ...]:
    """The endpoints that need not be asked after this outcome: this one, and those that surely take no more.

    `has_schema`: the question has one, which is written into the messages where `json` is missing.
    """
    if not (isinstance(outcome, TooLong) and outcome.limit == "context"):
        return (endpoint.name,)
    in_words = has_schema and "json" not in endpoint.capabilities
    as_long = [other for other in others if not (in_words and "json" in other.capabilities)]
    return (endpoint.name, *(other.name for other in as_long if _no_larger(other, endpoint)))


def _no_larger(other: Endpoint, endpoint: Endpoint) -> bool:
    """Whether that is known: a context that nobody has set may have any size."""
    known = all("context_tokens" in each.model_fields_set for each in (other, endpoint))
    return known and other.context_tokens <= endpoint.context_tokens


def of_refusals(refusals: Sequence[PermanentFailure]) -> PermanentFailure:
    """The failure of a job that every endpoint refuses: the first's words; if too long, those of the last such one."""
    first = refusals[0]
    too_long = [each for each in refusals if isinstance(each, ContextTooLong)]
    return too_long[-1] if first in too_long else first


class Rest(TypedDict):
    """How those endpoints stand that have not refused a question.

    `failed`: all of them, each with what it said, if all have failed; `ready_in_s`: until the first may be asked, None
    if none is left; `untried_in_s`: the same of those that have not failed, at the question or at all, 0 if one only
    has no slot free; `least_s`: no job comes back earlier.
    """

    failed: Mapping[str, str]
    ready_in_s: float | None
    untried_in_s: float | None
    least_s: float


def none_ready(
    *,
    refusals: Sequence[PermanentFailure] = (),
    failing: Mapping[str, str] = MappingProxyType({}),
    blamed: bool = False,
    divisible: bool = False,
    **rest: Unpack[Rest],
) -> ClaimcheckError:
    """Why nobody can be asked now.

    `refusals`: of endpoints that refused this question; `failing`: others that failed at it in this delivery, each with
    what it said; `blamed`: that is known to be the question's fault; `divisible`: too long is not waited out, since it
    can be asked in halves.
    """
    failed, ready_in_s, least_s = rest["failed"], rest["ready_in_s"], rest["least_s"]
    too_long = any(isinstance(refusal, ContextTooLong) for refusal in refusals)
    if ready_in_s is None or (failed and divisible and too_long):
        return of_refusals(refusals)
    if failed:
        detail = f"every endpoint that could answer refuses this installation: {_named(failed)}"
        return EndpointsNotReady(detail, delay_s=max(ready_in_s, least_s))
    if blamed and rest["untried_in_s"] is None:
        detail = f"every endpoint that could answer failed at this job, and not for the first time: {_named(failing)}"
        return ModelFailed(detail)
    if rest["untried_in_s"] == 0:
        return EndpointsNotReady("every endpoint that is ready has as many requests as it may have", delay_s=least_s)
    return EndpointsNotReady("no endpoint that could answer is ready", delay_s=max(ready_in_s, least_s))


def _named(endpoints: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({why})" for name, why in endpoints.items())


def _said(said: str) -> dict[str, str]:
    return {"service_says": said} if said else {}
