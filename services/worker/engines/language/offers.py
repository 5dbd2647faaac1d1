"""Which endpoints may be asked a question at all, whatever their state; and what to set if none may. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from claimcheck.errors import ModelNotOffered, NoEndpoint
from claimcheck.settings import Capability, Endpoint

HOW_TO_SET_ONE = (
    "set AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_DEPLOYMENT, or OPENAI_API_KEY or OPENAI_BASE_URL,"
    " or list one in CLAIMCHECK_LANGUAGE__ENDPOINTS"
)

_MEANINGS: dict[Capability, str] = {
    "chat": "answers a chat",
    "vision": "takes images",
    "json": "keeps to a JSON Schema",
}


def able(endpoints: Sequence[Endpoint], *, needs: frozenset[Capability], model: str | None) -> tuple[Endpoint, ...]:
    """The endpoints that can do what is needed, of the pinned model if there is one: its name or the endpoint's.

    Raises NoEndpoint, ModelNotOffered.
    """
    if not endpoints:
        raise NoEndpoint(f"no endpoint is configured; {HOW_TO_SET_ONE}")
    offered = tuple(endpoint for endpoint in endpoints if model in (None, endpoint.model, endpoint.name))
    if not offered:
        known = ", ".join(sorted({endpoint.model for endpoint in endpoints}))
        raise ModelNotOffered(f"model {model!r} is not offered; known: {known}")
    if found := tuple(endpoint for endpoint in offered if needs <= endpoint.capabilities):
        return found
    raise NoEndpoint(_nobody_can(offered, needs, model))


def _nobody_can(offered: Sequence[Endpoint], needs: frozenset[Capability], model: str | None) -> str:
    had = frozenset[Capability]().union(*(endpoint.capabilities for endpoint in offered))
    missing = sorted(needs - had) or sorted(needs)
    what = " and ".join(f"{_MEANINGS[name]} (capability {name})" for name in missing)
    which = "endpoint" if model is None else f"endpoint of model {model!r}"
    there = "; ".join(f"{endpoint.name} has {', '.join(sorted(endpoint.capabilities))}" for endpoint in offered)
    return f"no {which} {what}: {there}. To have one, {HOW_TO_SET_ONE} with capabilities {', '.join(sorted(needs))}"
