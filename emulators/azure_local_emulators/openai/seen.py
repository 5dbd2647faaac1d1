"""What the endpoint was asked, and how each request ended: so that a test compares it with what its caller noted.

In bounded memory: the newest requests, and of their bodies the newest that fit.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Literal

KEPT_REQUESTS = 20_000
KEPT_BODY_BYTES = 32 * 1024 * 1024

Outcome = Literal["under-way", "answered", "refused", "broken", "left"]


@dataclass(slots=True)
class Seen:
    """One request."""

    number: int
    at: float
    """Unix seconds."""
    model: str
    azure: bool
    api_version: str
    headers: dict[str, str]
    raw: bytes | None
    """None: forgotten."""
    life: int
    """How often everything had been forgotten before it came."""
    key: str = ""
    """The key, if it was one that is let in."""
    outcome: Outcome = "under-way"
    """`answered`: a whole answer was handed to the system; `broken`: part of one, or none; `left`: its client left."""
    status: int = 0
    rule: str = ""
    ended_at: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def as_json(self) -> dict[str, Any]:
        """The request, with its body if that is still there."""
        names = (
            "number",
            "at",
            "ended_at",
            "model",
            "azure",
            "api_version",
            "key",
            "headers",
            "outcome",
            "status",
            "rule",
        )
        tokens = {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens}
        return {**{name: getattr(self, name) for name in names}, **tokens, "body": self._body()}

    def _body(self) -> Any:
        try:
            return None if self.raw is None else json.loads(self.raw)
        except ValueError:
            return None


@dataclass(slots=True)
class Totals:
    """Counts of one model, or of all."""

    asked: int = 0
    under_way: int = 0
    most_at_once: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """One more request."""
        self.asked += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)

    def end(self, seen: Seen) -> None:
        """It has ended as it says. Tokens are those of whole answers only."""
        self.under_way -= 1
        self.outcomes[seen.outcome] += 1
        self.statuses[str(seen.status)] += 1
        self.prompt_tokens += seen.prompt_tokens
        self.completion_tokens += seen.completion_tokens

    def as_json(self) -> dict[str, Any]:
        """The counts."""
        return {name: getattr(self, name) for name in self.__slots__}


class Requests:
    """What was asked since the start, or since it was last forgotten."""

    def __init__(self) -> None:
        self._life = 0
        self.clear()

    def clear(self) -> None:
        """Forget them. Those that are under way are counted in nothing any more."""
        self._life += 1
        self._newest: deque[Seen] = deque(maxlen=KEPT_REQUESTS)
        self._bodies: deque[Seen] = deque()
        self._body_bytes = 0
        self._all = Totals()
        self._by_model: dict[str, Totals] = {}
        self._by_key: Counter[str] = Counter()

    def begin(self, model: str, *, azure: bool, api_version: str, headers: dict[str, str], raw: bytes) -> Seen:
        """Note a request."""
        seen = Seen(self._all.asked + 1, time.time(), model, azure, api_version, headers, raw, self._life)
        self._newest.append(seen)
        self._keep_body(seen, len(raw))
        self._all.begin()
        self._by_model.setdefault(model, Totals()).begin()
        return seen

    def end(self, seen: Seen) -> None:
        """Note how it ended."""
        seen.ended_at = time.time()
        if seen.life == self._life:
            self._all.end(seen)
            self._by_model[seen.model].end(seen)
            self._by_key[seen.key] += 1

    def _keep_body(self, seen: Seen, size: int) -> None:
        self._bodies.append(seen)
        self._body_bytes += size
        while self._body_bytes > KEPT_BODY_BYTES or len(self._bodies) > KEPT_REQUESTS:
            oldest = self._bodies.popleft()
            self._body_bytes -= len(oldest.raw or b"")
            oldest.raw = None

    def report(self, limit: int) -> dict[str, Any]:
        """The counts, and the newest `limit` requests, oldest first."""
        skipped = max(0, len(self._newest) - limit)
        return {
            **self._all.as_json(),
            "by_model": {model: totals.as_json() for model, totals in self._by_model.items()},
            "by_key": dict(self._by_key),
            "requests": [seen.as_json() for number, seen in enumerate(self._newest) if number >= skipped],
        }
