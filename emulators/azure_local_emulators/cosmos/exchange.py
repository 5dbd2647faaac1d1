"""One request and its answer, freed from the HTTP library.

Owns the names of the service's headers and the form of every answer; decides nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from .errors import ServiceError, bad_request
from .values import InvalidJson, Value, decode_json, encode_json

ACTIVITY_ID = "x-ms-activity-id"
CONSISTENCY = "x-ms-consistency-level"
CONTINUATION = "x-ms-continuation"
DATE = "x-ms-date"
INTENDED_CONTAINER = "x-ms-cosmos-intended-collection-rid"
IS_BATCH = "x-ms-cosmos-is-batch-request"
IS_BATCH_ATOMIC = "x-ms-cosmos-batch-atomic"
IS_QUERY = "x-ms-documentdb-isquery"
IS_QUERY_PLAN = "x-ms-cosmos-is-query-plan-request"
IS_UPSERT = "x-ms-documentdb-is-upsert"
MAX_ITEMS = "x-ms-max-item-count"
ENABLE_CROSS_PARTITION = "x-ms-documentdb-query-enablecrosspartition"
PARTITION_KEY = "x-ms-documentdb-partitionkey"
RANGE_ID = "x-ms-documentdb-partitionkeyrangeid"
RETRY_AFTER_MS = "x-ms-retry-after-ms"
SESSION_TOKEN = "x-ms-session-token"
START_EPK = "x-ms-start-epk"
END_EPK = "x-ms-end-epk"

_JSON = "application/json"


@dataclass(slots=True)
class Call:
    """A request. From `charge` to `range_id` it holds what its answer will carry, whether it succeeds or not."""

    method: str
    segments: list[str]
    headers: Mapping[str, str]
    raw: bytes
    origin: str
    """Scheme and host as the client sees them, without a slash at the end."""
    charge: float = 0.0
    session_token: str = ""
    content_path: str = ""
    """The container by names; without it the SDKs do not keep the session token."""
    range_id: str = ""
    body: Value = field(default=None)

    def flag(self, name: str) -> bool:
        """Whether a header says true."""
        return self.headers.get(name, "").lower() == "true"

    def decode(self) -> None:
        """Parse the body, if there is one. Raises ServiceError (400)."""
        if self.raw:
            try:
                self.body = decode_json(self.raw)
            except InvalidJson as cause:
                raise bad_request(str(cause)[:500]) from cause


@dataclass(slots=True)
class Answer:
    """A response; the headers common to all are added when it is sent."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def split_path(raw_path: str) -> list[str]:
    """The segments of a request's path, decoded; a slash at either end means nothing."""
    trimmed = raw_path.partition("?")[0].strip("/")
    return [unquote(segment) for segment in trimmed.split("/")] if trimmed else []


def json_answer(status: int, value: Value, headers: dict[str, str] | None = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, encode_json(value), headers or {})


def refusal_answer(refusal: ServiceError) -> Answer:
    """The answer to a request that is refused."""
    headers = {"x-ms-substatus": str(refusal.substatus)} if refusal.substatus else {}
    if refusal.status == 304:
        return Answer(304, b"", headers)
    return json_answer(refusal.status, {"code": refusal.code, "message": refusal.message, **refusal.extra}, headers)


def feed_answer(rid: str, name: str, documents: list[bytes], headers: dict[str, str]) -> Answer:
    """A page of a feed: `name` is Documents, DocumentCollections, Databases, ..."""
    head = f'{{"_rid":"{rid}","{name}":['.encode()
    body = b"".join((head, b",".join(documents), f'],"_count":{len(documents)}}}'.encode()))
    return Answer(200, body, {"x-ms-item-count": str(len(documents)), **headers})


def common_headers(call: Call) -> dict[str, str]:
    """What every answer carries."""
    headers = {
        "Content-Type": _JSON,
        ACTIVITY_ID: call.headers.get(ACTIVITY_ID) or str(uuid.uuid4()),
        "x-ms-request-charge": f"{call.charge:.2f}",
    }
    if call.session_token:
        headers[SESSION_TOKEN] = call.session_token
        headers["x-ms-alt-content-path"] = call.content_path
    if call.range_id:
        headers[RANGE_ID] = call.range_id
    return headers
