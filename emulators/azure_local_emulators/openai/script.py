"""The rules by which the endpoint misbehaves, or says what a test wants to hear. The first rule that strikes wins.

Rules come over HTTP (`POST /_emulator/script`), never by configuration, so a forgotten one cannot outlive the process.
Each has an `id`, by which whoever set it takes it away again and leaves the others'.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, cast, get_args

from .refusals import RetryAfterAs

Action = Literal[
    "answer",
    "fail",
    "filter-prompt",
    "filter-answer",
    "too-long",
    "cut-answer",
    "break-json",
    "break-schema",
    "body",
    "truncate",
    "short",
    "drip",
    "hang",
    "close",
]
_OWN = ("id", "seen", "struck", "armed_at")
_LABELS = ("model", "text", "key")


class InvalidRule(ValueError):
    """A rule that makes no sense; the message names the field and the value."""


@dataclass
class Rule:
    """What happens to the requests that match: the `nth` and the `times - 1` that follow it, or all from it on."""

    action: Action = "answer"
    """`answer`: as usual, or what `answer` says; `fail`: `status`; `filter-prompt`: refused for its content;
    `filter-answer`: nothing but finish_reason content_filter; `too-long`: context_length_exceeded; `cut-answer`: half
    of it and finish_reason length; `break-json`: text that is no JSON; `break-schema`: JSON of another schema;
    `body`: `body` as it stands; `truncate`: half of the bytes, then the connection is closed; `short`: half of the
    bytes under a Content-Length that says that they are all; `drip`: the bytes one by one over `drip_s`; `hang`:
    nothing, until the client leaves; `close`: the connection is closed without a byte."""
    match: Mapping[str, str] = field(default_factory=dict)
    """`model` (on Azure the deployment) and `key` must be equal, `text` must be in some message."""
    nth: int = 1
    times: int | None = None
    share: float = 1.0
    """Of the requests that it would strike, so many are: 0.25 is every fourth."""
    for_s: float | None = None
    """Seconds from now on; then it strikes no more."""
    delay_s: float | None = None
    """Seconds before anything is sent."""
    answer: Any = None
    """The answer's text; anything but a text becomes JSON."""
    answer_from: str = ""
    """A regular expression: the answer is its first group, or all of it, where it first matches in the request."""
    finish_reason: str = ""
    status: int = 500
    code: str | None = None
    message: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    retry_after_as: RetryAfterAs = "seconds"
    body: str = ""
    drip_s: float = 5.0
    usage: bool = True
    """False: the answer does not say what it cost, as some compatible servers do not."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    seen: int = 0
    """Requests that matched."""
    struck: int = 0
    armed_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise InvalidRule(f"action is {self.action!r}; one of {', '.join(get_args(Action))} is expected")
        if self.retry_after_as not in get_args(RetryAfterAs):
            raise InvalidRule(f"retry_after_as is {self.retry_after_as!r}; seconds, ms or date is expected")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise InvalidRule(f"nth is {self.nth} and times is {self.times}; both count from 1")
        if not 0 < self.share <= 1:
            raise InvalidRule(f"share is {self.share}; above 0 and at most 1 is expected")
        if self.action == "fail" and not 400 <= self.status <= 599:
            raise InvalidRule(f"status is {self.status}; 400 to 599 is expected")
        if unknown := set(self.match) - set(_LABELS):
            raise InvalidRule(f"match has {sorted(unknown)}; known: {', '.join(_LABELS)}")
        try:
            re.compile(self.answer_from)
        except re.error as cause:
            raise InvalidRule(f"answer_from is no regular expression: {cause}") from cause

    def strikes(self, labels: Mapping[str, str], now: float) -> bool:
        """Count the request if it matches, and whether the rule strikes it."""
        if self.for_s is not None and now > self.armed_at + self.for_s:
            return False
        if any(
            value not in labels[name] if name == "text" else value != labels[name] for name, value in self.match.items()
        ):
            return False
        self.seen += 1
        counted = self.seen - self.nth + 1
        if counted < 1 or (self.times is not None and counted > self.times):
            return False
        # Spread evenly and without chance, so that a test knows which ones.
        strikes = int(counted * self.share + 1e-9) > int((counted - 1) * self.share + 1e-9)
        self.struck += strikes
        return strikes

    def as_json(self) -> dict[str, Any]:
        """The rule, with how often it matched and struck."""
        return {name: value for name, value in asdict(self).items() if name != "armed_at"}


class Script:
    """The rules that are armed."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def rule_for(self, labels: Mapping[str, str]) -> Rule | None:
        """The first rule that strikes this request."""
        now = time.monotonic()
        return next((rule for rule in self.rules if rule.strikes(labels, now)), None)

    def add(self, body: Any) -> list[Rule]:
        """Arm one rule, or a list, from its JSON form: Rule's fields. Raises InvalidRule; then none is armed."""
        added = [_rule(each) for each in (body if isinstance(body, list) else [body])]
        self.rules.extend(added)
        return added

    def remove(self, rule_id: str) -> bool:
        """Forget one rule, and whether there was one."""
        kept = [rule for rule in self.rules if rule.id != rule_id]
        known = len(kept) < len(self.rules)
        self.rules = kept
        return known

    def clear(self) -> None:
        """Forget every rule."""
        self.rules.clear()


def _rule(body: Any) -> Rule:
    if not isinstance(body, dict):
        raise InvalidRule("a rule is a JSON object")
    known = {f.name for f in fields(Rule)} - set(_OWN)
    if unknown := set(body) - known:
        raise InvalidRule(f"unknown field {sorted(unknown)}; known: {', '.join(sorted(known))}")
    try:
        return Rule(**cast("dict[str, Any]", body))
    except TypeError as cause:
        raise InvalidRule(str(cause)) from cause
