"""What a client may see of its job, whatever befalls the system. Pure; the product is held against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ENDED = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Order:
    """What a client asks for, and what may come of it."""

    task: str
    options: Mapping[str, Any] = field(default_factory=dict)
    may_succeed: bool = True
    refused: str = ""
    """End of the problem's type with which the job, or a part of it, is refused at once."""
    parts: int = 0
    """Of a fan-out: how many."""


ORDERS: Mapping[str, Order] = {
    "short": Order("probe"),
    "with its upload": Order("probe", {"do": "read"}),
    "large": Order("probe", {"result_bytes": 300_000}),
    "fails once": Order("probe", {"do": "fail-once"}),
    "fails always": Order("probe", {"do": "crash"}, may_succeed=False),
    "refused": Order("probe", {"do": "refuse"}, may_succeed=False, refused="media-unreadable"),
    "three parts": Order("fan", {"parts": 3}, parts=3),
    "no parts": Order("fan", {"parts": 0}),
    "part fails once": Order("fan", {"parts": 2, "fail_once": [0]}, parts=2),
    "part is refused": Order("fan", {"parts": 3, "refuse": [1]}, refused="media-unreadable", parts=3),
}


@dataclass
class Claim:
    """One job as its client knows it, and what has befallen it."""

    job_id: str
    order: Order
    promised: bool = False
    """A 202 was given."""
    cancel_tried: bool = False
    cancelled: bool = False
    """The cancel was answered."""
    erase_tried: bool = False
    erased: bool = False
    """The erase was answered."""
    overdue: bool = False
    parked: bool = False
    """The broker has given up a message of it, or a copy."""
    spoilt: int = 0
    """Deliveries without an answer, and failures."""
    copied: bool = False
    """A message of it was sent again, which the product does not know of."""
    ended: Mapping[str, Any] | None = None
    """The answer that told its end."""
    etag: str = ""
    """Of the record at the last look."""

    def check(self, status: int, body: Mapping[str, Any], *, max_attempts: int) -> None:
        """Hold an answer of the status API against everything the client knows. Raises AssertionError."""
        if status == 404:
            assert self.erase_tried or not self.promised, "a promised job is gone"
            assert self.ended is None or self.erase_tried, "an ended job is gone"
            return
        assert not self.erased, "an erased job is back"
        assert body["attempt"] <= max_attempts, "more attempts than allowed"
        if self.promised:
            assert body["task"] == self.order.task, "another job answers"
        if status == 202:
            assert body["status"] in ("queued", "running")
            assert self.ended is None, f"a job that had ended is {body['status']} again"
            assert not self.cancelled, f"a cancelled job is {body['status']}"
            return
        assert status == 200
        assert body["status"] in ENDED
        if self.ended is not None:
            assert body == self.ended, "the end of a job has changed"
            return
        self.ended = body
        self._check_end(body, max_attempts)

    def _check_end(self, body: Mapping[str, Any], max_attempts: int) -> None:
        if body["status"] == "cancelled":
            assert self.cancel_tried, "nobody cancelled it"
            return
        assert not self.cancelled, f"a cancelled job has {body['status']}"
        if body["status"] == "succeeded":
            assert self.order.may_succeed, "it could not succeed"
            self._check_result(body["result"], max_attempts)
            return
        problem = body["error"]["type"].rpartition(":")[2]
        assert problem in self._possible_problems(max_attempts), f"it failed with {problem} for no reason: {self}"

    def _possible_problems(self, max_attempts: int) -> set[str]:
        often = self.spoilt >= max_attempts
        possible = {
            self.order.refused if not self.order.may_succeed else "": True,
            "attempts-exhausted": often,
            "worker-died": often,
            "dead-lettered": self.parked,
            "deadline-exceeded": self.overdue,
        }
        return {problem for problem, is_possible in possible.items() if is_possible}

    def _check_result(self, result: Mapping[str, Any], max_attempts: int) -> None:
        if self.order.task == "probe":
            assert 1 <= result["attempt"] <= max_attempts
            return
        numbers = [part["part"] for part in result["parts"]]
        skipped = [warning["part"] for warning in result["warnings"]]
        assert sorted(numbers + skipped) == list(range(self.order.parts)), "each part is there once, or told of"
        if not self.parked and self.spoilt < max_attempts:
            assert skipped == list(self.order.options.get("refuse", ())), "a part was skipped for no reason"
