"""Which language models the system on one machine asks, and which of its programs are told their keys. Pure.

Workers ask models, so workers have the keys. The APIs list models, and the keeper reads the same settings: they are
told the endpoints without keys. What is not ours, such as Azurite, is told nothing of them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from claimcheck import demonstration
from claimcheck.commands.up.addresses import HOST
from claimcheck.settings import Endpoint, LocalSettings, Settings
from claimcheck.tasks import QueueKind

ENDPOINTS: Final = "CLAIMCHECK_LANGUAGE__ENDPOINTS"
KEYS: Final = ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY")


def asks_models(local: LocalSettings, queues: Collection[QueueKind]) -> bool:
    """Whether there is somebody to ask a model. `queues`: those that the installed tasks use."""
    return "language" in queues and local.language_workers > 0


def wants_demonstration(local: LocalSettings, settings: Settings, queues: Collection[QueueKind]) -> bool:
    """Whether there is somebody to ask a model, and no endpoint to ask."""
    return asks_models(local, queues) and not settings.language.endpoints


def endpoints_of(local: LocalSettings, settings: Settings, *, demonstration_runs: bool) -> tuple[Endpoint, ...]:
    """The endpoints that are configured, else the demonstration model's if it runs."""
    if settings.language.endpoints or not demonstration_runs:
        return settings.language.endpoints
    return (demonstration.endpoint(HOST, local.demo_model_port),)


def told_workers(settings: Settings, endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """What a worker is told besides its environment, which it inherits with every key in it."""
    if not settings.language.endpoints:
        return {**_patience(settings, endpoints), **told_others(endpoints)}
    file = settings.language.endpoints_file
    # A worker has another working directory than whoever wrote the path.
    return {"CLAIMCHECK_LANGUAGE__ENDPOINTS_FILE": str(file.resolve())} if file else {}


def told_others(endpoints: Iterable[Endpoint]) -> dict[str, str]:
    """What the APIs and the keeper are told: the same endpoints, without keys."""
    listed = [_without_key(endpoint) for endpoint in endpoints]
    return {ENDPOINTS: json.dumps(listed)} if listed else {}


def key_variables(endpoints: Iterable[Endpoint]) -> frozenset[str]:
    """The variables that hold keys, or may."""
    return frozenset({ENDPOINTS, *KEYS, *(endpoint.key_variable for endpoint in endpoints if endpoint.key_variable)})


def demonstration_arguments(model: Path, port: int) -> tuple[str, ...]:
    """How `services.demo_model` is called."""
    slots, context = demonstration.SLOTS, demonstration.CONTEXT_TOKENS
    return ("--port", str(port), "--model", str(model), "--slots", str(slots), "--context-tokens", str(context))


def _patience(settings: Settings, endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """A machine that does everything at once answers later than a service, unless somebody has set a limit."""
    if "call_s" in settings.language.model_fields_set or not any(endpoint.demonstration for endpoint in endpoints):
        return {}
    return {"CLAIMCHECK_LANGUAGE__CALL_S": f"{demonstration.CALL_S:g}"}


def _without_key(endpoint: Endpoint) -> dict[str, object]:
    fields = endpoint.model_dump(mode="json", exclude={"key", "key_variable"}, exclude_defaults=True)
    return {**fields, "capabilities": sorted(endpoint.capabilities)}
