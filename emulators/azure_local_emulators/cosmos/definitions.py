"""What a container may be declared as: partition key, default TTL, indexing policy.

Pure. Refuses what the emulator would silently ignore: unique keys, computed properties, version 1 hashes.
"""

from __future__ import annotations

import time
from typing import Any

from .errors import bad_request, unsupported
from .partitioning import PartitionKeyDefinition
from .syntax import Query
from .values import Value

_DEFAULT_INDEXING = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}
_CHANGEABLE = ("defaultTtl", "indexingPolicy")
_WITHOUT_EFFECT = ("conflictResolutionPolicy", "geospatialConfig", "analyticalStorageTtl")
MAX_HIERARCHY = 3


def container_properties(body: dict[str, Any], *, rid: str, database_rid: str, etag: str) -> dict[str, Any]:
    """The container as the service shows it. Raises ServiceError."""
    _check(body)
    self_link = f"dbs/{database_rid}/colls/{rid}/"
    return {
        "indexingPolicy": _DEFAULT_INDEXING,
        **{
            key: body[key]
            for key in ("id", "partitionKey", *_CHANGEABLE, *_WITHOUT_EFFECT)
            if body.get(key) is not None
        },
        **{"_rid": rid, "_self": self_link, "_etag": etag, "_ts": int(time.time())},
        **{
            "_docs": "docs/",
            "_sprocs": "sprocs/",
            "_triggers": "triggers/",
            "_udfs": "udfs/",
            "_conflicts": "conflicts/",
        },
    }


def merged_properties(before: dict[str, Any], body: Value, *, etag: str) -> dict[str, Any]:
    """A container after its replacement. Raises ServiceError if what is fixed would change."""
    if not isinstance(body, dict) or body.get("id") != before["id"]:
        raise bad_request("The id of a container cannot be changed.")
    _check(body)
    if definition_of(body) != definition_of(before):
        raise bad_request("The partition key definition of a container cannot be changed.")
    kept = {key: value for key, value in before.items() if key not in _CHANGEABLE}
    changed = {key: body[key] for key in _CHANGEABLE if body.get(key) is not None}
    return {"indexingPolicy": _DEFAULT_INDEXING, **kept, **changed, "_etag": etag, "_ts": int(time.time())}


def definition_of(properties: dict[str, Any]) -> PartitionKeyDefinition:
    """The partition key definition. Raises ServiceError if it makes no sense."""
    declared = properties.get("partitionKey")
    if not isinstance(declared, dict):
        raise bad_request("The container needs a partitionKey.")
    paths, kind = declared.get("paths"), declared.get("kind", "Hash")
    if kind not in ("Hash", "MultiHash"):
        raise bad_request(f"Partition key kind {str(kind)[:50]!r} is unknown.")
    limit = MAX_HIERARCHY if kind == "MultiHash" else 1
    if not isinstance(paths, list) or not 1 <= len(paths) <= limit:
        raise bad_request(f"A partition key of kind {kind} has 1 to {limit} paths.")
    if declared.get("version", 1) != 2:
        raise unsupported("A partition key of version 1")
    return PartitionKeyDefinition(tuple(_path(path) for path in paths), hierarchical=kind == "MultiHash")


def check_order(query: Query, properties: dict[str, Any]) -> None:
    """Raise the service's refusal if no index can serve the query's ORDER BY."""
    policy = properties["indexingPolicy"]
    wanted = [(term.path, term.descending) for term in query.order]
    if len(wanted) == 1 and not _indexed(wanted[0][0], policy):
        raise bad_request("The index path corresponding to the specified order-by item is excluded.")
    if len(wanted) < 2:
        return
    reversed_ = [(path, not descending) for path, descending in wanted]
    composites = [_composite(one) for one in policy.get("compositeIndexes", [])]
    if wanted not in composites and reversed_ not in composites:
        raise bad_request(
            "The order by query does not have a corresponding composite index that it can be served from."
        )


def _check(body: dict[str, Any]) -> None:
    definition_of(body)
    ttl_s = body.get("defaultTtl")
    if ttl_s is not None and (isinstance(ttl_s, bool) or not isinstance(ttl_s, int) or ttl_s == 0 or ttl_s < -1):
        raise bad_request(f"The defaultTtl {str(ttl_s)[:50]!r} is invalid: a positive integer or -1 is expected.")
    _check_policy(body.get("indexingPolicy"))
    if (body.get("uniqueKeyPolicy") or {}).get("uniqueKeys"):
        raise unsupported("A unique key policy")
    for name in ("computedProperties", "vectorEmbeddingPolicy", "fullTextPolicy", "changeFeedPolicy"):
        if body.get(name):
            raise unsupported(f"A container with {name}")


def _check_policy(policy: Value) -> None:
    if policy is None:
        return
    try:
        for name in ("includedPaths", "excludedPaths"):
            _ = [_segments(one["path"]) for one in policy.get(name) or []]
        _ = [_composite(one) for one in policy.get("compositeIndexes") or []]
    except (AttributeError, KeyError, TypeError) as cause:
        raise bad_request("The indexing policy is malformed.") from cause
    if policy.get("indexingMode", "consistent") not in ("consistent", "Consistent"):
        raise unsupported("An indexing mode other than consistent")


def _path(path: Value) -> tuple[str, ...]:
    if not isinstance(path, str) or not path.startswith("/") or len(path) < 2:
        raise bad_request(f"Partition key path {str(path)[:100]!r} is invalid.")
    return tuple(segment.strip('"') for segment in path[1:].split("/"))


def _composite(index: list[dict[str, Any]]) -> list[tuple[tuple[str, ...], bool]]:
    return [(_segments(one["path"]), one.get("order", "ascending") == "descending") for one in index]


def _segments(path: str) -> tuple[str, ...]:
    return tuple(segment.strip('"') for segment in path.strip("/").split("/"))


def _indexed(path: tuple[str, ...], policy: dict[str, Any]) -> bool:
    """Whether the most precise rule that covers the path includes it; `/?` covers the value, `/*` all below."""
    precision = {
        kind: max((_covered(path, one["path"]) for one in policy.get(kind) or []), default=-1)
        for kind in ("includedPaths", "excludedPaths")
    }
    return precision["includedPaths"] >= precision["excludedPaths"] and precision["includedPaths"] >= 0


def _covered(path: tuple[str, ...], rule: str) -> int:
    segments = _segments(rule)
    if segments[-1] == "?":
        return len(segments) if segments[:-1] == path else -1
    if segments[-1] == "*":
        return len(segments) if path[: len(segments) - 1] == segments[:-1] else -1
    return len(segments) if segments == path else -1
