"""What a queue is told to do, in the service's words and limits. Durations are seconds inside, ISO 8601 outside."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_LOCK_S = 300.0
MAX_TTL_S = 10_675_199 * 86_400.0
"""About .NET's TimeSpan.MaxValue, by which the service says "for ever"."""

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = {"weeks": 604_800.0, "days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0}
_REFUSED_UNLESS_EMPTY = ("ForwardTo", "ForwardDeadLetteredMessagesTo")


class InvalidSettings(ValueError):
    """A setting that makes no sense or is not supported; the message names the field and the value."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The properties of one queue."""

    name: str
    lock_s: float = 60.0
    max_delivery_count: int = 10
    ttl_s: float | None = None
    """None: messages live as long as they say themselves."""
    dead_letter_on_expiry: bool = False
    duplicate_window_s: float | None = None
    """None: no duplicate detection."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,259}", self.name) or self.name.endswith("/"):
            raise InvalidSettings(f"queue name is {self.name!r}; letters, digits, '.', '-', '_' and '/' are expected")
        if not 0 < self.lock_s <= MAX_LOCK_S:
            raise InvalidSettings(f"LockDuration of queue {self.name} is {self.lock_s:g} s; more than 0, at most PT5M")
        if self.max_delivery_count < 1:
            raise InvalidSettings(f"MaxDeliveryCount of queue {self.name} is {self.max_delivery_count}; at least 1")
        if self.ttl_s is not None and self.ttl_s <= 0:
            raise InvalidSettings(f"DefaultMessageTimeToLive of queue {self.name} is {self.ttl_s:g} s; more than 0")
        if self.duplicate_window_s is not None and self.duplicate_window_s <= 0:
            raise InvalidSettings(f"DuplicateDetectionHistoryTimeWindow of queue {self.name} must be more than 0")

    @classmethod
    def from_properties(cls, name: str, properties: Mapping[str, Any]) -> QueueSettings:
        """From a queue's `Properties` in Config.json or in the Atom form. Raises InvalidSettings."""
        given = {field: value for field, value in properties.items() if value not in (None, "")}
        for field in _REFUSED_UNLESS_EMPTY:
            if field in given:
                raise InvalidSettings(f"{field} of queue {name} is {given[field]!r}; forwarding is not supported")
        if _boolean(given, "RequiresSession"):
            raise InvalidSettings(f"RequiresSession of queue {name} is true; sessions are not supported")
        ttl_s = _duration(given, "DefaultMessageTimeToLive", math.inf)
        window_s = _duration(given, "DuplicateDetectionHistoryTimeWindow", 600.0)
        return cls(
            name=name,
            lock_s=_duration(given, "LockDuration", 60.0),
            max_delivery_count=_whole(given, "MaxDeliveryCount", 10),
            ttl_s=ttl_s if ttl_s < MAX_TTL_S else None,
            dead_letter_on_expiry=_boolean(given, "DeadLetteringOnMessageExpiration"),
            duplicate_window_s=window_s if _boolean(given, "RequiresDuplicateDetection") else None,
        )

    def properties(self) -> dict[str, str]:
        """The same in the service's words; the inverse of `from_properties`."""
        return {
            "LockDuration": duration_text(self.lock_s),
            "RequiresDuplicateDetection": str(self.duplicate_window_s is not None).lower(),
            "RequiresSession": "false",
            "DefaultMessageTimeToLive": duration_text(MAX_TTL_S if self.ttl_s is None else self.ttl_s),
            "DeadLetteringOnMessageExpiration": str(self.dead_letter_on_expiry).lower(),
            "DuplicateDetectionHistoryTimeWindow": duration_text(self.duplicate_window_s or 600.0),
            "MaxDeliveryCount": str(self.max_delivery_count),
        }


def parse_duration(text: str) -> float:
    """Seconds of an ISO 8601 duration of weeks, days, hours, minutes and seconds. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        raise ValueError(f"{text!r} is no ISO 8601 duration such as PT30S or P1DT12H")
    return sum(float(amount) * _SECONDS[unit] for unit, amount in match.groupdict().items() if amount)


def duration_text(seconds: float) -> str:
    """An ISO 8601 duration of days and seconds."""
    days, rest = divmod(seconds, 86_400)
    return (f"P{days:.0f}D" if days else "P") + (f"T{rest:.10g}S" if rest or not days else "")


def _duration(given: Mapping[str, Any], field: str, default: float) -> float:
    if field not in given:
        return default
    try:
        return parse_duration(str(given[field]))
    except ValueError as cause:
        raise InvalidSettings(f"{field}: {cause}") from cause


def _whole(given: Mapping[str, Any], field: str, default: int) -> int:
    value = given.get(field, default)
    try:
        if isinstance(value, bool | float):
            raise ValueError
        return int(value)
    except (ValueError, TypeError) as cause:
        raise InvalidSettings(f"{field} is {value!r}; a whole number is expected") from cause


def _boolean(given: Mapping[str, Any], field: str) -> bool:
    value = given.get(field, False)
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise InvalidSettings(f"{field} is {value!r}; true or false is expected")
