"""How an endpoint stands, as it is shown to people and counted by metrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether an endpoint may be asked.

    ready ──429──▶ cooling ──its time is over──▶ ready
    ready ──failures in a row──▶ resting ──its time is over: one request tries it──▶ ready, or resting for longer
    any ──401, 402, 403, 404 ...──▶ failed ──minutes are over: one request tries it──▶ ready, or failed again
                                    403, 404 and 405 may be meant for what was asked, and count as failures at first
    """

    READY = "ready"
    COOLING = "cooling"
    RESTING = "resting"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class EndpointState:
    """One endpoint of this worker at one moment."""

    name: str
    model: str
    demonstration: bool
    state: State
    in_flight: int
    """Requests under way."""
    concurrency: int
    """Most requests under way."""
    ready_in_s: float
    """Seconds until it may be asked; 0 if it may now."""
    requests: Mapping[str, int]
    """Requests that have ended, by how: answered, busy, failing, denied, filtered, too-long, refused, cancelled."""
    input_tokens: int
    output_tokens: int
    last_error: str | None
    """What went wrong last, such as `429`, `timeout` or `connection`; null if nothing did."""
