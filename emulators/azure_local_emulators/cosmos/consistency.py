"""Which version of an item a read may see: the account's level, the request's level, and session tokens.

Owns one lagging replica per physical partition. Unless a read is Strong, it sees the partition as it was `staleness_s`
ago, always: a lag that only sometimes shows would let a bug pass. A session token lifts the replica to the token's
write, no further.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from .errors import READ_SESSION_NOT_AVAILABLE, ServiceError, bad_request

LEVELS = ("Eventual", "ConsistentPrefix", "Session", "BoundedStaleness", "Strong")  # weakest first
OFFERED = ("Strong", "Session", "Eventual")
_TOKEN = re.compile(r"([^:,]+):(?:-?\d+#)?(\d+)(?:#[\d=#-]*)?")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LaggingReplica(Generic[K, V]):
    """The versions that writes of the last `staleness_s` seconds have replaced, for one physical partition."""

    def __init__(self, staleness_s: float) -> None:
        self._staleness_s = staleness_s
        self._log: deque[tuple[float, int, K]] = deque()  # when, lsn, key; oldest first
        self._replaced: dict[K, deque[tuple[int, V | None]]] = {}

    def replaced(self, key: K, old: V | None, *, lsn: int, now: float) -> None:
        """Write number `lsn` replaces `old` (None: it creates the item). `now` is monotonic seconds."""
        if not self._staleness_s:
            return
        self._forget(now)
        self._log.append((now, lsn, key))
        self._replaced.setdefault(key, deque()).append((lsn, old))

    def lsn(self, latest: int, now: float) -> int:
        """The last write that has reached the replica."""
        self._forget(now)
        return self._log[0][1] - 1 if self._log else latest

    def version(self, key: K, current: V | None, lsn: int) -> V | None:
        """The version of `key` after write `lsn`."""
        for replaced_by, old in self._replaced.get(key, ()):
            if replaced_by > lsn:
                return old
        return current

    def touched(self) -> Iterator[K]:
        """Keys that recent writes have changed."""
        return iter(self._replaced)

    def _forget(self, now: float) -> None:
        while self._log and self._log[0][0] + self._staleness_s <= now:
            _, _, key = self._log.popleft()
            versions = self._replaced[key]
            versions.popleft()
            if not versions:
                del self._replaced[key]


def level_of(account: str, requested: str | None) -> str:
    """The level a request runs under; it may only be weaker than the account's. Raises ServiceError."""
    if requested is None:
        return account
    if requested not in LEVELS:
        raise bad_request(f"Invalid value {requested[:50]!r} for header 'x-ms-consistency-level'.")
    if LEVELS.index(requested) > LEVELS.index(account):
        raise bad_request(
            f"ConsistencyLevel {requested} specified in the request is invalid when service is configured with "
            f"consistency level {account}. Ensure the request consistency level is not stronger than the service's."
        )
    return requested


def readable_lsn(level: str, *, latest: int, replica: int, range_id: str, token: str | None) -> int:
    """Up to which write a read under `level` sees. Raises ServiceError for a token the partition has not reached."""
    if level in ("Strong", "BoundedStaleness"):
        return latest
    if level != "Session" or not token:
        return replica
    wanted = lsn_in(token, range_id)
    if wanted > latest:
        raise ServiceError(
            404, "The read session is not available for the input session token.", substatus=READ_SESSION_NOT_AVAILABLE
        )
    return max(replica, wanted)


def lsn_in(token: str, range_id: str) -> int:
    """The write that a (compound) session token names for a partition; 0 if it names none. Raises ServiceError."""
    found = 0
    for part in token.split(","):
        match = _TOKEN.fullmatch(part.strip())
        if match is None:
            raise bad_request(f"Invalid session token {token[:100]!r}.")
        if match[1] == range_id:
            found = int(match[2])
    return found


def session_token(range_id: str, lsn: int) -> str:
    """The token of an answer."""
    return f"{range_id}:-1#{lsn}"
